"""A run's pictures, its report and its model card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ml_pipeline.config import ProblemConfig
    from ml_pipeline.storage import Place

REPORT = "report.html"
MODEL_CARD = "model_card.md"


def write_report(
    folder: Place, evaluation: Mapping[str, Any], document: Mapping[str, Any], config: ProblemConfig
) -> None:
    """Write the pictures (PNG), `report.html` and `model_card.md` of a run.

    The same run gives the same bytes: no file holds a date but the document's own.

    Parameters
    ----------
    folder
        Where the run's files are staged.
    evaluation
        From `pipeline.evaluate_model`.
    document
        What `metrics.json` holds.
    config
        The problem.
    """
    # matplotlib takes half a second to import, and a command that shows a report needs none of it.
    from ml_pipeline.reporting.card import model_card
    from ml_pipeline.reporting.page import report_page
    from ml_pipeline.reporting.pictures import pictures_of

    pictures = pictures_of(evaluation, document, config)
    for picture in pictures:
        (folder / picture.file).write_bytes(picture.png)
    page = report_page(evaluation, document, config, pictures)
    (folder / REPORT).write_text(page, encoding="utf-8")
    (folder / MODEL_CARD).write_text(model_card(evaluation, document, config), encoding="utf-8")

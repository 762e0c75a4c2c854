"""`report.html`: one file that needs nothing from elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ml_pipeline.reporting.facts import environment, facts_of
from ml_pipeline.reporting.pictures import Picture

if TYPE_CHECKING:
    from ml_pipeline.config import ProblemConfig

BINARY_TILES = ("recall", "specificity", "accuracy")
TILES = ("balanced_accuracy", "accuracy", "matthews_corrcoef")


def report_page(
    evaluation: Mapping[str, Any],
    document: Mapping[str, Any],
    config: ProblemConfig,
    pictures: Sequence[Picture],
) -> str:
    """Return the page; see `reporting.write_report`."""
    template = environment(is_html=True).get_template("report.html.j2")
    tiles = BINARY_TILES if config.target.positive is not None else TILES
    return template.render(
        **facts_of(evaluation, document, config),
        tiles=[name for name in tiles if name in document["holdout"]],
        pictures=[{"picture": one, "data": base64.b64encode(one.png).decode()} for one in pictures],
    )

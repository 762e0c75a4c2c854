"""`model_card.md`: what the model is for, how good it is, and where it ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ml_pipeline.reporting.facts import environment, facts_of
from ml_pipeline.storage import folder_name

if TYPE_CHECKING:
    from ml_pipeline.config import ProblemConfig


def model_card(
    evaluation: Mapping[str, Any], document: Mapping[str, Any], config: ProblemConfig
) -> str:
    """Return the card as Markdown; see `reporting.write_report`."""
    template = environment(is_html=False).get_template("model_card.md.j2")
    return template.render(
        **facts_of(evaluation, document, config),
        chosen=_chosen(evaluation),
        folder=folder_name(document["run_id"], document["dag_id"]),
        holdout_rows=len(evaluation["predictions"]),
    )


def _chosen(evaluation: Mapping[str, Any]) -> Mapping[str, Any]:
    found: list[Mapping[str, Any]] = [
        one for one in evaluation.get("candidates") or [] if one["chosen"]
    ]
    return found[0] if found else {}

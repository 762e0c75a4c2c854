"""What report and model card say alike: one set of facts, and the templates' environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ml_pipeline.reporting import wording

if TYPE_CHECKING:
    from ml_pipeline.config import ProblemConfig

COLUMNS_SHOWN = 200
OF_GROUPS = ("accuracy", "balanced_accuracy", "recall", "specificity", "roc_auc")


def environment(*, is_html: bool) -> Environment:
    """Return the environment that the package's templates are rendered in."""
    found = Environment(
        loader=PackageLoader("ml_pipeline.reporting"),
        autoescape=is_html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters |= {
        "number": wording.number,
        "interval": wording.interval,
        "metric": wording.name_of,
        "sentence": wording.sentence,
        "cell": markdown_cell,
    }
    return found


def markdown_cell(value: Any) -> str:
    """Return a text that stays in its cell of a Markdown table, and is no HTML."""
    text = " ".join(str(value).split()).replace("&", "&amp;").replace("<", "&lt;")
    return text.replace("|", "\\|")


def facts_of(
    evaluation: Mapping[str, Any], document: Mapping[str, Any], config: ProblemConfig
) -> dict[str, Any]:
    """Return what both templates show."""
    validation = evaluation.get("validation") or {}
    return {
        "title": config.name.replace("_", " "),
        "config": config,
        "document": document,
        "positive": config.target.positive,
        "metrics": _metrics(document),
        "remarks": _remarks(document),
        "selection_metric": _selection_metric(document),
        "candidates": evaluation.get("candidates") or [],
        "protocol": protocol_of(document),
        "threshold": threshold_sentence(document),
        "promotion": evaluation.get("promotion") or {},
        "groups": _groups(document),
        "of_groups": [name for name in OF_GROUPS if name in document["holdout"]],
        "validation": validation,
        "classes": sorted(validation.get("classes", {}).items(), key=lambda one: (-one[1], one[0])),
        "quality": validation.get("quality", [])[:COLUMNS_SHOWN],
        "hidden_columns": max(0, len(validation.get("quality", [])) - COLUMNS_SHOWN),
        "findings": validation.get("findings", []),
    }


def _metrics(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    nested = document.get("nested") or {}
    return [
        {
            "name": name,
            "holdout": holdout,
            "cross_validation": document["cross_validation"].get(name),
            "nested": nested.get(name),
        }
        for name, holdout in document["holdout"].items()
    ]


def _remarks(document: Mapping[str, Any]) -> list[str]:
    """Return what a reader of the metrics has to know about these."""
    found = []
    if document.get("positive_class") is None:
        found.append(
            "What is defined for two labels is the unweighted mean over the labels, each against "
            "the rest."
        )
    if any(one["low"] == one["high"] for one in document["holdout"].values()):
        found.append(
            "An interval without width comes from a hold-out without an error: the bootstrap "
            "cannot vary what never went wrong. It is no certainty."
        )
    return found


def _selection_metric(document: Mapping[str, Any]) -> str:
    name: str = (document.get("selection") or {}).get("metric", "roc_auc")
    return name


def _groups(document: Mapping[str, Any]) -> dict[str, Any]:
    return dict(sorted((document.get("groups") or {}).items()))


def protocol_of(document: Mapping[str, Any]) -> str:
    """Return in a sentence how the model was judged."""
    folds, repeats = (document["cross_validation"][key] for key in ("folds", "repeats"))
    times = "once" if repeats == 1 else f"{repeats} times"
    name = (document.get("selection") or {}).get("protocol")
    which = f"Protocol “{name}”: stratified" if name else "Stratified"
    return f"{which} {folds}-fold cross-validation, {times}, on the training rows."


def threshold_sentence(document: Mapping[str, Any]) -> str:
    """Return in a sentence from which probability a row counts as positive; empty without one."""
    if document.get("positive_class") is None:
        return ""
    found = document.get("threshold") or {}
    aim = found.get("aim")
    if found.get("value") is None or not aim:
        return "A row counts as positive from a probability of one half on."
    floors = " and ".join(
        f"{wording.name_of(name)} of at least {wording.number(floor)}"
        for name, floor in (aim.get("at_least") or {}).items()
    )
    under = f", with {floors}" if floors else ""
    return (
        f"A row counts as positive from a probability of {wording.number(found['value'])} on, "
        f"chosen inside the folds for the highest {wording.name_of(aim['maximize'])}{under}."
    )

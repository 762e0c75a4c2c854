"""A run's metrics as JSON document and as CSV, in one order whoever ran the steps."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ml_pipeline.ml.metrics import METRICS
from ml_pipeline.registry.model_files import versions

if TYPE_CHECKING:
    from ml_pipeline.config import ProblemConfig
    from ml_pipeline.storage import Run

COLUMNS = ("protocol", "metric", "value", "sd", "low", "high")
ORDER = (
    *("path", "sha256", "rows", "features"),
    *("random_state", "test_size", "model", "model_parameters"),
    *METRICS,
    *("folds", "repeats"),
    *("aim", "maximize", "at_least", "labels", "counts"),
    *("value", "mean", "sd", "low", "high"),
)


def in_order(value: Any) -> Any:
    """Return a document with its keys in `ORDER`, others after them by name.

    What passed through XCom comes back with its keys sorted by length: PostgreSQL's JSONB does so.
    """
    if not isinstance(value, dict):
        return value
    return {key: in_order(value[key]) for key in sorted(value, key=_rank)}


def _rank(key: Any) -> tuple[int, str]:
    return (ORDER.index(key) if key in ORDER else len(ORDER)), str(key)


def metrics_document(
    evaluation: dict[str, Any], model: str, config: ProblemConfig, run: Run
) -> dict[str, Any]:
    """Return what `metrics.json` holds, from the outcome of `pipeline.evaluate_model`."""
    return {
        "run_id": run.run_id,
        "dag_id": run.dag_id,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "dataset": in_order(evaluation["dataset"]),
        "target": config.target.column,
        "positive_class": config.target.positive,
        "model": model,
        "random_state": config.split.random_state,
        "holdout": in_order(evaluation["holdout"]),
        "cross_validation": in_order(evaluation["cross_validation"]),
        "nested": in_order(evaluation["nested"]),
        "threshold": in_order(evaluation["threshold"]),
        "selection": _selection(evaluation, config),
        "confusion_matrix": in_order(evaluation["confusion_matrix"]),
        "groups": in_order(evaluation["groups"]),
        "versions": versions(),
    }


def _selection(evaluation: dict[str, Any], config: ProblemConfig) -> dict[str, Any]:
    """Return how the model was chosen: all but the seconds, which differ from run to run."""
    facts = ("name", "estimator", "rows", "mean", "sd", "low", "high", "chosen", "reason")
    return {
        "metric": config.selection.metric,
        "protocol": config.selection.protocol,
        "candidates": [{key: one[key] for key in facts} for one in evaluation["candidates"]],
    }


def metrics_rows(document: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Yield the figures as rows of `COLUMNS`; `sd` is None on the hold-out."""
    for metric, one in document["holdout"].items():
        yield "holdout", metric, one["value"], None, one["low"], one["high"]
    for protocol in ("cross_validation", "nested"):
        for metric in METRICS:
            if one := document[protocol].get(metric):
                yield protocol, metric, one["mean"], one["sd"], one["low"], one["high"]


def metrics_csv(document: dict[str, Any]) -> str:
    """Return the figures as CSV text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(metrics_rows(document))
    return text.getvalue()

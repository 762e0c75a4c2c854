"""Tables that the commands print."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text


def metrics_table(document: dict[str, Any]) -> Table:
    """Return the metrics of a run (`metrics.json`) as a table, each with its protocol."""
    from ml_pipeline.ml.metrics import METRICS

    folds, repeats = (document["cross_validation"][key] for key in ("folds", "repeats"))
    positive = document["positive_class"]
    side = "mean over the classes" if positive is None else f"positive class {positive!r}"
    title = f"{document['model']} on {document['dataset']['path']}, {side}"
    table = Table(title=Text(title), title_justify="left")  # as it is: a path may hold brackets
    table.add_column("metric", no_wrap=True)
    table.add_column("hold-out [95 %]", justify="right", no_wrap=True)
    table.add_column(f"{repeats}x{folds}-fold mean [95 %]", justify="right", no_wrap=True)
    for metric in METRICS:
        held_out, folded = document["holdout"][metric], document["cross_validation"][metric]
        table.add_row(
            metric,
            f"{held_out['value']:.3f} {_interval(held_out)}",
            f"{folded['mean']:.3f} {_interval(folded)}",
        )
    return table


def _interval(figures: dict[str, float]) -> str:
    return f"[{figures['low']:.3f}, {figures['high']:.3f}]"

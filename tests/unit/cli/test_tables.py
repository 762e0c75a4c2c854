"""What a name may hold that rich would take for its own marks."""

from __future__ import annotations

import io
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from ml_pipeline.cli.model_tables import version_table, versions_table
from ml_pipeline.cli.tables import metrics_table
from ml_pipeline.ml.metrics import METRICS
from ml_pipeline.registry.versions import Version

ODD = "[old] and [/new]"


def printed(table: Table) -> str:
    file = io.StringIO()
    Console(file=file, width=200).print(table)
    return file.getvalue()


def test_metrics_table_shows_a_path_with_brackets_as_it_is() -> None:
    figures = dict.fromkeys(("value", "mean", "low", "high"), 0.5)
    each = dict.fromkeys(METRICS, figures)
    document = {
        "dataset": {"path": f"data/{ODD}.csv"},
        "positive_class": "M",
        "model": "svc",
        "holdout": each,
        "cross_validation": {**each, "folds": 3, "repeats": 1},
    }
    assert ODD in printed(metrics_table(document))


def test_tables_of_versions_show_names_and_reasons_with_brackets_as_they_are() -> None:
    facts = {"model": ODD, "reason": f"because of {ODD}"}
    version = Version("loans", 1, datetime.now(UTC), (), facts)
    assert ODD in printed(versions_table("loans", [version]))
    assert f"because of {ODD}" in printed(version_table(version, []))

"""The state of the data, column by column, and the table that shows it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

WHISKER = 1.5  # Tukey: outliers lie further than this many interquartile ranges from the quartiles
ROWS_SHOWN = 60


def quality_of(values: pd.Series, kind: str) -> dict[str, Any]:
    """Return what a column's values are like, as plain numbers and text.

    Returns
    -------
    dict
        `column`, `kind`, `missing` (rows), `distinct`; for numbers also `outliers` (rows, by
        Tukey's rule), `skew`, `mean`, `sd`, `low`, `high`; for dates `low`, `high`; for text `top`.
        What a kind does not have is None.
    """
    row: dict[str, Any] = {
        "column": str(values.name),
        "kind": kind,
        "missing": int(values.isna().sum()),
        "distinct": int(values.nunique()),
    }
    row |= dict.fromkeys(["outliers", "skew", "mean", "sd", "low", "high", "top"])
    present = values.dropna()
    if present.empty:
        return row
    if kind in ("numeric", "boolean"):
        return row | _of_numbers(present.to_numpy(), is_measured=kind == "numeric")
    if kind == "dates":
        return row | {"low": _day(present.min()), "high": _day(present.max())}
    return row | {"top": str(present.value_counts().index[0])[:40]}


def _of_numbers(values: np.ndarray, *, is_measured: bool) -> dict[str, Any]:
    low, quarter, three_quarters, high = np.quantile(values, [0, 0.25, 0.75, 1])
    reach = WHISKER * (three_quarters - quarter)
    is_outlier = (values < quarter - reach) | (values > three_quarters + reach)
    return {
        "outliers": int(is_outlier.sum()) if is_measured else None,
        "skew": _finite(pd.Series(values).skew()),
        "mean": _finite(values.mean()),
        "sd": _finite(values.std(ddof=1)) if len(values) > 1 else None,
        "low": _finite(low),
        "high": _finite(high),
    }


def _finite(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _day(moment: pd.Timestamp) -> str:
    return moment.isoformat()


def report_table(report: dict[str, Any]) -> str:
    """Return the validation report as text: the rows, the classes, the columns, the findings."""
    classes = ", ".join(f"{label} {rows}" for label, rows in report["classes"].items())
    lines = [
        f"{report['rows']} rows ({report['duplicates']} repeated), "
        f"{len(report['quality'])} columns; classes: {classes}",
        _columns_table(report["quality"]),
    ]
    hidden = len(report["quality"]) - ROWS_SHOWN
    if hidden > 0:
        lines.append(f"… and {hidden} more columns")
    for finding in report["findings"]:
        lines.append(f"{finding['level'].upper()}: {finding['message']}")
    return "\n".join(lines)


def _columns_table(quality: list[dict[str, Any]]) -> str:
    shown = ["column", "kind", "missing", "distinct", "outliers", "skew", "low", "high", "top"]
    table = pd.DataFrame(quality[:ROWS_SHOWN], columns=shown).astype("object").map(_cell)
    return table.to_string(index=False)


def _cell(value: Any) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)[:40]

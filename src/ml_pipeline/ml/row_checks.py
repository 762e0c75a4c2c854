"""Rows to be scored against what training saw: the good are typed, the bad set aside with why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

from ml_pipeline.errors import DataError
from ml_pipeline.ml.kinds import Feature, as_feature

if TYPE_CHECKING:
    from ml_pipeline.config import ProblemConfig

# A number may lie this many times training's range outside it: further out, a unit has changed.
REACH = 5.0
MOST_CATEGORIES = 1_000
NAMES = {"numeric": "a number", "boolean": "true or false", "dates": "a date"}


def learn_schema(
    features: dict[str, Feature], target: pd.Series, config: ProblemConfig
) -> dict[str, Any]:
    """Return, as plain JSON, what later rows are held against.

    Returns
    -------
    dict
        `target` (`column`, `labels`), `ids`, `missing_values` and `columns`: by feature its `kind`
        and `has_missing`, with `low` and `high` of numbers and dates, `categories` of text (the
        most frequent 1,000), `format` of dates.
    """
    return {
        "target": {"column": str(target.name), "labels": sorted(map(str, target.unique()))},
        "ids": list(config.data.ids),
        "missing_values": list(config.data.missing_values),
        "columns": {name: _column_schema(feature) for name, feature in features.items()},
    }


def check_rows(frame: pd.DataFrame, schema: dict[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Part rows into those that the model can score and those that break the training schema.

    A row is bad when a value is not of its column's kind, infinite, or so far outside training's
    range that its unit must have changed; or when it comes with a label that training never saw.
    A missing value or an unknown category is not bad: the Pipeline was fitted to deal with both.

    Parameters
    ----------
    frame
        Rows as `dataset.read_chunks` or a database gives them, with any index.
    schema
        From `training_schema`.

    Returns
    -------
    good, bad
        `good` has the schema's ids and features, the latter as in training, and the target if it
        came along; its index is the frame's, `attrs["outside"]` counts by feature the values
        outside training's range or categories. `bad` has the columns `row` (from the index) and
        `reason`.

    Raises
    ------
    DataError
        When a whole column is missing: then no row can be scored.
    """
    _check_complete(frame, schema)
    features = {
        name: as_feature(_present(frame[name], schema), one["kind"], one.get("format", ""))
        for name, one in schema["columns"].items()
    }
    reasons = pd.Series("", index=frame.index, dtype="object")
    for name, feature in features.items():
        _note(reasons, feature.is_stray, frame[name], f"is not {NAMES.get(feature.kind, 'text')}")
    good = _typed(frame, features, schema)
    _note_ranges(reasons, good, schema)
    _note_labels(reasons, frame, schema)
    is_bad = (reasons != "").to_numpy()
    bad = pd.DataFrame({"row": frame.index[is_bad], "reason": reasons[is_bad].to_numpy()})
    good = good[~is_bad]
    good.attrs["outside"] = _outside(good, schema)
    return good, bad


def _column_schema(feature: Feature) -> dict[str, Any]:
    present = feature.values.dropna()
    schema: dict[str, Any] = {
        "kind": feature.kind,
        "has_missing": bool(feature.values.isna().any()),
    }
    if feature.kind == "categorical":
        return schema | {"categories": [*present.value_counts().index[:MOST_CATEGORIES]]}
    if feature.kind == "dates":
        low, high = (moment.isoformat() for moment in (present.min(), present.max()))
        return schema | {"low": low, "high": high, "format": feature.date_format}
    return schema | {"low": float(present.min()), "high": float(present.max())}


def _check_complete(frame: pd.DataFrame, schema: dict[str, Any]) -> None:
    absent = [name for name in [*schema["ids"], *schema["columns"]] if name not in frame.columns]
    if absent:
        more = f" (and {len(absent) - 1} more)" if len(absent) > 1 else ""
        raise DataError(
            f"the rows to be scored have no column {absent[0]!r}{more}, which the model needs"
        )


def _present(column: pd.Series, schema: dict[str, Any]) -> pd.Series:
    """Return a column without what the configuration says is missing; a database knows no such."""
    texts = schema["missing_values"]
    if not texts or pd.api.types.is_numeric_dtype(column):
        return column
    return column.mask(column.isin(texts))


def _typed(
    frame: pd.DataFrame, features: dict[str, Feature], schema: dict[str, Any]
) -> pd.DataFrame:
    columns = {name: frame[name] for name in schema["ids"]}
    columns |= {name: feature.values for name, feature in features.items()}
    target = schema["target"]["column"]
    if target in frame.columns:
        columns[target] = frame[target]
    return pd.DataFrame(columns, index=frame.index)


def _note(reasons: pd.Series, is_bad: np.ndarray, values: pd.Series, fault: str) -> None:
    """Write the fault of each bad value beside its row, unless the row has one already."""
    places = np.flatnonzero(is_bad & (reasons == "").to_numpy())
    for place in map(int, places):
        reasons.iloc[place] = f"column {values.name!r}: {str(values.iloc[place])[:40]!r} {fault}"


def _note_ranges(reasons: pd.Series, typed: pd.DataFrame, schema: dict[str, Any]) -> None:
    """Hold numbers against a pandera schema: finite, and not absurdly far from training's range."""
    numbers = {name: one for name, one in schema["columns"].items() if one["kind"] == "numeric"}
    rules = {
        name: pa.Column("float64", _plausible(one), nullable=True) for name, one in numbers.items()
    }
    numbered = typed[list(numbers)].set_axis(pd.RangeIndex(len(typed)))
    try:
        pa.DataFrameSchema(rules).validate(numbered, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases.drop_duplicates("index")
        for place, column, value in cases[["index", "column", "failure_case"]].itertuples(
            index=False
        ):
            one = numbers[column]
            if not reasons.iloc[int(place)]:
                reasons.iloc[int(place)] = (
                    f"column {column!r}: {value:g} is far outside what training saw "
                    f"({one['low']:g} to {one['high']:g})"
                )


def _plausible(one: dict[str, Any]) -> pa.Check:
    reach = REACH * (one["high"] - one["low"])
    return pa.Check.in_range(one["low"] - reach, one["high"] + reach)


def _note_labels(reasons: pd.Series, frame: pd.DataFrame, schema: dict[str, Any]) -> None:
    name, labels = schema["target"]["column"], schema["target"]["labels"]
    if name not in frame.columns:
        return
    target = frame[name]
    unseen = target.notna() & ~target.astype("str").isin(labels)
    _note(reasons, unseen.to_numpy(), target, f"is a label that training never saw ({labels})")


def _outside(good: pd.DataFrame, schema: dict[str, Any]) -> dict[str, int]:
    counts = {name: _count_outside(good[name], one) for name, one in schema["columns"].items()}
    return {name: count for name, count in counts.items() if count}


def _count_outside(values: pd.Series, one: dict[str, Any]) -> int:
    present = values.dropna()
    if one["kind"] == "categorical":
        return int((~present.isin(one["categories"])).sum())
    low, high = one["low"], one["high"]
    if one["kind"] == "dates":
        low, high = pd.Timestamp(low), pd.Timestamp(high)
    return int(((present < low) | (present > high)).sum())

"""What the data must satisfy before anything is fitted, as a pandera schema."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pandera.pandas as pa

from ml_pipeline.errors import DataError

if TYPE_CHECKING:
    from ml_pipeline.config import ProblemConfig

log = logging.getLogger(__name__)

FEWEST_PER_CLASS = 10


def feature_names(frame: pd.DataFrame, config: ProblemConfig) -> list[str]:
    """Return the columns a model learns from: all but the target and the ids."""
    aside = {config.target.column, *config.data.ids}
    return [str(name) for name in frame.columns if name not in aside]


def validate(frame: pd.DataFrame, config: ProblemConfig) -> pd.DataFrame:
    """Return the frame with features as float64, or say what is wrong with the data.

    What is odd but harmless (repeated rows or ids, constant features) is logged as a warning.

    Raises
    ------
    DataError
        When the target does not have exactly two labels, the positive one among them; a class has
        too few rows for the protocol; or a feature is not a finite number everywhere. The message
        names file, column and data row (the first is 1, a header does not count).
    """
    if not feature_names(frame, config):
        raise DataError(f"{config.data_location}: no feature is left beside target and ids")
    _check_labels(frame[config.target.column], config)
    numeric = _numeric(frame, config)
    try:
        checked: pd.DataFrame = _schema(numeric, config).validate(numeric, lazy=True)
    except pa.errors.SchemaErrors as error:
        raise DataError(f"{config.data_location}, {_describe(error.failure_cases)}") from None
    distinct = checked.drop_duplicates()
    _check_class_sizes(distinct[config.target.column], config)
    _warn_of_oddities(distinct, len(checked) - len(distinct), config)
    return checked


def _check_labels(target: pd.Series, config: ProblemConfig) -> None:
    place = f"{config.data_location}, column {target.name!r}"
    if target.isna().any():
        row = int(np.flatnonzero(target.isna())[0]) + 1
        raise DataError(f"{place}, row {row}: the target is missing")
    counts = target.value_counts()
    positive = config.target.positive
    if positive not in counts.index:
        raise DataError(
            f"{place}: no row has the positive label {positive!r}. "
            f"`target.positive` must be one of {_some(counts.index)}"
        )
    if len(counts) != 2:
        raise DataError(
            f"{place}: {len(counts)} label(s): {_some(counts.index)}. Must be exactly two"
        )


def _check_class_sizes(target: pd.Series, config: ProblemConfig) -> None:
    """Demand a row of each class for every fold and for the hold-out."""
    folds, test_size = config.cross_validation.folds, config.split.test_size
    needed = max(FEWEST_PER_CLASS, folds, math.ceil(1 / test_size))
    counts = target.value_counts()
    if counts.min() < needed:
        raise DataError(
            f"{config.data_location}, column {target.name!r}: only {counts.min()} different "
            f"row(s) with label {counts.idxmin()!r}. Must be at least {needed} for {folds} folds "
            f"and test_size {test_size}"
        )


def _numeric(frame: pd.DataFrame, config: ProblemConfig) -> pd.DataFrame:
    frame = frame.copy()
    for name in feature_names(frame, config):
        column = frame[name]
        if pd.api.types.is_numeric_dtype(column):
            frame[name] = column.astype("float64")
        else:
            frame[name] = _parsed(column, config)
    return frame


def _parsed(column: pd.Series, config: ProblemConfig) -> pd.Series:
    """Read text as numbers, all-missing as NaN (which the schema names); refuse other text."""
    numbers = pd.to_numeric(column.astype("str"), errors="coerce").astype("float64")
    stray = np.flatnonzero(numbers.isna() & column.notna())
    if len(stray):
        row = int(stray[0])
        more = f" (and {len(stray) - 1} more rows)" if len(stray) > 1 else ""
        raise DataError(
            f"{config.data_location}, column {column.name!r}, row {row + 1}: "
            f"{str(column.iloc[row])[:40]!r} is not a number{more}. "
            "Mend it, or name the column in `data.exclude`"
        )
    return numbers


def _schema(frame: pd.DataFrame, config: ProblemConfig) -> pa.DataFrameSchema:
    finite = pa.Check(np.isfinite, name="finite", error="is not a finite number")
    columns = {
        name: pa.Column("float64", finite, nullable=False) for name in feature_names(frame, config)
    }
    return pa.DataFrameSchema(columns | {config.target.column: pa.Column(nullable=False)})


def _describe(cases: pd.DataFrame) -> str:
    first = cases.iloc[0]
    more = f" (and {len(cases) - 1} more such values)" if len(cases) > 1 else ""
    fault = "the value is missing"
    if pd.notna(first["failure_case"]):
        fault = f"{first['failure_case']} is not a finite number"
    row = "?" if pd.isna(first["index"]) else int(first["index"]) + 1
    return (
        f"column {first['column']!r}, row {row}: {fault}{more}. "
        "Mend it, or name the column in `data.exclude`"
    )


def _warn_of_oddities(frame: pd.DataFrame, repeated: int, config: ProblemConfig) -> None:
    if repeated:
        log.warning("%d row(s) repeat an earlier row and will be dropped", repeated)
    ids = config.data.ids
    shared = int(frame.duplicated(subset=ids).sum()) if ids else 0
    if shared:
        log.warning(
            "%d row(s) share an id with an earlier row: the split does not group them", shared
        )
    features = frame[feature_names(frame, config)]
    constant = features.columns[features.min() == features.max()]
    if len(constant):
        log.warning("constant, hence of no use: %s", _some(constant))


def _some(values: pd.Index) -> str:
    return ", ".join(map(repr, map(str, values[:8]))) + (", …" if len(values) > 8 else "")

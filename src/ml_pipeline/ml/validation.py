"""What the data must satisfy before anything is fitted, and a report of what they are like."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

from ml_pipeline.errors import DataError
from ml_pipeline.ml.findings import Findings, some
from ml_pipeline.ml.kinds import Feature, as_feature, looks_like_numbers
from ml_pipeline.ml.leakage import suspects
from ml_pipeline.ml.quality import quality_of, report_table
from ml_pipeline.ml.repeats import is_repeated
from ml_pipeline.ml.row_checks import NAMES, check_rows, learn_schema

if TYPE_CHECKING:
    from ml_pipeline.config import ProblemConfig

__all__ = ["check_rows", "feature_names", "report_of", "training_schema", "validate"]

log = logging.getLogger(__name__)

MOST_STRAY = 0.05
LARGEST = float(np.finfo("float32").max)  # trees keep no more
MANY_LABELS = 50
MANY_CATEGORIES = 100


def feature_names(frame: pd.DataFrame, config: ProblemConfig) -> list[str]:
    """Return the columns a model learns from: all but the target, the ids and the group.

    The group's column is a feature when its kind is given.

    Parameters
    ----------
    frame
        Rows, shape (n_rows, n_columns).
    config
        Names the target, the ids and the group.

    Returns
    -------
    list of str
        In the frame's order.

    Examples
    --------
    >>> feature_names(frame, config)[:3]
    ['mean radius', 'mean texture', 'mean perimeter']
    """
    data = config.data
    given = {name for names in data.kinds.values() for name in names}
    aside = {config.target.column, *data.ids, *({data.group} - given)}
    return [str(name) for name in frame.columns if name not in aside]


def validate(frame: pd.DataFrame, config: ProblemConfig) -> pd.DataFrame:
    """Return the rows with typed features and a report, or say what is wrong with the data.

    Features become float64 (numbers; booleans as 0 and 1), `str` (categories) or datetime64
    (dates). What is odd but harmless is accepted with a warning: constant and empty features are
    left out, stray text among numbers becomes missing.

    Parameters
    ----------
    frame
        From `read_table`.
    config
        The problem.

    Returns
    -------
    DataFrame of shape (n_rows, n_columns)
        `attrs["validation"]` holds the report as JSON text; `report_of` reads it.

    Raises
    ------
    DataError
        When labels are missing, too few or too rare for the protocol; the positive one does not
        occur; a feature has infinities, or more than 5 % of its values are not of its kind. The
        message names file, column and data row (the first is 1, a header does not count).

    Examples
    --------
    >>> frame = validate(read_table(config), config)
    >>> report_of(frame)["classes"]
    {'B': 357, 'M': 212}
    """
    if not feature_names(frame, config):
        raise DataError(f"{config.data_location}: no feature is left beside target and ids")
    target = frame[config.target.column]
    _check_labels(target, config)
    findings = Findings(config.data_location)
    _note_reading(frame.attrs.get("reading", {}), findings)
    features = _features(frame, config, findings)
    checked = _assembled(frame, features, config)
    _check_finite(checked, features, config)
    repeated = is_repeated(checked)
    _check_class_sizes(target[~repeated], config)
    _note_oddities(checked, features, repeated, config, findings)
    report = _report(checked, features, int(repeated.sum()), findings, config)
    log.info("%s\n%s", config.data_location, report_table(report))
    checked.attrs = {**frame.attrs, "validation": json.dumps(report, allow_nan=False)}
    return checked


def report_of(frame: pd.DataFrame) -> dict[str, Any]:
    """Return the report that travels with a validated frame, and with what was split from it.

    In `attrs` it is text: pandas copies `attrs` deeply at every operation.

    Parameters
    ----------
    frame
        From `validate`, or a part of it.

    Returns
    -------
    dict
        `rows`, `duplicates`, `classes` (rows by label), `findings` (each with `level`, `column`,
        `message`, `rows`), `quality` (see `quality.quality_of`), `schema` (see `training_schema`);
        empty for a frame that was not validated.

    Examples
    --------
    >>> sorted(report_of(frame))
    ['classes', 'duplicates', 'findings', 'quality', 'rows', 'schema']
    """
    report: dict[str, Any] = json.loads(frame.attrs.get("validation", "{}"))
    return report


def training_schema(report: dict[str, Any]) -> dict[str, Any]:
    """Return what rows to be scored are held against; see `check_rows`."""
    schema: dict[str, Any] = report["schema"]
    return schema


def _check_labels(target: pd.Series, config: ProblemConfig) -> None:
    place = f"{config.data_location}, column {target.name!r}"
    if target.isna().all():
        raise DataError(f"{place}: the target is missing in every row")
    if target.isna().any():
        row = int(np.flatnonzero(target.isna())[0]) + 1
        more = f" (and {int(target.isna().sum()) - 1} more)" if target.isna().sum() > 1 else ""
        raise DataError(f"{place}, row {row}: the target is missing{more}. Leave such rows out")
    counts, positive = target.value_counts(), config.target.positive
    if len(counts) < 2:
        raise DataError(f"{place}: 1 label: {some(counts.index)}. Must be at least two")
    if positive is None and len(counts) == 2:
        raise DataError(
            f"{place}: two labels. `target.positive` must be one of {some(counts.index)}"
        )
    if positive is not None and positive not in counts.index:
        raise DataError(
            f"{place}: no row has the positive label {positive!r}. "
            f"`target.positive` must be one of {some(counts.index)}"
        )
    if positive is not None and len(counts) > 2:
        raise DataError(
            f"{place}: {len(counts)} labels: {some(counts.index)}. "
            "Must be exactly two, or `target.positive` null"
        )


def _check_class_sizes(target: pd.Series, config: ProblemConfig) -> None:
    """Demand a row of each class for every fold and for the hold-out."""
    folds, test_size = config.selection.plan.folds, config.split.test_size
    needed = config.selection.fewest_per_class(test_size)
    counts = target.value_counts()
    if counts.min() < needed:
        hint = ". Is it a number to be predicted, not a class?" if len(counts) > MANY_LABELS else ""
        raise DataError(
            f"{config.data_location}, column {target.name!r}: only {counts.min()} different "
            f"row(s) with label {counts.idxmin()!r}. Must be at least {needed} for {folds} folds "
            f"and test_size {test_size}{hint}"
        )


def _features(frame: pd.DataFrame, config: ProblemConfig, findings: Findings) -> dict[str, Feature]:
    """Return the features by name, without those that say nothing."""
    given = {name: kind for kind, names in config.data.kinds.items() for name in names}
    features = dict[str, Feature]()
    for name in feature_names(frame, config):
        feature = as_feature(frame[name], given.get(name))
        _note_strays(frame[name], feature, config, findings)
        if feature.values.isna().all():
            findings.warn(name, "is missing in every row and left out")
        elif feature.values.nunique(dropna=False) == 1:
            findings.warn(name, "is constant and left out")
        else:
            features[name] = feature
    if not features:
        raise DataError(f"{config.data_location}: every feature is constant or missing")
    return features


def _note_strays(
    column: pd.Series, feature: Feature, config: ProblemConfig, findings: Findings
) -> None:
    places = np.flatnonzero(feature.is_stray)
    if not len(places):
        return
    value, name = str(column.iloc[places[0]])[:40], NAMES[feature.kind]
    share = len(places) / int(column.notna().sum())
    if share > MOST_STRAY:
        more = f" (and {len(places) - 1} more rows)" if len(places) > 1 else ""
        raise DataError(
            f"{config.data_location}, column {column.name!r}, row {places[0] + 1}: {value!r} is "
            f"not {name}{more}: {share:.0%} of the values. Mend it, name the text in "
            "`data.missing_values`, or the column in `data.categorical` or `data.exclude`"
        )
    findings.warn(
        str(column.name), f"has {value!r}, which is not {name} and counts as missing", places + 1
    )


def _assembled(
    frame: pd.DataFrame, features: dict[str, Feature], config: ProblemConfig
) -> pd.DataFrame:
    """Return the columns in the file's order, features typed, what was left out gone."""
    aside = set(frame.columns) - set(feature_names(frame, config))
    columns = {
        name: features[name].values if name in features else frame[name]
        for name in frame.columns
        if name in features or name in aside
    }
    return pd.DataFrame(columns, index=frame.index)


def _check_finite(frame: pd.DataFrame, features: dict[str, Feature], config: ProblemConfig) -> None:
    finite = pa.Check(lambda values: values.abs() <= LARGEST, name="finite")
    numeric = [name for name, feature in features.items() if feature.kind == "numeric"]
    schema = pa.DataFrameSchema(
        {name: pa.Column("float64", finite, nullable=True) for name in numeric}
        | {config.target.column: pa.Column(nullable=False)}
    )
    try:
        schema.validate(frame.set_axis(pd.RangeIndex(len(frame))), lazy=True)
    except pa.errors.SchemaErrors as error:
        raise DataError(f"{config.data_location}, {_describe(error.failure_cases)}") from None


def _describe(cases: pd.DataFrame) -> str:
    first = cases.iloc[0]
    more = f" (and {len(cases) - 1} more such values)" if len(cases) > 1 else ""
    bound = "" if np.isinf(float(first["failure_case"])) else f" up to {LARGEST:.1g}"
    return (
        f"column {first['column']!r}, row {int(first['index']) + 1}: {first['failure_case']} is "
        f"not a finite number{bound}{more}. Mend it, or name the column in `data.exclude`"
    )


def _note_reading(reading: dict[str, Any], findings: Findings) -> None:
    if reading.get("has_mark"):
        findings.warn("", "the file begins with a byte order mark (BOM), which was skipped")


def _note_oddities(
    frame: pd.DataFrame,
    features: dict[str, Feature],
    repeated: np.ndarray,
    config: ProblemConfig,
    findings: Findings,
) -> None:
    if repeated.any():
        rows = np.flatnonzero(repeated) + 1
        findings.warn("", f"{len(rows)} row(s) repeat an earlier row and will be dropped", rows)
    ids = config.data.ids
    is_shared = frame.loc[~repeated].duplicated(subset=ids) if ids else pd.Series(dtype=bool)
    if is_shared.any():
        rows = np.flatnonzero(~repeated)[is_shared.to_numpy()] + 1
        findings.warn(ids[0], "repeats an id: the split does not keep such rows together", rows)
    for name, feature in features.items():
        if feature.is_ambiguous:
            findings.warn(name, "may have day and month the other way round; give ISO dates")
        if feature.kind != "categorical":
            continue
        if looks_like_numbers(feature):
            example = str(feature.values.dropna().iloc[0])
            findings.warn(name, f"is taken for text; write its numbers plainly, not {example!r}")
        if feature.values.nunique() > MANY_CATEGORIES:
            text = f"has {feature.values.nunique()} categories; the rare ones are put together"
            findings.warn(name, text)
    for name, reason in suspects(frame[list(features)], frame[config.target.column]).items():
        findings.warn(name, reason)


def _report(
    frame: pd.DataFrame,
    features: dict[str, Feature],
    duplicates: int,
    findings: Findings,
    config: ProblemConfig,
) -> dict[str, Any]:
    target = frame[config.target.column]
    counts = target.value_counts()
    return {
        "rows": len(frame),
        "duplicates": duplicates,
        "classes": {str(label): int(count) for label, count in counts.items()},
        "findings": findings.found,
        "quality": [quality_of(one.values, one.kind) for one in features.values()],
        "schema": learn_schema(features, target, config),
    }

"""A first configuration from a data file: what the columns look like, written down to be mended."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml

from ml_pipeline.config import ProblemConfig
from ml_pipeline.config.data import KINDS
from ml_pipeline.ml import dataset, validation
from ml_pipeline.ml.kinds import as_feature, looks_like_numbers
from ml_pipeline.ml.leakage import is_id

if TYPE_CHECKING:
    from collections.abc import Iterator

POSITIVE = ("1", "1.0", "true", "yes", "y", "t", "positive", "pos", "malignant")
NEGATIVE = ("0", "0.0", "-1", "-1.0", "false", "no", "n", "f", "negative", "neg", "benign")
PLACEHOLDERS = ("?", "-", "--", ".", "..", "None", "none", "unknown", "Unknown", "missing", "n.a.")
CALLED_ID = re.compile(r"(^|[^a-z])(id|uuid|guid)$", re.IGNORECASE)
WIDTH = 100

TEMPLATE = """\
# {rows} rows, {features} features. Paths are relative to this file; its name gives the DAG its id.
# Every field: docs/configuration.md. What stands here was found in the data: mend what is wrong.
description: {description}

data:
  path: {path}
  format: {format}
{dialect}\
  missing_values: {missing_values}   # besides empty fields, NA, NaN, null and the like
  # columns that identify a row (no features), and those to leave out
  ids: {ids}
  exclude: {exclude}
  # what kind of feature the others are
{kinds}\
{remarks}
target:
  column: {column}
  positive: {positive}   # {classes}

preprocessing:              # inside the folds: a part of the model
  imputation:
    numeric: median         # or mean, most_frequent, none
    categorical: constant   # or most_frequent
  encoding: one_hot         # or ordinal, target
  scaling: standard         # or robust, minmax, none; only for models that need it
  power_transform: false
  clip_outliers: null       # or a quantile, such as 0.01
  polynomial_degree: 1      # up to 3
  select_features: null     # or how many to keep

split:
  test_size: 0.2
  random_state: 42

schedule: null              # null: only when triggered; or cron, such as "0 6 * * *"
"""


def first_configuration(location: str, target: str, source: Path) -> str:
    """Return the text of a configuration for a data file, valid and fit to be run.

    Parameters
    ----------
    location
        The data file's path or URL.
    target
        The name of the column to be predicted; `column_3` is the third of a file without header.
    source
        Where the YAML file will stand.

    Raises
    ------
    DataError
        When the data cannot be learnt from; the message says where and why.
    """
    is_file = location and "://" not in location
    path = os.path.relpath(location, source.parent) if is_file else location
    tree: dict[str, Any] = {"data": {"path": path}, "target": {"column": target}}
    config = ProblemConfig.validated(tree, source)
    frame = dataset.read_table(config)
    missing = [text for text in PLACEHOLDERS if _is_placeholder(text, frame, target)]
    if missing:
        tree["data"]["missing_values"] = missing
        frame = dataset.read_table(ProblemConfig.validated(tree, source))
    tree["data"] |= _aside(frame, target)
    tree["target"]["positive"] = _positive(frame[target])
    config = ProblemConfig.validated(tree, source)
    checked = validation.validate(frame.drop(columns=config.data.exclude), config)
    return _written(config, frame.attrs["reading"], list(frame.columns), checked)


def _is_placeholder(text: str, frame: pd.DataFrame, target: str) -> bool:
    """Whether a text stands where a column otherwise has numbers; a `?` means missing anywhere."""
    for name in frame.columns.drop(target):
        if not isinstance(frame[name].dtype, pd.StringDtype):
            continue
        is_text = frame[name].str.strip() == text
        if not is_text.any():
            continue
        others = frame[name][~is_text].dropna()
        if text == "?" or (len(others) and pd.to_numeric(others, errors="coerce").notna().any()):
            return True
    return False


def _aside(frame: pd.DataFrame, target: str) -> dict[str, list[str]]:
    """Return the columns that name the row, and those that say nothing."""
    features = frame.drop(columns=target)
    names = list(map(str, features.columns))
    empty = [name for name in names if features[name].nunique(dropna=False) < 2]
    ids = [
        name
        for name in names
        if name not in empty and (CALLED_ID.search(name) or _is_id(features[name]))
    ]
    if len(ids) + len(empty) == features.shape[1]:
        ids = []
    return {"ids": ids, "exclude": empty}


def _is_id(column: pd.Series) -> bool:
    feature = as_feature(column)
    return is_id(feature.values) and not (
        feature.kind == "categorical" and looks_like_numbers(feature)
    )


def _positive(target: pd.Series) -> str | None:
    """Return the label whose name says that it is positive, or the rarer of two."""
    counts = target.value_counts()
    if len(counts) != 2:
        return None
    labels = [str(label) for label in counts.index]
    for label, other in (labels, labels[::-1]):
        if label.lower() in POSITIVE or other.lower() in NEGATIVE:
            return label
    return labels[-1]


def _written(
    config: ProblemConfig, reading: dict[str, Any], names: list[str], checked: pd.DataFrame
) -> str:
    report = validation.report_of(checked)
    data, features = config.data, validation.feature_names(checked, config)
    classes = ", ".join(f"{label} {rows}" for label, rows in report["classes"].items())
    return TEMPLATE.format(
        rows=report["rows"],
        features=len(features),
        description=_yaml(f"{config.target.column} from {Path(data.path).name}"),
        path=_yaml(data.path),
        format=reading["format"],
        dialect="".join(_dialect(reading, names)),
        missing_values=_yaml(data.missing_values),
        ids=_yaml(data.ids),
        exclude=_yaml(data.exclude),
        kinds="".join(_kinds(report)),
        remarks="".join(_remarks(report)),
        column=_yaml(config.target.column),
        positive=_yaml(config.target.positive),
        classes=" ".join(f"rows: {classes}".split())[:WIDTH],
    )


def _dialect(reading: dict[str, Any], names: list[str]) -> Iterator[str]:
    if reading["format"] == "parquet":
        return
    yield f"  delimiter: {_yaml(reading['delimiter'])}   # null: found out at each reading\n"
    yield f"  decimal: {_yaml(reading['decimal'])}\n"
    yield f"  encoding: {_yaml(reading['encoding'])}\n"
    yield f"  header: {_yaml(reading['has_header'])}\n"
    if not reading["has_header"]:
        yield f"  columns: {_yaml(names)}   # rename them here and below\n"


def _kinds(report: dict[str, Any]) -> Iterator[str]:
    for kind in KINDS:
        names = [row["column"] for row in report["quality"] if row["kind"] == kind]
        yield f"  {kind}: {_yaml(names)}\n"


def _remarks(report: dict[str, Any]) -> Iterator[str]:
    for finding in report["findings"]:
        yield f"  # look at this: {' '.join(finding['message'].split())}\n"


def _yaml(value: Any) -> str:
    """Return a value as YAML on one line."""
    text = yaml.safe_dump(
        value, default_flow_style=True, allow_unicode=True, width=float("inf"), sort_keys=False
    )
    return text.removesuffix("...\n").strip()

"""Cleaning and splitting, which learn nothing, and the steps before a model, which do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectKBest, VarianceThreshold, f_classif
from sklearn.impute import SimpleImputer
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from ml_pipeline.ml.repeats import is_repeated
from ml_pipeline.ml.transformers import DateParts, QuantileClipper
from ml_pipeline.ml.validation import feature_names

if TYPE_CHECKING:
    from ml_pipeline.config import ProblemConfig

Steps = list[tuple[str, Any]]

MOST_CATEGORIES = 100  # of one column in one-hot encoding; the rarer ones share one
ENCODING_FOLDS = 5
SCALERS = {"standard": StandardScaler, "robust": RobustScaler, "minmax": MinMaxScaler}


def clean(frame: pd.DataFrame) -> pd.DataFrame:
    """Drop rows that repeat an earlier one: a twin on each side of the split would leak.

    Parameters
    ----------
    frame
        Validated rows, shape (n_rows, n_columns).

    Returns
    -------
    DataFrame of shape (n_kept, n_columns)
        The index keeps each row's place in the file (0 is the first).

    Examples
    --------
    >>> clean(pd.DataFrame({"size": [1, 1, 2]})).index.tolist()
    [0, 2]
    """
    return frame[~is_repeated(frame)]


def split(frame: pd.DataFrame, config: ProblemConfig) -> dict[str, pd.DataFrame]:
    """Split into `train` and `test`, stratified by the target, in the file's order.

    Parameters
    ----------
    frame
        Validated rows, shape (n_rows, n_columns).
    config
        Its `split` gives the hold-out's share and the seed.

    Returns
    -------
    dict of DataFrame
        `train` and `test`.

    Examples
    --------
    >>> parts = split(clean(frame), config)
    >>> len(parts["train"]), len(parts["test"])
    (455, 114)
    """
    train, test = train_test_split(
        frame,
        test_size=config.split.test_size,
        random_state=config.split.random_state,
        stratify=frame[config.target.column],
    )
    return {"train": train.sort_index(), "test": test.sort_index()}


def build_steps(config: ProblemConfig, frame: pd.DataFrame, *, scaled: bool, dense: bool) -> Steps:
    """Return what stands before the model in its Pipeline, unfitted.

    Parameters
    ----------
    config
        Its `preprocessing` says what is done.
    frame
        Validated rows; only the names and kinds of its features matter.
    scaled
        Whether the model wants features on one scale.
    dense
        Whether the model takes no sparse matrix.

    Returns
    -------
    list of (name, transformer)
        The first picks the features by name, so that other columns do no harm.
    """
    features = frame[feature_names(frame, config)]
    branches = [
        (name, Pipeline(steps) if steps else "passthrough", list(columns))
        for name, steps, columns in (
            ("numeric", _numeric(config, scaled), _measured(features)),
            ("boolean", _boolean(config, scaled), _binary(features)),
            ("categorical", _categorical(config, scaled, dense), _texts(features)),
            ("dates", _dates(config, scaled), features.select_dtypes("datetime").columns),
        )
        if len(columns)
    ]
    columns = ColumnTransformer(
        branches,
        sparse_threshold=0 if dense else 0.3,
        verbose_feature_names_out=False,
    )
    return [("columns", columns), *_selection(config)]


def _numeric(config: ProblemConfig, scaled: bool) -> Steps:
    wanted = config.preprocessing
    steps = _imputer(wanted.imputation.numeric)
    if wanted.clip_outliers:
        steps.append(("clip", QuantileClipper(wanted.clip_outliers)))
    if wanted.power_transform:
        steps.append(("power", PowerTransformer()))
    if wanted.polynomial_degree > 1:
        # Scaled before as well: powers of large numbers lose what tells them apart.
        steps += _scaler(config, scaled, "prescale")
        steps.append(
            ("polynomial", PolynomialFeatures(wanted.polynomial_degree, include_bias=False))
        )
    return steps + _scaler(config, scaled)


def _boolean(config: ProblemConfig, scaled: bool) -> Steps:
    strategy = config.preprocessing.imputation.numeric
    steps = _imputer("none" if strategy == "none" else "most_frequent")
    return steps + _scaler(config, scaled)


def _dates(config: ProblemConfig, scaled: bool) -> Steps:
    steps = [("parts", DateParts()), *_imputer(config.preprocessing.imputation.numeric)]
    return steps + _scaler(config, scaled)


def _categorical(config: ProblemConfig, scaled: bool, dense: bool) -> Steps:
    wanted, seed = config.preprocessing, config.split.random_state
    if wanted.imputation.categorical == "constant":
        imputer = SimpleImputer(strategy="constant", fill_value="missing")
    else:
        imputer = SimpleImputer(strategy="most_frequent")
    encoder: Any = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        max_categories=MOST_CATEGORIES,
        sparse_output=not dense,
    )
    if wanted.encoding == "ordinal":
        encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    if wanted.encoding == "target":
        encoder = TargetEncoder(cv=StratifiedKFold(ENCODING_FOLDS, shuffle=True, random_state=seed))
    steps: Steps = [("impute", imputer), ("encode", encoder)]
    return steps if wanted.encoding == "one_hot" else steps + _scaler(config, scaled)


def _imputer(strategy: str) -> Steps:
    if strategy == "none":
        return []
    return [("impute", SimpleImputer(strategy=strategy, keep_empty_features=True))]


def _scaler(config: ProblemConfig, scaled: bool, name: str = "scale") -> Steps:
    scaling = config.preprocessing.scaling
    return [(name, SCALERS[scaling]())] if scaled and scaling != "none" else []


def _selection(config: ProblemConfig) -> Steps:
    most = config.preprocessing.select_features
    if most is None:
        return []
    return [("varying", VarianceThreshold()), ("select", SelectKBest(f_classif, k=most))]


def _texts(features: pd.DataFrame) -> list[str]:
    return [
        str(name)
        for name in features.columns
        if not pd.api.types.is_numeric_dtype(features[name])
        and not pd.api.types.is_datetime64_any_dtype(features[name])
    ]


def _binary(features: pd.DataFrame) -> list[str]:
    """Name the numeric features that are 0 or 1: powers and quantiles say nothing of them."""
    numbers = features.select_dtypes("number")
    return [str(name) for name in numbers.columns if numbers[name].dropna().isin([0, 1]).all()]


def _measured(features: pd.DataFrame) -> list[str]:
    binary = set(_binary(features))
    numbers = features.select_dtypes(["number", "bool"]).columns
    return [str(name) for name in numbers if name not in binary]

"""The models on offer, and the fit of one scikit-learn Pipeline on the training rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from ml_pipeline.errors import ConfigError
from ml_pipeline.ml.validation import feature_names

if TYPE_CHECKING:
    import pandas as pd

    from ml_pipeline.config import ProblemConfig

CALIBRATION_FOLDS = 5


@dataclass(frozen=True)
class Recipe:
    """How a model of a given name is made."""

    estimator: Callable[..., BaseEstimator]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    is_scaled: bool = True
    is_calibrated: bool = False


# Fixed beforehand: nothing in a run tunes them.
RECIPES: Mapping[str, Recipe] = {
    "logistic_regression": Recipe(LogisticRegression, {"max_iter": 1000}),
    "svc": Recipe(SVC, {"C": 10, "gamma": 0.01}, is_calibrated=True),
    "random_forest": Recipe(RandomForestClassifier, {"n_estimators": 200}, is_scaled=False),
    "hist_gradient_boosting": Recipe(HistGradientBoostingClassifier, is_scaled=False),
    "k_nearest_neighbors": Recipe(KNeighborsClassifier, {"n_neighbors": 9}),
}


def build_pipeline(config: ProblemConfig) -> Pipeline:
    """Return the configured model, unfitted: everything that learns from data, in one Pipeline.

    The SVC's scores become probabilities by Platt's sigmoid on out-of-fold scores
    (`CalibratedClassifierCV(ensemble=False)`; `SVC(probability=True)` is deprecated).

    Raises
    ------
    ConfigError
        When the model has no parameter of a given name.
    """
    recipe = RECIPES[config.model.name]
    model: BaseEstimator = _estimator(recipe, config)
    if recipe.is_calibrated:
        model = CalibratedClassifierCV(model, ensemble=False, cv=CALIBRATION_FOLDS)
    steps: list[tuple[str, BaseEstimator]] = [("model", model)]
    return Pipeline([("scale", StandardScaler()), *steps] if recipe.is_scaled else steps)


def fit_pipeline(train: pd.DataFrame, config: ProblemConfig) -> Pipeline:
    """Fit the configured model on the training rows.

    One thread: sums in parallel depend on the number of cores in their last digit.

    Raises
    ------
    ConfigError
        When a parameter's value is not allowed.
    """
    pipeline = build_pipeline(config)
    with threadpool_limits(1):
        return _fit(pipeline, train[feature_names(train, config)], train, config)


def check_parameters(config: ProblemConfig) -> None:
    """Raise ConfigError when the model's parameters are not allowed, without any data.

    scikit-learn checks values only when it fits: so it fits a few made-up rows.
    """
    features = np.linspace(0, 1, 40).reshape(-1, 2)
    try:
        build_pipeline(config).fit(features, [0, 1] * 10)
    except (TypeError, ValueError) as error:
        raise _parameter_error(config, error) from error


def _estimator(recipe: Recipe, config: ProblemConfig) -> BaseEstimator:
    known = recipe.estimator().get_params()
    unknown = [name for name in config.model.parameters if name not in known]
    if unknown:
        raise ConfigError(
            f"{config.source}: model.parameters: Got {unknown[0]!r}. "
            f"For {config.model.name} must be one of {', '.join(sorted(known))}"
        )
    seed = {"random_state": config.split.random_state} if "random_state" in known else {}
    return recipe.estimator(**{**recipe.defaults, **config.model.parameters, **seed})


def _fit(
    pipeline: Pipeline, features: pd.DataFrame, train: pd.DataFrame, config: ProblemConfig
) -> Pipeline:
    try:
        fitted: Pipeline = pipeline.fit(features, train[config.target.column])
    except (TypeError, ValueError) as error:
        # The data passed validation, so what is left to be wrong are the parameters.
        raise _parameter_error(config, error) from error
    return fitted


def _parameter_error(config: ProblemConfig, error: Exception) -> ConfigError:
    reason = " ".join(str(error).split())
    return ConfigError(f"{config.source}: model.parameters of {config.model.name}: {reason}")

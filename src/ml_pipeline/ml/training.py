"""Building and fitting: everything that learns from data, in one scikit-learn Pipeline."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from ml_pipeline.config.selection import CALIBRATION_FOLDS, Candidate
from ml_pipeline.errors import ConfigError
from ml_pipeline.ml.candidates import build_estimator, gives_probabilities, recipe_of
from ml_pipeline.ml.evaluation import score_verdicts, verdicts
from ml_pipeline.ml.metrics import oriented
from ml_pipeline.ml.preprocessing import build_steps
from ml_pipeline.ml.threshold import AimedThresholdClassifier
from ml_pipeline.ml.validation import feature_names

if TYPE_CHECKING:
    from ml_pipeline.config import ProblemConfig

SEARCH_FOLDS = 3


def build_pipeline(candidate: Candidate, config: ProblemConfig, frame: pd.DataFrame) -> Pipeline:
    """Return a candidate's recipe, unfitted: everything that learns from data, in one Pipeline.

    Probabilities are calibrated where the configuration says so, and by Platt's sigmoid where the
    estimator has none (`SVC(probability=True)` is deprecated); the threshold comes last. Both wrap
    preprocessing too, so that nothing of a held-out part is seen.

    Parameters
    ----------
    candidate
        Which one.
    config
        The problem.
    frame
        Its columns decide on the preprocessing.

    Returns
    -------
    Pipeline
        From raw features to labels.

    Raises
    ------
    ConfigError
        When the estimator has no parameter of a given name.

    Examples
    --------
    >>> pipeline = build_pipeline(config.candidate("logistic_regression"), config, train)
    >>> pipeline.steps[-1][0]
    'model'
    """
    estimator = build_estimator(candidate, config)
    pipeline = Pipeline([*_steps(candidate, config, frame), ("model", estimator)])
    method = config.selection.calibration
    if method == "none" and not gives_probabilities(estimator):
        method = "sigmoid"
    if method != "none":
        pipeline = _wrap(
            CalibratedClassifierCV(pipeline, method=method, ensemble=False, cv=CALIBRATION_FOLDS)
        )
    aim = config.selection.threshold
    if aim is not None:
        pipeline = _wrap(
            AimedThresholdClassifier(
                pipeline,
                positive=str(config.target.positive),
                maximize=aim.maximize,
                at_least={str(name): floor for name, floor in aim.at_least.items()},
                random_state=config.split.random_state,
            )
        )
    return pipeline


def build_model(candidate: Candidate, config: ProblemConfig, frame: pd.DataFrame) -> BaseEstimator:
    """Return a candidate's Pipeline, inside a search of its grid where it has one."""
    pipeline = build_pipeline(candidate, config, frame)
    if not candidate.grid:
        return pipeline
    prefix = _path_to_estimator(pipeline)
    return GridSearchCV(
        pipeline,
        {f"{prefix}{name}": values for name, values in candidate.grid.items()},
        scoring=scorer(config),
        cv=StratifiedKFold(SEARCH_FOLDS, shuffle=True, random_state=config.split.random_state),
        error_score="raise",
    )


def fit_pipeline(train: pd.DataFrame, config: ProblemConfig, candidate: Candidate) -> Pipeline:
    """Fit a candidate on the training rows, or on as many of them as its cap allows.

    One thread: sums in parallel depend on the number of cores in their last digit.

    Parameters
    ----------
    train
        Validated rows, shape (n_rows, n_columns).
    config
        The problem.
    candidate
        Such as `config.candidate(name)`.

    Returns
    -------
    Pipeline
        Fitted; with the best values where the candidate has a grid.

    Raises
    ------
    ConfigError
        When a parameter's value is not allowed.

    Examples
    --------
    >>> model = fit_pipeline(train, config, config.candidate("logistic_regression"))
    >>> model.classes_.tolist()
    ['B', 'M']
    """
    model = build_model(candidate, config, train)
    rows = capped(train, candidate, config)
    with threadpool_limits(1):
        try:
            fitted = model.fit(rows[feature_names(rows, config)], rows[config.target.column])
        except (TypeError, ValueError) as error:
            # The data passed validation, so what is left to be wrong are the parameters.
            raise parameter_error(config, candidate, error) from error
    found: Pipeline = fitted.best_estimator_ if isinstance(fitted, GridSearchCV) else fitted
    return found


def capped(frame: pd.DataFrame, candidate: Candidate, config: ProblemConfig) -> pd.DataFrame:
    """Return the rows, or a stratified sample of them where the candidate's cap is lower."""
    cap = config.selection.row_caps.get(candidate.name)
    if cap is None or len(frame) <= cap:
        return frame
    labels, seed = frame[config.target.column], config.split.random_state
    kept: pd.DataFrame
    kept, _ = train_test_split(frame, train_size=cap, random_state=seed, stratify=labels)
    return kept.sort_index()


def threshold_of(model: Pipeline) -> float | None:
    """Return the threshold that a fitted model was given, None where nothing was aimed at."""
    threshold: float | None = getattr(model["model"], "threshold_", None)
    return threshold


def parameters_of(model: Pipeline, candidate: Candidate) -> dict[str, Any]:
    """Return the parameters that were given or found for a fitted model, by name."""
    known = model.get_params()
    prefix = _path_to_estimator(model)
    return {
        name: known[f"{prefix}{name}"]
        for name in sorted({**candidate.parameters, **candidate.grid})
    }


def check_parameters(config: ProblemConfig) -> None:
    """Raise ConfigError when a candidate's parameters are not allowed, without any data.

    scikit-learn checks values only when it fits: so it fits a few made-up rows.
    """
    features = pd.DataFrame(np.linspace(0, 1, 80).reshape(-1, 2), columns=["a", "b"])
    for candidate in config.candidates:
        for parameters in [{}, *_single_values(candidate)]:
            model = build_estimator(candidate, config).set_params(**parameters)
            try:
                model.fit(features, [0, 1] * 20)
            except (TypeError, ValueError) as error:
                raise parameter_error(config, candidate, error) from error


def parameter_error(config: ProblemConfig, candidate: Candidate, error: Exception) -> ConfigError:
    """Say in one line which candidate's parameters scikit-learn refuses, and why."""
    reason = " ".join(str(error).split())
    return ConfigError(f"{config.source}: parameters of {candidate.name}: {reason}")


def _single_values(candidate: Candidate) -> list[dict[str, Any]]:
    return [{name: value} for name, values in candidate.grid.items() for value in values]


def _steps(
    candidate: Candidate, config: ProblemConfig, frame: pd.DataFrame
) -> list[tuple[str, BaseEstimator]]:
    recipe = recipe_of(candidate)
    return build_steps(config, frame, scaled=recipe.is_scaled, dense=recipe.is_dense)


def _wrap(model: BaseEstimator) -> Pipeline:
    return Pipeline([("model", model)])


def _path_to_estimator(pipeline: Pipeline) -> str:
    """Return the prefix of the innermost estimator's parameters, as `set_params` takes them."""
    prefix, model = "model__", pipeline["model"]
    while isinstance(model, AimedThresholdClassifier | CalibratedClassifierCV):
        prefix, model = f"{prefix}estimator__model__", model.estimator["model"]
    return prefix


def scorer(config: ProblemConfig) -> Callable[[BaseEstimator, pd.DataFrame, pd.Series], float]:
    """Return what a grid search maximizes: the selection's metric, as the folds compute it.

    scikit-learn calls it with a fitted model, features and labels; more is better.
    """
    metric = config.selection.metric

    def value(model: BaseEstimator, features: pd.DataFrame, labels: pd.Series) -> float:
        table = verdicts(model, features.assign(**{config.target.column: labels}), config)
        return oriented(metric, float(score_verdicts(table, config.target.positive)[metric][0]))

    return value

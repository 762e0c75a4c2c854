"""Trying each candidate on shared folds, and choosing one: the protocol of docs/model.md."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import RepeatedStratifiedKFold
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from ml_pipeline.config.selection import Candidate
from ml_pipeline.ml.candidates import recipe_of, simplicity
from ml_pipeline.ml.evaluation import classes_of, score_verdicts, verdicts
from ml_pipeline.ml.intervals import corrected_error, corrected_t
from ml_pipeline.ml.metrics import METRICS, bounds, oriented
from ml_pipeline.ml.training import build_model, capped, parameter_error
from ml_pipeline.ml.validation import feature_names

if TYPE_CHECKING:
    from ml_pipeline.config import ProblemConfig

Positions = NDArray[np.intp]


@dataclass(frozen=True)
class Folds:
    """What came of a model on the folds.

    Parameters
    ----------
    scores
        Metric to its value in each fold, `repeats * folds` of them, repeat by repeat.
    out_of_fold
        Each row's score in each repeat, by a model that has not seen it: `repeat`, `fold`, `row`
        (the frame's index), `y_true`, `score`; with more than two classes `score_<label>` each.
    """

    scores: dict[str, list[float]]
    out_of_fold: pd.DataFrame


def cross_validate(
    model: BaseEstimator,
    frame: pd.DataFrame,
    config: ProblemConfig,
    candidate: Candidate | None = None,
) -> Folds:
    """Fit clones of a model on the problem's folds and judge each on the rows left out.

    The folds depend on the rows' labels, `split.random_state` and the protocol only, so all models
    that are tried on the same rows share them.

    Parameters
    ----------
    model
        Unfitted, or to be fitted anew.
    frame
        Rows, shape (n_rows, n_columns).
    config
        The problem.
    candidate
        Whose row cap counts, for the training part of a fold and for its test part.

    Returns
    -------
    Folds
        Scores and out-of-fold predictions.

    Examples
    --------
    >>> recipe = build_pipeline(config.candidate("logistic_regression"), config, train)
    >>> folds = cross_validate(recipe, train, config)
    >>> len(folds.scores["roc_auc"]), len(folds.out_of_fold)
    (3, 455)
    """
    plan = config.selection.plan
    scores: dict[str, list[float]] = {metric: [] for metric in METRICS}
    tables = []
    for number, (train, test) in enumerate(folds(frame, config, plan.folds, plan.repeats)):
        table = _judged(model, frame.iloc[train], frame.iloc[test], config, candidate)
        for metric, value in score_verdicts(table, config.target.positive).items():
            scores[metric].append(float(value[0]))
        tables.append(_out_of_fold(table, *divmod(number, plan.folds)))
    return Folds(scores, pd.concat(tables, ignore_index=True))


def folds(
    frame: pd.DataFrame, config: ProblemConfig, n_folds: int, n_repeats: int
) -> list[tuple[Positions, Positions]]:
    """Return the positions of the training and the test rows of every fold, repeat by repeat."""
    splitter = RepeatedStratifiedKFold(
        n_splits=n_folds, n_repeats=n_repeats, random_state=config.split.random_state
    )
    return list(splitter.split(np.zeros(len(frame)), frame[config.target.column]))


def try_candidate(frame: pd.DataFrame, config: ProblemConfig, name: str) -> dict[str, Any]:
    """Cross-validate a candidate, and again inside the outer folds of the nested estimate.

    Parameters
    ----------
    frame
        Validated rows to learn from, shape (n_rows, n_columns).
    config
        The problem.
    name
        The candidate's.

    Returns
    -------
    dict
        `name`, `estimator`, `parameters`, `scores`, `out_of_fold` (see `Folds`), `inner` (the
        selection metric in each inner fold, a list for each outer fold), `rows` (that a fit uses
        at most), `available_rows`, `seconds` (of CPU).

    Examples
    --------
    >>> outcome = try_candidate(train, config, "logistic_regression")
    >>> outcome["estimator"], outcome["rows"]
    ('sklearn.linear_model.LogisticRegression', 455)
    """
    candidate, started_at = config.candidate(name), time.process_time()
    model = build_model(candidate, config, frame)
    with threadpool_limits(1):
        try:
            folded = cross_validate(model, frame, config, candidate)
            inner = _inner_scores(model, frame, config, candidate)
        except (TypeError, ValueError) as error:
            raise parameter_error(config, candidate, error) from error
    recipe = recipe_of(candidate)
    return {
        "name": name,
        "estimator": recipe.path,
        "parameters": {**recipe.defaults, **candidate.parameters},
        "scores": folded.scores,
        "out_of_fold": folded.out_of_fold,
        "inner": inner,
        "available_rows": len(frame),
        "rows": len(capped(frame, candidate, config)),
        "seconds": time.process_time() - started_at,
    }


def choose(outcomes: Iterable[dict[str, Any]], config: ProblemConfig) -> dict[str, Any]:
    """Choose a candidate by its mean and the one-standard-error rule.

    Parameters
    ----------
    outcomes
        What `try_candidate` returned, in any order.
    config
        The problem.

    Returns
    -------
    dict
        `chosen` (name), `candidates` (a list, see docs/model.md), `cross_validation` (the chosen
        one's figures), `nested` (the whole procedure's, {} without such an estimate) and
        `out_of_fold` (the chosen one's).

    Examples
    --------
    >>> outcomes = [try_candidate(train, config, one.name) for one in config.candidates]
    >>> choice = choose(outcomes, config)
    >>> [one["name"] for one in choice["candidates"] if one["chosen"]] == [choice["chosen"]]
    True
    """
    tried = {one["name"]: one for one in outcomes}
    tried = {one.name: tried[one.name] for one in config.candidates}
    metric, plan = config.selection.metric, config.selection.plan
    n_rows = next(iter(tried.values()))["available_rows"]
    scores = {name: one["scores"][metric] for name, one in tried.items()}
    verdict = _by_one_standard_error(scores, n_rows, plan.folds, config)
    chosen = verdict.name
    figures = summarize(tried[chosen]["scores"], n_rows, config)
    return {
        "chosen": chosen,
        "candidates": [_described(one, verdict, n_rows, config) for one in tried.values()],
        "cross_validation": figures | {"folds": plan.folds, "repeats": plan.repeats},
        "nested": _nested(tried, n_rows, config),
        "out_of_fold": tried[chosen]["out_of_fold"],
    }


def summarize(scores: dict[str, list[float]], n_rows: int, config: ProblemConfig) -> dict[str, Any]:
    """Return each metric's `mean`, `sd`, and 95 % interval (`low`, `high`) over the folds."""
    return {metric: _figures(metric, scores[metric], n_rows, config) for metric in METRICS}


@dataclass(frozen=True)
class _Verdict:
    """Who was chosen, who is best, and how far below the best one is as good."""

    name: str
    best: str
    error: float
    within: frozenset[str]


def _by_one_standard_error(
    scores: dict[str, list[float]], n_rows: int, n_folds: int, config: ProblemConfig
) -> _Verdict:
    """Take the simplest whose mean lies within a standard error of the best (Breiman 1984)."""
    metric = config.selection.metric
    means = {name: oriented(metric, float(np.mean(each))) for name, each in scores.items()}
    best = max(means, key=lambda name: means[name])
    n_test = n_rows // n_folds
    error = corrected_error(np.array(scores[best]), n_rows - n_test, n_test)
    within = [name for name in means if means[name] >= means[best] - error]
    simplest = min(within, key=lambda name: simplicity(config.candidate(name)))
    return _Verdict(simplest, best, error, frozenset(within))


def _described(
    one: dict[str, Any], verdict: _Verdict, n_rows: int, config: ProblemConfig
) -> dict[str, Any]:
    metric = config.selection.metric
    facts = ("name", "estimator", "parameters", "scores", "rows", "seconds")
    return {
        **{key: one[key] for key in facts},
        **_figures(metric, one["scores"][metric], n_rows, config),
        "chosen": one["name"] == verdict.name,
        "reason": _reason(one["name"], verdict),
    }


def _reason(name: str, verdict: _Verdict) -> str:
    error = f"one standard error ({verdict.error:.4f})"
    if name == verdict.name == verdict.best:
        return "The best mean, and none that is simpler comes within " + error
    if name == verdict.name:
        return f"The simplest within {error} of the best mean, that of {verdict.best}"
    if name in verdict.within:
        return f"Within {error} of the best mean, but not the simplest"
    return f"More than {error} below the best mean, that of {verdict.best}"


def _figures(
    metric: str, scores: Sequence[float], n_rows: int, config: ProblemConfig
) -> dict[str, float]:
    values, n_test = np.array(scores), n_rows // config.selection.plan.folds
    limits = bounds(metric, config.target.positive is None)
    low, high = corrected_t(values, n_rows - n_test, n_test, limits)
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    return {"mean": mean, "sd": sd, "low": low, "high": high}


def _nested(tried: dict[str, dict[str, Any]], n_rows: int, config: ProblemConfig) -> dict[str, Any]:
    """Return how the procedure does as a whole: choose inside each outer fold, judge outside.

    The outer folds are those of the first repeats, so their outer scores are there already.
    """
    plan = config.selection.plan
    outer = plan.folds * plan.outer_repeats
    if not outer:
        return {}
    scores: dict[str, list[float]] = {metric: [] for metric in METRICS}
    times = dict.fromkeys(tried, 0)
    n_inner = n_rows - n_rows // plan.folds
    for fold in range(outer):
        chosen = next(iter(tried))
        if len(tried) > 1:
            inner = {name: one["inner"][fold] for name, one in tried.items()}
            chosen = _by_one_standard_error(inner, n_inner, plan.inner_folds, config).name
        times[chosen] += 1
        for metric in METRICS:
            scores[metric].append(tried[chosen]["scores"][metric][fold])
    figures = summarize(scores, n_rows, config)
    return figures | {"folds": plan.folds, "repeats": plan.outer_repeats, "chosen": times}


def _inner_scores(
    model: BaseEstimator, frame: pd.DataFrame, config: ProblemConfig, candidate: Candidate
) -> list[list[float]]:
    """Return the selection metric in the inner folds of each outer fold's training part."""
    plan, metric = config.selection.plan, config.selection.metric
    if len(config.candidates) == 1 or not plan.inner_folds:
        return []
    outer = folds(frame, config, plan.folds, plan.outer_repeats)
    found = []
    for part in (frame.iloc[train] for train, _ in outer):
        tables = [
            _judged(model, part.iloc[train], part.iloc[test], config, candidate)
            for train, test in folds(part, config, plan.inner_folds, 1)
        ]
        values = [score_verdicts(table, config.target.positive)[metric][0] for table in tables]
        found.append([float(value) for value in values])
    return found


def _judged(
    model: BaseEstimator,
    train: pd.DataFrame,
    test: pd.DataFrame,
    config: ProblemConfig,
    candidate: Candidate | None,
) -> pd.DataFrame:
    if candidate is not None:
        train, test = capped(train, candidate, config), capped(test, candidate, config)
    names = feature_names(train, config)
    with threadpool_limits(1):
        fitted = clone(model).fit(train[names], train[config.target.column])
    return verdicts(fitted, test, config)


def _out_of_fold(table: pd.DataFrame, repeat: int, fold: int) -> pd.DataFrame:
    scores = [f"score_{label}" for label in classes_of(table)] or ["score"]
    places = {"repeat": repeat, "fold": fold, "row": table.index.to_numpy()}
    return pd.DataFrame(places, index=table.index).join(table[["y_true", *scores]])

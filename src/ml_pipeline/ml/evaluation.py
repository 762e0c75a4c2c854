"""How good a model is: its verdicts on rows, and every metric of them with an interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from ml_pipeline.ml.intervals import bootstrap, wilson
from ml_pipeline.ml.metrics import METRICS, Bools, Floats, score, score_classes
from ml_pipeline.ml.validation import feature_names

if TYPE_CHECKING:
    from ml_pipeline.config import ProblemConfig

Figures = dict[str, dict[str, float]]
FEWEST_IN_GROUP = 10


def verdicts(model: BaseEstimator, frame: pd.DataFrame, config: ProblemConfig) -> pd.DataFrame:
    """Return the model's verdict on each row, with the frame's index.

    Returns
    -------
    DataFrame of shape (n_rows, 3) or (n_rows, 3 + n_classes)
        `y_true`, `y_pred` (labels), `score`: the probability of the positive class. With more than
        two classes `score` is that of the predicted class, and `score_<label>` each class's.
    """
    features = frame[feature_names(frame, config)]
    with threadpool_limits(1):
        probability = model.predict_proba(features)
        labels = model.predict(features)
    table = pd.DataFrame(
        {"y_true": frame[config.target.column].to_numpy(), "y_pred": labels}, index=frame.index
    )
    classes = [str(label) for label in model.classes_]
    if len(classes) == 2:
        return table.assign(score=probability[:, classes.index(str(config.target.positive))])
    each = {f"score_{label}": probability[:, k] for k, label in enumerate(classes)}
    return table.assign(score=probability.max(axis=1), **each)


def predict(model: Pipeline, frame: pd.DataFrame, config: ProblemConfig) -> pd.DataFrame:
    """Return `verdicts` with, in front, `row_id`.

    Parameters
    ----------
    model
        Fitted, as `fit_pipeline` returns it.
    frame
        Validated rows, shape (n_rows, n_columns).
    config
        The problem.

    Returns
    -------
    DataFrame of shape (n_rows, 4) or (n_rows, 4 + n_classes)
        `row_id` is the id columns' text joined by '/', else the row's place in the file.

    Examples
    --------
    >>> predictions = predict(model, test, config)
    >>> predictions.columns.tolist()
    ['row_id', 'y_true', 'y_pred', 'score']
    """
    table = verdicts(model, frame, config).reset_index(drop=True)
    table.insert(0, "row_id", row_ids(frame, config))
    return table


def score_verdicts(
    table: pd.DataFrame, positive: str | None, weights: Floats | None = None
) -> dict[str, Floats]:
    """Compute every metric of `verdicts`; see `metrics.score` and `metrics.score_classes`.

    Parameters
    ----------
    table
        As `verdicts` returns it.
    positive
        The positive label of two; unused with more classes.
    weights : shape (n_weightings, n_rows), optional
    """
    classes = classes_of(table)
    if not classes:
        hits = [_equal(table[name], positive) for name in ("y_true", "y_pred")]
        return score(hits[0], hits[1], table["score"].to_numpy(dtype=float), weights)
    places = [_places(table[name], classes) for name in ("y_true", "y_pred")]
    probability = table[[f"score_{label}" for label in classes]].to_numpy(dtype=float)
    return score_classes(places[0], places[1], probability, weights)


def classes_of(table: pd.DataFrame) -> list[str]:
    """Return the labels that have a score of their own; none in a two-class problem."""
    names = [str(name) for name in table.columns]
    return [name.removeprefix("score_") for name in names if name.startswith("score_")]


def holdout(predictions: pd.DataFrame, config: ProblemConfig) -> Figures:
    """Return each metric on the hold-out with its 95 % interval.

    Proportions (accuracy; with two classes precision, recall, specificity) get Wilson's interval,
    the others a stratified percentile bootstrap, seeded by the configuration.

    Parameters
    ----------
    predictions
        As `predict` returns it.
    config
        The problem.

    Returns
    -------
    dict of metric to `value`, `low`, `high`

    Examples
    --------
    >>> found = holdout(predictions, config)["accuracy"]
    >>> found["low"] < found["value"] < found["high"]
    True
    """
    positive = config.target.positive
    values = score_verdicts(predictions, positive)
    intervals = bootstrap(
        predictions["y_true"].to_numpy(),
        lambda weights: score_verdicts(predictions, positive, weights),
        config.split.random_state,
    )
    intervals |= _proportions(predictions, positive)
    return {
        metric: {
            "value": float(values[metric][0]),
            "low": intervals[metric][0],
            "high": intervals[metric][1],
        }
        for metric in METRICS
    }


def confusion_matrix(predictions: pd.DataFrame) -> dict[str, Any]:
    """Return `labels` and `counts`: a row per true label, a column per predicted one."""
    labels = sorted({*predictions["y_true"].astype(str), *predictions["y_pred"].astype(str)})
    true, guess = (
        pd.Categorical(predictions[name].astype(str), labels) for name in ("y_true", "y_pred")
    )
    counts = pd.crosstab(true, guess, dropna=False).to_numpy()
    return {"labels": labels, "counts": counts.tolist()}


def by_group(
    predictions: pd.DataFrame, groups: pd.Series, config: ProblemConfig
) -> dict[str, Figures]:
    """Return `holdout` for each group of rows; a group with too few rows or one class is left out.

    Parameters
    ----------
    predictions
        As `predict` returns it.
    groups : shape (n_rows,)
        Each row's group, in the same order.
    """
    figures = {}
    labels = set(predictions["y_true"])
    for name, part in predictions.groupby(groups.astype(str).to_numpy()):
        if len(part) >= FEWEST_IN_GROUP and set(part["y_true"]) == labels:
            figures[str(name)] = holdout(part, config)
    return figures


def _proportions(predictions: pd.DataFrame, positive: str | None) -> dict[str, tuple[float, float]]:
    def proportion(hits: Bools, among: Bools) -> tuple[float, float]:
        return wilson(int((hits & among).sum()), int(among.sum()))

    hit = (predictions["y_true"] == predictions["y_pred"]).to_numpy(dtype=bool)
    found = {"accuracy": proportion(hit, np.ones_like(hit))}
    if classes_of(predictions):
        return found
    y_true, y_pred = (_equal(predictions[name], positive) for name in ("y_true", "y_pred"))
    return found | {
        "precision": proportion(y_true, y_pred),
        "recall": proportion(y_pred, y_true),
        "specificity": proportion(~y_pred, ~y_true),
    }


def _equal(column: pd.Series, label: str | None) -> Bools:
    return (column == label).to_numpy(dtype=bool)


def _places(column: pd.Series, labels: list[str]) -> NDArray[np.intp]:
    return np.array(pd.Index(labels).get_indexer(pd.Index(column.astype(str))), dtype=np.intp)


def unseen_verdicts(out_of_fold: pd.DataFrame) -> pd.Series:
    """Return what a model said of rows it had not seen: probabilities, or the likeliest labels."""
    labels = classes_of(out_of_fold)
    if not labels:
        return out_of_fold["score"]
    scores = out_of_fold[[f"score_{label}" for label in labels]].to_numpy()
    return pd.Series(np.array(labels, dtype=object)[scores.argmax(axis=1)])


def row_ids(frame: pd.DataFrame, config: ProblemConfig) -> list[str]:
    """Return what names each row: its ids joined by '/', else its place in the file."""
    if not config.data.ids:
        return [str(place) for place in frame.index]
    return ["/".join(map(str, row)) for row in frame[config.data.ids].itertuples(index=False)]

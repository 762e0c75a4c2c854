"""A classifier whose threshold is chosen for a stated aim, on scores of rows it did not see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.model_selection import (
    FixedThresholdClassifier,
    StratifiedKFold,
    cross_val_predict,
)

from ml_pipeline.config.selection import THRESHOLD_FOLDS
from ml_pipeline.ml.metrics import Bools, Floats, decision_curve


class AimedThresholdClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """Chooses a threshold, and predicts the positive class from it on.

    scikit-learn's `TunedThresholdClassifierCV` maximizes the mean of one score over folds, which
    cannot hold a second metric to a floor: a few negatives per fold decide each of its terms. Here
    the out-of-fold scores of all folds are judged together, once.

    Parameters
    ----------
    estimator
        With `predict_proba`.
    positive
        The positive label.
    maximize
        A metric's name.
    at_least
        Floors that other metrics must reach; where no threshold reaches them all, the one that
        misses them least is taken.
    random_state
        Seed of the folds.

    Attributes
    ----------
    classifier_
        The fitted `FixedThresholdClassifier`.
    threshold_
        Of the positive class's probability.
    """

    def __init__(
        self,
        estimator: BaseEstimator,
        positive: str,
        maximize: str,
        at_least: Mapping[str, float] | None = None,
        random_state: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.positive = positive
        self.maximize = maximize
        self.at_least = at_least
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Choose the threshold on out-of-fold scores, then fit the estimator on all rows."""
        self.classes_ = np.unique(y)
        folds = StratifiedKFold(THRESHOLD_FOLDS, shuffle=True, random_state=self.random_state)
        scores = cross_val_predict(clone(self.estimator), X, y, cv=folds, method="predict_proba")[
            :, list(self.classes_).index(self.positive)
        ]
        is_positive = np.asarray(y == self.positive, dtype=bool)
        self.threshold_ = aimed_threshold(is_positive, scores, self.maximize, self.at_least or {})
        self.classifier_ = FixedThresholdClassifier(
            clone(self.estimator),
            threshold=self.threshold_,
            pos_label=self.positive,
            response_method="predict_proba",
        ).fit(X, y)
        return self

    def predict(self, X: Any) -> Any:
        """Return each row's label."""
        return self.classifier_.predict(X)

    def predict_proba(self, X: Any) -> Any:
        """Return each class's probability, which the threshold leaves as it is."""
        return self.classifier_.predict_proba(X)


def aimed_threshold(
    y_true: Bools, y_score: Floats, maximize: str, at_least: Mapping[str, float]
) -> float:
    """Return the threshold that maximizes one metric while others reach their floors.

    Thresholds lie half-way between neighbouring scores; of equally good ones the middle is taken.

    Parameters
    ----------
    y_true, y_score : shape (n_rows,)
        Whether a row is positive, and its probability of being so.
    maximize, at_least
        See `AimedThresholdClassifier`.
    """
    thresholds, values = decision_curve(y_true, y_score)
    missing = sum(
        (np.maximum(0, floor - values[metric]) for metric, floor in at_least.items()),
        start=np.zeros(len(thresholds)),
    )
    is_allowed = np.isclose(missing, missing.min(), rtol=0, atol=1e-12)
    value = np.where(is_allowed, values[maximize], -np.inf)
    best = np.flatnonzero(np.isclose(value, value.max(), rtol=0, atol=1e-12))
    return float(thresholds[best[len(best) // 2]])

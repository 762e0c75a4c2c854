"""The metrics of a binary classification, for many weightings of the same rows at once.

scikit-learn computes one weighting at a time, some milliseconds each; the bootstrap needs
thousands. Each value equals scikit-learn's with `sample_weight`, which the tests check.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

METRICS = (
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "specificity",
    "f1",
    "matthews_corrcoef",
    "roc_auc",
    "average_precision",
    "brier_score",
)


def score(
    y_true: Bools, y_pred: Bools, y_score: Floats, weights: Floats | None = None
) -> dict[str, Floats]:
    """Compute every metric under each weighting.

    Parameters
    ----------
    y_true, y_pred : shape (n_rows,)
        True for the positive class. Both classes must occur in `y_true` with positive weight.
    y_score : shape (n_rows,)
        Probability of the positive class.
    weights : shape (n_weightings, n_rows), optional
        How often each row counts; by default once.

    Returns
    -------
    dict of metric to array of shape (n_weightings,)
        A quotient without a denominator (precision without predicted positives) is 0.
    """
    if weights is None:
        weights = np.ones((1, len(y_true)))
    return _by_decision(y_true, y_pred, weights) | _by_score(y_true, y_score, weights)


def _by_decision(y_true: Bools, y_pred: Bools, weights: Floats) -> dict[str, Floats]:
    tp = weights @ (y_true & y_pred)
    fp = weights @ (~y_true & y_pred)
    fn = weights @ (y_true & ~y_pred)
    tn = weights @ (~y_true & ~y_pred)
    recall, specificity = _ratio(tp, tp + fn), _ratio(tn, tn + fp)
    margins = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return {
        "accuracy": _ratio(tp + tn, tp + tn + fp + fn),
        "balanced_accuracy": (recall + specificity) / 2,
        "precision": _ratio(tp, tp + fp),
        "recall": recall,
        "specificity": specificity,
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
        "matthews_corrcoef": _ratio(tp * tn - fp * fn, margins),
    }


def _by_score(y_true: Bools, y_score: Floats, weights: Floats) -> dict[str, Floats]:
    order = np.argsort(-y_score, kind="stable")
    is_last_of_tie = np.append(np.diff(y_score[order]) != 0, True)
    ranked = weights[:, order]
    # Counts of positives and negatives at or above each distinct threshold, highest first.
    tps = np.cumsum(ranked * y_true[order], axis=1)[:, is_last_of_tie]
    fps = np.cumsum(ranked * ~y_true[order], axis=1)[:, is_last_of_tie]
    gained = np.diff(tps, axis=1, prepend=0)
    precision = _ratio(tps, tps + fps)
    # A positive outranks the negatives below its threshold and half of those tied with it.
    below = fps[:, -1:] - (fps + np.roll(_from_zero(fps), 1, axis=1)) / 2
    squared_error = weights @ np.square(y_score - y_true)
    return {
        "roc_auc": _ratio((gained * below).sum(axis=1), tps[:, -1] * fps[:, -1]),
        "average_precision": _ratio((gained * precision).sum(axis=1), tps[:, -1]),
        "brier_score": _ratio(squared_error, weights.sum(axis=1)),
    }


def _from_zero(cumulated: Floats) -> Floats:
    """Set the last column to 0, so that rolled by one it starts the sum from nothing."""
    rolled = cumulated.copy()
    rolled[:, -1] = 0
    return rolled


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    quotient = np.zeros_like(numerator, dtype=float)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient

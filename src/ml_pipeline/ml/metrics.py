"""The metrics of a classification, for many weightings of the same rows at once.

scikit-learn computes one weighting at a time, some milliseconds each; the bootstrap needs
thousands. Each value equals scikit-learn's with `sample_weight`, which the tests check.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.config import selection

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

METRICS = (
    *selection.METRICS,
    "expected_calibration_error",
    "recall_at_specificity_95",
    "recall_at_specificity_98",
)
LOWER_IS_BETTER = ("brier_score", "expected_calibration_error")
CALIBRATION_BINS = 10
TOLERANCE = 1e-9


def score(
    y_true: Bools, y_pred: Bools, y_score: Floats, weights: Floats | None = None
) -> dict[str, Floats]:
    """Compute every metric of a two-class problem under each weighting.

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


def score_classes(
    y_true: NDArray[np.intp],
    y_pred: NDArray[np.intp],
    probability: Floats,
    weights: Floats | None = None,
) -> dict[str, Floats]:
    """Compute every metric of a problem with more than two classes under each weighting.

    What is defined for two classes is the unweighted mean over the classes, each against the rest
    ("macro"). Accuracy, Matthews' coefficient (Gorodkin 2004), the Brier score (the sum of squares
    over the classes) and the calibration error (of the likeliest class, Guo et al. 2017) are those
    of all classes together.

    Parameters
    ----------
    y_true, y_pred : shape (n_rows,)
        Column of `probability` that the row belongs to, and that is predicted.
    probability : shape (n_rows, n_classes)
    weights : shape (n_weightings, n_rows), optional
    """
    if weights is None:
        weights = np.ones((1, len(y_true)))
    columns = range(probability.shape[1])
    each = [score(y_true == k, y_pred == k, probability[:, k], weights) for k in columns]
    macro = {name: np.mean([one[name] for one in each], axis=0) for name in METRICS}
    actual = y_true[:, None] == np.arange(len(columns))
    total, hit = weights.sum(axis=1), y_true == y_pred
    return macro | {
        "accuracy": _ratio(weights @ hit, total),
        "balanced_accuracy": macro["recall"],
        "matthews_corrcoef": _matthews(y_true, y_pred, len(columns), weights),
        "brier_score": _ratio(weights @ np.square(probability - actual).sum(axis=1), total),
        "expected_calibration_error": _calibration_error(hit, probability.max(axis=1), weights),
    }


def decision_curve(y_true: Bools, y_score: Floats) -> tuple[Floats, dict[str, Floats]]:
    """Return the metrics of a decision at every threshold that tells scores apart.

    Returns
    -------
    thresholds : shape (n_thresholds,)
        Falling; half-way between neighbouring scores, and one beyond each end.
    values
        Metric to array of the same shape.
    """
    tps, fps, scores = _ranked_counts(y_true, y_score, np.ones((1, len(y_true))))
    tp, fp = np.append(0, tps[0]), np.append(0, fps[0])
    between = (scores[1:] + scores[:-1]) / 2
    ends = np.nextafter(scores[0], np.inf), scores[-1]
    thresholds = np.concatenate([[ends[0]], between, [ends[1]]])
    return thresholds, _by_counts(tp, fp, tp[-1] - tp, fp[-1] - fp)


def oriented(metric: str, value: float) -> float:
    """Return the value turned so that more is better."""
    return -value if metric in LOWER_IS_BETTER else value


def bounds(metric: str, is_multiclass: bool) -> tuple[float, float]:
    """Return the least and the greatest value that a metric can have."""
    if metric == "matthews_corrcoef":
        return -1.0, 1.0
    return 0.0, (2.0 if metric == "brier_score" and is_multiclass else 1.0)


def _by_decision(y_true: Bools, y_pred: Bools, weights: Floats) -> dict[str, Floats]:
    return _by_counts(
        tp=weights @ (y_true & y_pred),
        fp=weights @ (~y_true & y_pred),
        fn=weights @ (y_true & ~y_pred),
        tn=weights @ (~y_true & ~y_pred),
    )


def _by_counts(tp: Floats, fp: Floats, fn: Floats, tn: Floats) -> dict[str, Floats]:
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
    tps, fps, _ = _ranked_counts(y_true, y_score, weights)
    gained = np.diff(tps, axis=1, prepend=0)
    precision = _ratio(tps, tps + fps)
    # A positive outranks the negatives below its threshold and half of those tied with it.
    below = fps[:, -1:] - (fps + np.roll(_from_zero(fps), 1, axis=1)) / 2
    squared_error = weights @ np.square(y_score - y_true)
    return {
        "roc_auc": _ratio((gained * below).sum(axis=1), tps[:, -1] * fps[:, -1]),
        "average_precision": _ratio((gained * precision).sum(axis=1), tps[:, -1]),
        "brier_score": _ratio(squared_error, weights.sum(axis=1)),
        "expected_calibration_error": _calibration_error(y_true, y_score, weights),
        "recall_at_specificity_95": _recall_at(tps, fps, 0.95),
        "recall_at_specificity_98": _recall_at(tps, fps, 0.98),
    }


def _ranked_counts(
    y_true: Bools, y_score: Floats, weights: Floats
) -> tuple[Floats, Floats, Floats]:
    """Positives and negatives at or above each distinct score, the highest first."""
    order = np.argsort(-y_score, kind="stable")
    is_last_of_tie = np.append(np.diff(y_score[order]) != 0, True)
    ranked = weights[:, order]
    tps = np.cumsum(ranked * y_true[order], axis=1)[:, is_last_of_tie]
    fps = np.cumsum(ranked * ~y_true[order], axis=1)[:, is_last_of_tie]
    return tps, fps, y_score[order][is_last_of_tie]


def _recall_at(tps: Floats, fps: Floats, specificity: float) -> Floats:
    """Return the recall of the lowest threshold that keeps the specificity."""
    allowed = fps <= (1 - specificity) * fps[:, -1:] + TOLERANCE
    return _ratio(np.where(allowed, tps, 0).max(axis=1), tps[:, -1])


def _calibration_error(y_true: Bools, y_score: Floats, weights: Floats) -> Floats:
    """Return the expected calibration error over bins of equal width (Naeini et al. 2015)."""
    bins = np.minimum((y_score * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gap = y_score - y_true
    off = [np.abs(weights[:, bins == one] @ gap[bins == one]) for one in range(CALIBRATION_BINS)]
    return _ratio(np.sum(off, axis=0), weights.sum(axis=1))


def _matthews(
    y_true: NDArray[np.intp], y_pred: NDArray[np.intp], n_classes: int, weights: Floats
) -> Floats:
    """Return Matthews' coefficient for several classes (Gorodkin 2004)."""
    columns = np.arange(n_classes)
    actual = weights @ (y_true[:, None] == columns).astype(float)
    predicted = weights @ (y_pred[:, None] == columns).astype(float)
    total, hits = weights.sum(axis=1), weights @ (y_true == y_pred)
    covariance = hits * total - (actual * predicted).sum(axis=1)
    spread = np.square(total) - np.square(predicted).sum(axis=1)
    return _ratio(covariance, np.sqrt(spread * (np.square(total) - np.square(actual).sum(axis=1))))


def _from_zero(cumulated: Floats) -> Floats:
    """Set the last column to 0, so that rolled by one it starts the sum from nothing."""
    rolled = cumulated.copy()
    rolled[:, -1] = 0
    return rolled


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    quotient = np.zeros_like(numerator, dtype=float)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient

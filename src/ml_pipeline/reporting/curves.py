"""The figures behind the pictures: a curve in each fold, and what holds most of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve, roc_curve

from ml_pipeline.ml.intervals import wilson
from ml_pipeline.ml.metrics import Bools, Floats

GRID: Floats = np.linspace(0, 1, 201)
TAIL = 0.05
BINS = 10
TOLERANCE = 1e-9


class Scored(NamedTuple):
    """Rows as seen from one class: whether each is of it, and the model's probability of that."""

    y_true: Bools
    score: Floats


class Band(NamedTuple):
    """Curves over `GRID`: their mean, and the two between which nine in ten of them lie.

    A place where no curve is defined is NaN.
    """

    mean: Floats
    low: Floats
    high: Floats


Curve = Callable[[Scored], Floats]


def scored(table: pd.DataFrame, label: str) -> Scored:
    """Return the rows of `predictions` or `out_of_fold` as seen from one class.

    With two classes `score` is the positive one's; with more each has its own column.
    """
    column = f"score_{label}" if f"score_{label}" in table else "score"
    y_true = (table["y_true"].astype(str) == label).to_numpy(dtype=bool)
    return Scored(y_true, table[column].to_numpy(dtype=float))


def folds_of(out_of_fold: pd.DataFrame, label: str) -> list[Scored]:
    """Return each fold of each repeat; one that lacks the class or the rest is left out."""
    parts = (part for _, part in out_of_fold.groupby(["repeat", "fold"], sort=True))
    return [one for one in (scored(part, label) for part in parts) if has_both(one)]


def has_both(rows: Scored) -> bool:
    """Tell whether some rows are of the class and some are not."""
    return bool(rows.y_true.any() and not rows.y_true.all())


def roc(rows: Scored) -> Floats:
    """Return the true positive rate over a `GRID` of false positive rates."""
    false_positives, true_positives, _ = roc_curve(rows.y_true, rows.score)
    return np.asarray(np.interp(GRID, false_positives, true_positives), dtype=float)


def precision_recall(rows: Scored) -> Floats:
    """Return the precision of the highest threshold that reaches each recall of `GRID`."""
    precision, recall, _ = precision_recall_curve(rows.y_true, rows.score)
    places = np.searchsorted(recall[::-1], GRID - TOLERANCE)
    return np.asarray(precision[::-1][places], dtype=float)


def recall_by_threshold(rows: Scored) -> Floats:
    """Return the share of the class's rows at or above each threshold of `GRID`."""
    return _share_from(rows.score[rows.y_true])


def specificity_by_threshold(rows: Scored) -> Floats:
    """Return the share of the other rows below each threshold of `GRID`."""
    return 1 - _share_from(rows.score[~rows.y_true])


def precision_by_threshold(rows: Scored) -> Floats:
    """Return the class's share of the rows at or above each threshold of `GRID`.

    NaN where there is no such row.
    """
    hits = _share_from(rows.score[rows.y_true]) * rows.y_true.sum()
    total = _share_from(rows.score) * len(rows.score)
    shares = np.full_like(total, np.nan)
    np.divide(hits, total, out=shares, where=total > TOLERANCE)
    return shares


def band(folds: Sequence[Scored], curve: Curve) -> Band:
    """Return the mean of a curve over folds, and the 5th and 95th percentile of its values."""
    curves = pd.DataFrame([curve(one) for one in folds])
    mean, low, high = (
        values.to_numpy(dtype=float)
        for values in (curves.mean(), curves.quantile(TAIL), curves.quantile(1 - TAIL))
    )
    return Band(mean, low, high)


def reliability(rows: Scored, repeats: int = 1) -> pd.DataFrame:
    """Return, for each tenth of the probability, what was promised and what came.

    Parameters
    ----------
    rows
        Of all folds.
    repeats
        How often each row stands in them: an interval counts it once.

    Returns
    -------
    DataFrame of shape (n_filled_bins, 5)
        `promised` (mean probability), `observed` (share of the class), `low`, `high` (Wilson's
        95 % interval of it), `rows`.
    """
    bins = np.minimum((rows.score * BINS).astype(int), BINS - 1)
    return pd.DataFrame(_bin(rows, bins == one, repeats) for one in np.unique(bins))


def _bin(rows: Scored, is_in: Bools, repeats: int) -> dict[str, float]:
    count, hits = int(is_in.sum()), int(rows.y_true[is_in].sum())
    low, high = wilson(round(hits / repeats), max(1, round(count / repeats)))
    observed = hits / count
    return {
        "promised": float(rows.score[is_in].mean()),
        "observed": observed,
        "low": min(low, observed),
        "high": max(high, observed),
        "rows": count / repeats,
    }


def _share_from(scores: Floats) -> Floats:
    """Return the share of scores at or above each threshold of `GRID`."""
    below = np.searchsorted(np.sort(scores), GRID)
    return np.asarray(1 - below / max(1, len(scores)), dtype=float)


def spread(count: int) -> Iterator[float]:
    """Yield offsets between -1 and 1 that keep neighbours apart, the same every time."""
    for place in range(count):
        yield 2 * ((place * 0.618034) % 1) - 1

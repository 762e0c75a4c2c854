"""95 % intervals: Wilson for proportions, bootstrap for the rest, Nadeau-Bengio for folds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ml_pipeline.ml.metrics import Floats

CONFIDENCE = 0.95
RESAMPLES = 2000
FEWER_RESAMPLES = 200  # of so many rows that intervals are narrow and resampling takes minutes
MANY_ROWS = 50_000
LARGEST_BLOCK = 4_000_000


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion (Wilson 1927); (0, 1) without trials."""
    if trials == 0:
        return 0.0, 1.0
    interval = stats.binomtest(successes, trials).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def bootstrap(
    labels: NDArray[Any],
    compute: Callable[[Floats], dict[str, Floats]],
    random_state: int,
) -> dict[str, tuple[float, float]]:
    """Return percentile intervals of every metric from stratified resampling of the rows.

    Each class keeps its size, as the stratified split gave it. Where the classes are separated
    without an error no resample differs, and the interval shrinks to a point: a limit of the
    method (Efron and Tibshirani 1993), not certainty.

    Parameters
    ----------
    labels : shape (n_rows,)
        The true ones.
    compute
        Gives, for weights of shape (n_weightings, n_rows), each metric's values.
    random_state
        Seed of the resampling.
    """
    generator = np.random.default_rng(random_state)
    strata = [np.flatnonzero(labels == label) for label in np.unique(labels)[::-1]]
    resamples = RESAMPLES if len(labels) < MANY_ROWS else FEWER_RESAMPLES
    block = max(1, LARGEST_BLOCK // len(labels))
    sizes = [min(block, resamples - start) for start in range(0, resamples, block)]
    blocks = [compute(_resampled_counts(strata, size, generator)) for size in sizes]
    tails = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    return {
        metric: _pair(np.quantile(np.concatenate([one[metric] for one in blocks]), tails))
        for metric in blocks[0]
    }


def corrected_t(
    scores: NDArray[np.float64], n_train: int, n_test: int, bounds: tuple[float, float] = (0, 1)
) -> tuple[float, float]:
    """Return the interval of a mean over repeated k-fold scores, cut to the metric's bounds.

    Parameters
    ----------
    scores : shape (n_folds * n_repeats,)
    n_train, n_test
        Rows in one fold's training and test part.
    """
    mean, n = float(np.mean(scores)), len(scores)
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * corrected_error(
        scores, n_train, n_test
    )
    return max(bounds[0], mean - reach), min(bounds[1], mean + reach)


def corrected_error(scores: NDArray[np.float64], n_train: int, n_test: int) -> float:
    """Return the standard error of a mean over repeated k-fold scores.

    Training sets overlap, so the naive variance is too small; Nadeau and Bengio (2003) put
    1/n + n_test/n_train in place of 1/n.
    """
    return math.sqrt((1 / len(scores) + n_test / n_train) * float(np.var(scores, ddof=1)))


def _resampled_counts(
    strata: list[NDArray[np.intp]], resamples: int, generator: np.random.Generator
) -> Floats:
    """How often each row was drawn, shape (resamples, n_rows)."""
    counts = np.empty((resamples, sum(map(len, strata))))
    for rows in strata:
        drawn = generator.integers(len(rows), size=(resamples, len(rows)))
        drawn += np.arange(resamples)[:, None] * len(rows)
        flat = np.bincount(drawn.ravel(), minlength=resamples * len(rows))
        counts[:, rows] = flat.reshape(resamples, len(rows))
    return counts


def _pair(values: Floats) -> tuple[float, float]:
    return float(values[0]), float(values[1])

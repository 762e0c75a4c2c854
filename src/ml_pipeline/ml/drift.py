"""How far new rows are from those of the training: profiles, PSI and KS.

A profile counts rows in bins that are fixed at training, so new rows can be counted chunk by chunk
and nothing but counts is kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

if TYPE_CHECKING:
    from ml_pipeline.config.lifecycle import Scoring

PREDICTION = "(prediction)"
FINE_BINS = 100  # the distribution functions are compared at these quantiles
PSI_BINS = 10
MOST_CATEGORIES = 50
OTHER = "(other)"
# So rarely, over all features together, may rows of the same kind raise an alert.
FALSE_ALARMS = 0.001

Profile = dict[str, Any]
Counts = NDArray[np.float64]


@dataclass(frozen=True)
class Drift:
    """How far one feature, or the prediction, has moved.

    Parameters
    ----------
    psi
        Population stability index over about ten bins.
    ks
        Largest distance of the two distribution functions; None for categories.
    is_alert
        Whether one of them lies above its threshold and above what so few rows show by chance.
    then, now
        Shares of the rows per bin of the PSI; the last bin holds the missing values.
    bins
        What to write below each bin.
    """

    feature: str
    psi: float
    ks: float | None
    is_alert: bool
    then: list[float]
    now: list[float]
    bins: list[str]


def profile(frame: pd.DataFrame, scores: pd.Series | None = None) -> Profile:
    """Return the distribution of each feature of `frame`, as JSON knows it.

    Parameters
    ----------
    frame
        Training rows, features only. Dates are left out: they always move.
    scores : shape (n_rows_scored,), optional
        The model's verdicts on rows that it was not trained on: probabilities, or labels.
    """
    columns = {str(name): column for name, column in frame.items() if _is_profiled(column)}
    if scores is not None:
        columns[PREDICTION] = scores
    return {name: _described(column) for name, column in columns.items()}


class Tally:
    """Counts new rows in a profile's bins, chunk by chunk.

    Parameters
    ----------
    reference
        From `profile`.
    """

    def __init__(self, reference: Profile) -> None:
        self.reference = reference
        self.counts = {name: np.zeros(len(one["counts"])) for name, one in reference.items()}

    def add(self, frame: pd.DataFrame, scores: pd.Series | None = None) -> None:
        """Count one chunk; a column that the profile does not know is left out."""
        for name, one in self.reference.items():
            column = scores if name == PREDICTION else frame.get(name)
            if column is not None:
                self.counts[name] += _counted(column, one)

    def drifts(self, thresholds: Scoring) -> list[Drift]:
        """Return the drift of every feature that was counted, in the profile's order."""
        seen = [name for name in self.reference if self.counts[name].sum() > 0]
        return [
            _drift(name, self.reference[name], self.counts[name], thresholds, len(seen))
            for name in seen
        ]


def psi(then: Counts, now: Counts) -> float:
    """Return the population stability index of two counts over the same bins.

    Half a row is added to each bin: an empty one would make it infinite.
    """
    p = (then + 0.5) / (then + 0.5).sum()
    q = (now + 0.5) / (now + 0.5).sum()
    return float(((q - p) * np.log(q / p)).sum())


def ks(then: Counts, now: Counts) -> float:
    """Return the largest distance of two distribution functions at the bins' upper edges."""
    return float(np.abs(np.cumsum(then) / then.sum() - np.cumsum(now) / now.sum()).max())


def psi_by_chance(n: float, m: float, bins: int, risk: float) -> float:
    """Return what PSI of equal distributions exceeds with probability `risk`.

    It is distributed like chi-squared over bins - 1 degrees, times 1/n + 1/m (Yurdakul 2018).
    """
    return float(stats.chi2.ppf(1 - risk, max(1, bins - 1)) * (1 / n + 1 / m))


def ks_by_chance(n: float, m: float, risk: float) -> float:
    """Return what KS of equal distributions exceeds with probability `risk` (asymptotically)."""
    return math.sqrt(-math.log(risk / 2) / 2 * (1 / n + 1 / m))


def _is_profiled(column: pd.Series) -> bool:
    return not pd.api.types.is_datetime64_any_dtype(column)


def _described(column: pd.Series) -> Mapping[str, Any]:
    if pd.api.types.is_numeric_dtype(column):
        values = column.to_numpy(dtype=float, na_value=np.nan)
        values = values[np.isfinite(values)]
        steps = np.linspace(0, 1, FINE_BINS + 1)[1:-1]
        edges = np.unique(np.quantile(values, steps)) if len(values) else np.array([])
        one: dict[str, Any] = {"kind": "numeric", "edges": edges.tolist()}
        return one | {"counts": _counted_numbers(column, edges).tolist()}
    common = column.dropna().astype(str).value_counts().head(MOST_CATEGORIES)
    one = {"kind": "categorical", "categories": sorted(common.index)}
    return one | {"counts": _counted_categories(column, one["categories"]).tolist()}


def _counted(column: pd.Series, one: Mapping[str, Any]) -> Counts:
    if one["kind"] == "numeric":
        return _counted_numbers(column, np.asarray(one["edges"], dtype=float))
    return _counted_categories(column, one["categories"])


def _counted_numbers(column: pd.Series, edges: NDArray[np.float64]) -> Counts:
    """Return the rows per bin; the last one counts missing values."""
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    is_there = ~np.isnan(values)
    places = np.searchsorted(edges, values[is_there], side="right")
    counts = np.bincount(places, minlength=len(edges) + 1).astype(float)
    return np.append(counts, float((~is_there).sum()))


def _counted_categories(column: pd.Series, categories: list[str]) -> Counts:
    """Return the rows per category; the last two count the others and the missing ones."""
    values = pd.Index(column.map(str, na_action="ignore"))
    codes = pd.Index(categories, dtype=object).get_indexer(values)
    is_missing = column.isna().to_numpy()
    counts = np.bincount(codes[codes >= 0], minlength=len(categories)).astype(float)
    others = float(((codes < 0) & ~is_missing).sum())
    return np.append(counts, [others, float(is_missing.sum())])


def _drift(
    name: str, one: Mapping[str, Any], counts: Counts, thresholds: Scoring, features: int
) -> Drift:
    reference = np.asarray(one["counts"], dtype=float)
    is_number = one["kind"] == "numeric"
    groups = _groups(reference) if is_number else np.arange(len(reference))
    then = np.bincount(groups, weights=reference).astype(float)
    now = np.bincount(groups, weights=counts).astype(float)
    n, m, risk = reference.sum(), counts.sum(), FALSE_ALARMS / features
    index = psi(then, now)
    is_alert = index > max(thresholds.psi_alert, psi_by_chance(n, m, len(then), risk))
    distance = None
    if is_number and reference[:-1].sum() and counts[:-1].sum():
        distance = ks(reference[:-1], counts[:-1])
        chance = ks_by_chance(reference[:-1].sum(), counts[:-1].sum(), risk)
        is_alert |= distance > max(thresholds.ks_alert, chance)
    labels = _number_labels(one["edges"], groups) if is_number else [*one["categories"], OTHER]
    return Drift(
        name,
        index,
        distance,
        bool(is_alert),
        (then / n).tolist(),
        (now / m).tolist(),
        [*labels, "missing"],
    )


def _groups(reference: Counts) -> NDArray[np.int64]:
    """Return which PSI bin each fine bin belongs to: about equally many rows each.

    Missing values have a bin of their own.
    """
    inside = reference[:-1]
    before = np.cumsum(inside) - inside / 2
    groups = np.minimum((before / max(1.0, inside.sum()) * PSI_BINS).astype(int), PSI_BINS - 1)
    _, groups = np.unique(groups, return_inverse=True)
    return np.append(groups, groups.max() + 1)


def _number_labels(edges: list[float], groups: NDArray[np.int64]) -> list[str]:
    """Return each PSI bin's upper edge."""
    last = [np.flatnonzero(groups[:-1] == group)[-1] for group in range(int(groups[-1]))]
    return [f"< {edges[place]:.4g}" if place < len(edges) else "more" for place in last]

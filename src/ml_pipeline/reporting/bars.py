"""The pictures of counts and comparisons: confusion matrix, importance, candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ml_pipeline.reporting.canvas import BLUE, INK, MUTED, ORANGE, new_axes, plain
from ml_pipeline.reporting.curves import spread
from ml_pipeline.reporting.wording import name_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEATURES_SHOWN = 20
ROW_HEIGHT = 0.27
TICKS = 5  # labels as long as 0.9965 lie over one another where there are more
MOST_CELLS_WITH_TEXT = 12


def draw_confusion_matrix(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> Figure:
    """Draw the counts, and their share of the true label's rows as colour.

    Parameters
    ----------
    labels
        In the order of rows and columns.
    counts : shape (n_labels, n_labels)
        A row per true label, a column per predicted one.
    """
    size = min(9.0, 2.6 + 0.75 * len(labels))
    figure, axes = new_axes("Predicted", "True", width=size + 0.6, height=size)
    table = np.asarray(counts)
    shares = table / np.maximum(1, table.sum(axis=1, keepdims=True))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.grid(visible=False)
    names = [plain(label) for label in labels]
    is_long = max(map(len, names)) > 4
    axes.set_xticks(range(len(names)), names, rotation=35 if is_long else 0)
    axes.set_yticks(range(len(names)), names)
    if len(labels) <= MOST_CELLS_WITH_TEXT:
        _write_cells(axes, table, shares)
    return figure


def _write_cells(axes: Axes, table: np.ndarray, shares: np.ndarray) -> None:
    for (row, column), count in np.ndenumerate(table):
        share = shares[row, column]
        text = f"{count:,}\n{share:.1%}" if len(table) <= 5 else f"{count:,}"
        color = "white" if share > 0.55 else INK
        axes.text(column, row, text, ha="center", va="center", color=color, fontsize=10)


def draw_importance(importance: pd.DataFrame, metric: str) -> Figure:
    """Draw how much the metric loses when a feature's values are shuffled.

    Parameters
    ----------
    importance
        `feature`, `mean`, `sd`, the most important first.
    metric
        What loses.
    """
    top = importance.head(FEATURES_SHOWN).iloc[::-1]
    height = 1.2 + ROW_HEIGHT * len(top)
    figure, axes = new_axes(f"Loss of {name_of(metric)} when shuffled", "", height=height)
    error = {"ecolor": MUTED, "elinewidth": 0.9, "capsize": 2}
    places = np.arange(len(top))
    look: dict[str, Any] = {"color": BLUE, "alpha": 0.85, "height": 0.65, "error_kw": error}
    axes.barh(places, top["mean"], xerr=top["sd"], **look)
    axes.set_yticks(places, [plain(name) for name in top["feature"]])
    axes.axvline(0, color=MUTED, linewidth=0.8)
    axes.locator_params(axis="x", nbins=TICKS)
    axes.grid(visible=False, axis="y")
    axes.margins(y=0.02)
    return figure


def draw_candidates(candidates: Sequence[Mapping[str, Any]], metric: str) -> Figure:
    """Draw each candidate's metric in every fold, its mean and the mean's 95 % interval.

    Parameters
    ----------
    candidates
        Each with `name`, `scores`, `mean`, `low`, `high`, `chosen`.
    metric
        The one that they were compared by.
    """
    height = 1.3 + 0.55 * len(candidates)
    figure, axes = new_axes(name_of(metric), "", height=height)
    for place, one in enumerate(reversed(candidates)):
        color = ORANGE if one["chosen"] else BLUE
        _draw_candidate(axes, place, one, one["scores"][metric], color)
    names = [plain(one["name"]) + (" ✓" if one["chosen"] else "") for one in candidates]
    axes.set_yticks(range(len(candidates)), names[::-1])
    axes.set_ylim(-0.6, len(candidates) - 0.4)
    axes.locator_params(axis="x", nbins=TICKS)
    axes.grid(visible=False, axis="y")
    return figure


def _draw_candidate(
    axes: Axes, place: int, one: Mapping[str, Any], values: Sequence[float], color: str
) -> None:
    y = [place + 0.16 + 0.14 * offset for offset in spread(len(values))]
    axes.scatter(values, y, s=12, color=color, alpha=0.5, linewidths=0)
    mean, low, high = one["mean"], one["low"], one["high"]
    axes.plot([low, high], [place - 0.16] * 2, color=color, linewidth=2.2, solid_capstyle="butt")
    axes.plot([mean], [place - 0.16], color=color, marker="o", markersize=6)

"""The pictures of curves: ROC, precision and recall, calibration, threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
from sklearn.metrics import precision_recall_curve, roc_curve

from ml_pipeline.reporting import curves
from ml_pipeline.reporting.canvas import (
    BLUE,
    COLORS,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    new_axes,
    plain,
    stacked_axes,
    style,
    to_unit_square,
)
from ml_pipeline.reporting.curves import GRID, Band, Scored

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Folds = Mapping[str, Sequence[Scored]]
NEAR_THE_CORNER = 0.95
HOLDOUT: dict[str, Any] = {"color": INK, "linewidth": 1.0, "linestyle": "--", "label": "hold-out"}
ERROR_BARS = {"markersize": 4, "linewidth": 1.4, "elinewidth": 0.8, "capsize": 2}


def draw_roc(folds: Folds, holdout: Mapping[str, Scored]) -> Figure:
    """Draw the ROC curves of one or several classes.

    Parameters
    ----------
    folds
        Label to its folds; see `curves.folds_of`.
    holdout
        Label to the hold-out's rows, drawn where there is one class only.
    """
    figure, axes = new_axes("False positive rate (1 - specificity)", "True positive rate (recall)")
    bands = {label: curves.band(each, curves.roc) for label, each in folds.items()}
    _draw_roc(axes, bands, holdout)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=":", label="chance")
    to_unit_square(axes)
    axes.legend(loc="lower right", frameon=False, fontsize=9)
    if min(one.mean.mean() for one in bands.values()) > NEAR_THE_CORNER:
        inset = axes.inset_axes((0.42, 0.34, 0.5, 0.4))
        style(inset)
        inset.tick_params(labelsize=7)
        _draw_roc(inset, bands, holdout)
        inset.set_xlim(-0.005, 0.2)
        inset.set_ylim(0.8, 1.005)
        frame = axes.indicate_inset_zoom(inset, edgecolor=MUTED, linewidth=0.6)
        for connector in frame.connectors or ():
            connector.set_visible(False)
    return figure


def _draw_roc(axes: Axes, bands: Mapping[str, Band], holdout: Mapping[str, Scored]) -> None:
    _draw_bands(axes, bands)
    for rows in _only(bands, holdout):
        false_positives, true_positives, _ = roc_curve(rows.y_true, rows.score)
        axes.step(false_positives, true_positives, where="post", **HOLDOUT)


def draw_precision_recall(folds: Folds, holdout: Mapping[str, Scored]) -> Figure:
    """Draw precision over recall of one or several classes; see `draw_roc`."""
    figure, axes = new_axes("Recall (sensitivity)", "Precision")
    bands = {
        label: curves.band(each, curves.precision_recall) for label, each in folds.items() if each
    }
    _draw_bands(axes, bands)
    for rows in _only(bands, holdout):
        precision, recall, _ = precision_recall_curve(rows.y_true, rows.score)
        axes.step(recall, precision, where="post", **HOLDOUT)
        share = rows.y_true.mean()
        axes.axhline(share, color=MUTED, linewidth=0.8, linestyle=":", label="chance")
    to_unit_square(axes)
    axes.legend(loc="lower left", frameon=False, fontsize=9)
    return figure


def draw_calibration(rows: Mapping[str, Scored], repeats: int) -> Figure:
    """Draw what came over what was promised, and below it how many rows were promised how much.

    Parameters
    ----------
    rows
        Label to the rows of all folds.
    repeats
        How often each row stands in them.
    """
    figure, axes, below = stacked_axes("Probability promised", "Share observed", "Rows")
    for (label, each), color in zip(rows.items(), COLORS, strict=False):
        table = curves.reliability(each, repeats)
        reach = [table["observed"] - table["low"], table["high"] - table["observed"]]
        look: dict[str, Any] = {"color": color, "label": _legend(label), "marker": "o"}
        axes.errorbar(table["promised"], table["observed"], reach, **(look | ERROR_BARS))
        _draw_sizes(below, table, color, is_alone=len(rows) == 1)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=":", label="perfect")
    to_unit_square(axes)
    below.set_ylim(bottom=0)
    axes.legend(loc="upper left", frameon=False, fontsize=9)
    return figure


def _draw_sizes(axes: Axes, table: pd.DataFrame, color: str, *, is_alone: bool) -> None:
    centers = (table["promised"] * curves.BINS).astype(int).clip(upper=curves.BINS - 1)
    x = (centers + 0.5) / curves.BINS
    if is_alone:
        axes.bar(x, table["rows"], width=0.08, color=color, alpha=0.7)
    else:
        axes.plot(x, table["rows"], color=color, linewidth=1, marker=".", markersize=4)


def draw_threshold(folds: Sequence[Scored], threshold: float) -> Figure:
    """Draw what a decision gains and costs at every threshold, and the one that is used."""
    figure, axes = new_axes("Threshold of the probability", "")
    for name, curve, color in (
        ("recall", curves.recall_by_threshold, BLUE),
        ("specificity", curves.specificity_by_threshold, ORANGE),
        ("precision", curves.precision_by_threshold, GREEN),
    ):
        _draw_band(axes, curves.band(folds, curve), color, name)
    axes.axvline(threshold, color=PURPLE, linewidth=1.2, label=f"used: {threshold:.3f}")
    to_unit_square(axes)
    axes.legend(loc="lower center", edgecolor="none", framealpha=0.9, fontsize=9)
    return figure


def _only(bands: Mapping[str, Band], holdout: Mapping[str, Scored]) -> list[Scored]:
    return [rows for rows in holdout.values() if len(bands) == 1 and curves.has_both(rows)]


def _draw_bands(axes: Axes, bands: Mapping[str, Band]) -> None:
    for (label, one), color in zip(bands.items(), COLORS, strict=False):
        _draw_band(axes, one, color, _legend(label) if len(bands) > 1 else "mean of the folds")


def _draw_band(axes: Axes, one: Band, color: str, label: str) -> None:
    axes.fill_between(GRID, one.low, one.high, color=color, alpha=0.16, linewidth=0)
    axes.plot(GRID, one.mean, color=color, linewidth=1.8, label=label)


def _legend(label: str) -> str:
    """Return a label for a legend, which would leave out one that begins with an underscore."""
    return f" {plain(label)}" if label.startswith("_") else plain(label)

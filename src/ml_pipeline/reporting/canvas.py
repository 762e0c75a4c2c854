"""An empty picture in the house's style, and its PNG; pyplot's global state is never touched."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ml_pipeline.reporting.wording import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's palette: told apart by colour-blind readers too, and when colours are inverted.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#AA4499"
COLORS = (BLUE, ORANGE, GREEN, PURPLE, "#B58900", "#56B4E9", "#882255", "#666666")
INK, MUTED, PALE = "#222222", "#6b6b6b", "#dddddd"
WIDTH, HEIGHT = 5.2, 3.9
DOTS_PER_INCH = 170


def new_axes(
    x: str, y: str, *, width: float = WIDTH, height: float = HEIGHT
) -> tuple[Figure, Axes]:
    """Return a figure and its axes with their labels, in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    style(axes)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure, axes


def stacked_axes(x: str, upper: str, lower: str) -> tuple[Figure, Axes, Axes]:
    """Return a figure with two axes over one another that share x, the upper one larger."""
    figure = Figure(figsize=(WIDTH, HEIGHT + 0.8), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    for axes, label in ((above, upper), (below, lower)):
        style(axes)
        axes.set_ylabel(label)
    below.set_xlabel(x)
    return figure, above, below


def style(axes: Axes) -> None:
    """Leave only what carries the data: two spines and a faint grid."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(MUTED)
    axes.tick_params(colors=INK, labelsize=9)
    axes.grid(color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)


def to_unit_square(axes: Axes) -> None:
    """Show 0 to 1 in both directions."""
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)


def plain(text: object) -> str:
    """Return a user's text as it shall be drawn: cut, and a dollar starts no formula."""
    return short(text).replace("$", r"\$")


def png(figure: Figure) -> bytes:
    """Return the picture's bytes, the same for the same picture."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return content.getvalue()

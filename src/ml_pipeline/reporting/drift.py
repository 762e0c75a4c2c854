"""The report of a scoring run: how many rows, by which model, and how far they have drifted."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, FileSystemLoader

from ml_pipeline.reporting.canvas import BLUE, COLORS, MUTED, ORANGE, new_axes, plain, png

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ml_pipeline.ml.drift import Drift

FEATURES_SHOWN = 20
DISTRIBUTIONS_SHOWN = 6
LINES_SHOWN = 6
DATES_SHOWN = 8
ROW_HEIGHT = 0.27
TEMPLATES = Path(__file__).with_name("templates")

History = Sequence[tuple[str, str, float]]


def drift_page(
    document: Mapping[str, Any], drifts: Sequence[Drift], history: History, threshold: float
) -> str:
    """Return the page as HTML that needs no other file.

    Parameters
    ----------
    document
        What `scoring.json` holds.
    drifts
        Of this run.
    history
        Logical date, feature and PSI of this run and those before, oldest first.
    threshold
        From which PSI is an alert.
    """
    ranked = sorted(drifts, key=lambda one: -one.psi)
    figures = (
        {"PSI of each feature": draw_psi(ranked[:FEATURES_SHOWN], threshold)} if drifts else {}
    )
    if len({date for date, _, _ in history}) > 1:
        figures["PSI over time"] = draw_psi_over_time(history, threshold)
    for one in ranked[:DISTRIBUTIONS_SHOWN]:
        figures[f"{one.feature}: training and now"] = draw_then_and_now(one)
    pictures = {title: base64.b64encode(png(each)).decode() for title, each in figures.items()}
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    template = environment.get_template("drift.html")
    return template.render(document=document, drifts=ranked, pictures=pictures)


def draw_psi(drifts: Sequence[Drift], threshold: float) -> Figure:
    """Draw PSI as a bar per feature, those with an alert in another colour."""
    height = 1.2 + ROW_HEIGHT * len(drifts)
    figure, axes = new_axes("Population stability index", "", height=height)
    colors = [ORANGE if one.is_alert else BLUE for one in drifts]
    axes.barh([plain(one.feature) for one in drifts], [one.psi for one in drifts], color=colors)
    axes.axvline(threshold, color=MUTED, linestyle="--", linewidth=1, label="alert")
    axes.invert_yaxis()
    axes.legend(frameon=False)
    return figure


def draw_psi_over_time(history: History, threshold: float) -> Figure:
    """Draw PSI by logical date, of the features that have moved most."""
    largest: dict[str, float] = {}
    for _, feature, value in history:
        largest[feature] = max(value, largest.get(feature, 0.0))
    shown = sorted(largest, key=lambda name: -largest[name])[:LINES_SHOWN]
    dates = sorted({date for date, _, _ in history})
    figure, axes = new_axes("Logical date", "Population stability index")
    for color, feature in zip(COLORS, shown, strict=False):
        points = [(dates.index(date), value) for date, name, value in history if name == feature]
        places, values = zip(*points, strict=True)
        axes.plot(places, values, marker="o", markersize=3, color=color, label=plain(feature))
    axes.axhline(threshold, color=MUTED, linestyle="--", linewidth=1)
    every = range(0, len(dates), -(-len(dates) // DATES_SHOWN))
    axes.set_xticks(every, [dates[place] for place in every], rotation=30, ha="right")
    axes.legend(frameon=False, fontsize=8)
    return figure


def draw_then_and_now(drift: Drift) -> Figure:
    """Draw the shares of the rows per bin, at training and in this run."""
    figure, axes = new_axes("", "Share of the rows")
    places = np.arange(len(drift.bins))
    axes.bar(places - 0.2, drift.then, width=0.4, color=BLUE, label="training")
    axes.bar(places + 0.2, drift.now, width=0.4, color=ORANGE, label="now")
    axes.set_xticks(places, [plain(each) for each in drift.bins], rotation=45, ha="right")
    axes.legend(frameon=False)
    return figure

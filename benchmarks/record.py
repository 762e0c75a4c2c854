"""What a benchmark has measured: medians and ratios, as JSON and as one last line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.machine import describe_machine

RESULTS = Path("benchmarks") / "results"
SIDES = ("ours", "stock", "floor")
SIGNIFICANT_DIGITS = 4


@dataclass(frozen=True)
class Measure:
    """One thing measured on each side, some times.

    Parameters
    ----------
    name, unit
        What was measured.
    ours, stock, floor
        Samples; none where a side cannot do it.
    target
        What the figure named by `judged` is to reach: the `ratio` of ours to stock, or `ours`.
    is_more_better
        Whether the target is the least that will do; otherwise it is the most.
    remark
        What a reader has to know.
    """

    name: str
    unit: str
    ours: Sequence[float]
    stock: Sequence[float] = ()
    floor: Sequence[float] = ()
    target: float | None = None
    judged: str = "ratio"
    is_more_better: bool = False
    remark: str = ""

    def median(self, side: str) -> float | None:
        """Return the median of a side's samples."""
        samples = getattr(self, side)
        return _rounded(median(samples)) if samples else None

    @property
    def ratio(self) -> float | None:
        """Ours in terms of stock."""
        if not self.ours or not self.stock:
            return None
        return _rounded(median(self.ours) / median(self.stock))

    @property
    def is_met(self) -> bool | None:
        """Tell whether the target is reached; None without one, or without a figure."""
        figure = self.ratio if self.judged == "ratio" else self.median("ours")
        if self.target is None or figure is None:
            return None
        return figure >= self.target if self.is_more_better else figure <= self.target

    def document(self) -> dict[str, Any]:
        """Return what goes into the JSON file."""
        return {
            "name": self.name,
            "unit": self.unit,
            **{side: self.median(side) for side in SIDES},
            "ratio": self.ratio,
            "target": self.target,
            "judged": self.judged,
            "is_more_better": self.is_more_better,
            "is_met": self.is_met,
            "remark": self.remark,
            "samples": {side: [_rounded(each) for each in getattr(self, side)] for side in SIDES},
        }


def record(name: str, question: str, measures: Sequence[Measure], folder: Path = RESULTS) -> None:
    """Write the JSON file and print every measure; the last line is the first measure's.

    Parameters
    ----------
    name
        The benchmark, which names the file.
    question
        What it answers, in a line.
    measures
        The one that matters most first.
    folder
        Where the file goes.
    """
    document = {
        "name": name,
        "question": question,
        "machine": describe_machine(),
        "measures": [measure.document() for measure in measures],
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
    for measure in measures:
        print(f"  {line(measure.name, measure)}  {measure.unit}")
    print(line(name, measures[0]))


def line(name: str, measure: Measure) -> str:
    """Return `name: ratio R (ours X, stock Y, floor Z)`, a dash where there is no figure."""
    figures = ", ".join(f"{side} {shown(measure.median(side))}" for side in SIDES)
    return f"{name}: ratio {shown(measure.ratio)} ({figures})"


def shown(figure: float | None) -> str:
    """Write a figure for people."""
    return "-" if figure is None else f"{figure:,.{SIGNIFICANT_DIGITS}g}"


def _rounded(figure: float) -> float:
    return float(f"{figure:.{SIGNIFICANT_DIGITS}g}")

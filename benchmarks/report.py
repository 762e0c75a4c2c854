"""Makes docs/benchmarks.md from the JSON files: ``python -m benchmarks.report``.

What a person has to say about a benchmark, such as what bounds it, lies beside its JSON file, as a
text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.record import RESULTS, SIDES, shown

PAGE = Path("docs") / "benchmarks.md"
INTRODUCTION = """# Benchmarks

Made by `python -m benchmarks.report` from `benchmarks/results/*.json`; do not edit.

Each section is one program: `make bench BENCH=name`, or `python -m benchmarks.name`. It runs the
stock way (`airflow standalone`, SQLite, its defaults) and this stack in one invocation, on the same
machine, with the same packages, compiled bytecode on both sides and the same DAG files, each in
throw-away folders and on free ports. Figures are medians; the JSON files hold every sample. The
*floor* is the least that the work can take: the same work in a new plain process.

The machines below are small and shared with other work: compare sides, not machines.
"""
BAR_WIDTH = 40


def render(folder: Path = RESULTS) -> str:
    """Return the page.

    Parameters
    ----------
    folder
        Where the JSON files are, and the remarks on them.
    """
    sections = [_section(file) for file in sorted(folder.glob("*.json"))]
    return "\n".join([INTRODUCTION, *sections])


def _section(file: Path) -> str:
    name, document = file.stem, json.loads(file.read_text())
    question = document.get("question")
    heading = f"## {name}: {question}" if question else f"## {name}"
    body = _measures(document["measures"]) if "measures" in document else _tables(document)
    remark = file.with_suffix(".txt")
    remarks = [remark.read_text().strip()] if remark.exists() else []
    return "\n\n".join([heading, *body, *remarks, _machine(document["machine"])]) + "\n"


def _measures(measures: list[dict[str, Any]]) -> Iterator[str]:
    columns = ["", "unit", *SIDES, "ours / stock", "target"]
    yield _table(columns, [_row(measure) for measure in measures])
    if bars := [line for measure in measures[:1] for line in _bars(measure)]:
        yield "\n".join(["```text", measures[0]["name"], *bars, "```"])
    remarks = [f"- {each['name']}: {each['remark']}" for each in measures if each["remark"]]
    if remarks:
        yield "\n".join(remarks)


def _row(measure: dict[str, Any]) -> list[str]:
    figures = [shown(measure[side]) for side in SIDES]
    return [measure["name"], measure["unit"], *figures, shown(measure["ratio"]), _target(measure)]


def _target(measure: dict[str, Any]) -> str:
    if measure["target"] is None:
        return ""
    bound = "≥" if measure["is_more_better"] else "≤"
    verdict = {True: "reached", False: "**missed**", None: "no figure"}[measure["is_met"]]
    unit = f" {measure['unit']}" if measure["judged"] == "ours" else " of stock"
    return f"{bound} {shown(measure['target'])}{unit}: {verdict}"


def _bars(measure: dict[str, Any]) -> Iterator[str]:
    """Draw a bar for each side that has a figure."""
    figures = {side: measure[side] for side in SIDES if measure[side]}
    if len(figures) < 2:
        return
    longest = max(figures.values())
    for side, figure in figures.items():
        bar = "█" * max(1, round(BAR_WIDTH * figure / longest))
        yield f"{side:<6}{bar} {shown(figure)} {measure['unit']}"


def _tables(document: dict[str, Any]) -> Iterator[str]:
    """Return every list of like objects in a document of another form as a table."""
    for rows in document.values():
        if isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows):
            keys = [key for key, value in rows[0].items() if not isinstance(value, dict | list)]
            cells = [[_text(row.get(key)) for key in keys] for row in rows]
            headings = [key.replace("_", " ") for key in keys]
            is_wide = len(keys) > 2 * len(rows)
            yield _turned(headings, cells) if is_wide else _table(headings, cells)


def _turned(headings: list[str], cells: list[list[str]]) -> str:
    lines = [list(line) for line in zip(headings, *cells, strict=True)]
    return _table(["", *lines[0][1:]], lines[1:])


def _text(value: object) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return shown(float(str(value))) if is_number else "-" if value is None else str(value)


def _table(headings: list[str], rows: list[list[str]]) -> str:
    rule = ["---", *["---:"] * (len(headings) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [headings, rule, *rows])


def _machine(machine: dict[str, Any]) -> str:
    gigabytes = machine["memory_bytes"] / 2**30
    return (
        f"{machine['date']}, {machine['cores']} cores, {gigabytes:.0f} GiB, Python "
        f"{machine['python']}, Airflow {machine['apache-airflow']}, {machine['system']}; "
        f"load at the end {machine['load']:.1f}."
    )


def main() -> None:
    """Write the page."""
    PAGE.write_text(render())


if __name__ == "__main__":
    main()

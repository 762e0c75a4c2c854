"""docs/benchmarks.md, made from the JSON files."""

import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks.machine import describe_machine
from benchmarks.record import Measure, record
from benchmarks.report import render

CLONE = Path(__file__).parents[3]


def test_the_page_is_what_the_results_give() -> None:
    page = (CLONE / "docs" / "benchmarks.md").read_text()
    assert page == render(CLONE / "benchmarks" / "results"), "run: python -m benchmarks.report"


def test_results_name_no_folder_and_no_host() -> None:
    for file in (CLONE / "benchmarks" / "results").glob("*.json"):
        document = json.loads(file.read_text())
        texts = [text for text in _texts(document) if text.startswith("/") and text.count("/") > 1]
        assert not [text for text in texts if not text.startswith("/api/")], file
        assert "node" not in document["machine"], file


def test_a_measure_is_a_row_with_its_verdict(tmp_path: Path) -> None:
    slow = Measure("slow", "s", [3], [4], [1], target=0.5)
    quick = Measure("quick", "s", [1], [4], target=0.5, remark="on a good day")
    record("run", "How long?", [slow, quick], tmp_path)
    page = render(tmp_path)
    assert "## run: How long?" in page
    assert "| slow | s | 3 | 4 | 1 | 0.75 | ≤ 0.5 of stock: **missed** |" in page
    assert "| quick | s | 1 | 4 | - | 0.25 | ≤ 0.5 of stock: reached |" in page
    assert "- quick: on a good day" in page


def test_what_lies_beside_the_figures_is_said_under_them(tmp_path: Path) -> None:
    record("run", "How long?", [Measure("run", "s", [1], [4])], tmp_path)
    (tmp_path / "run.txt").write_text("The imports bound it.\n")
    assert "\n\nThe imports bound it.\n\n" in render(tmp_path)


def test_bars_are_as_long_as_their_figures(tmp_path: Path) -> None:
    record("run", "How long?", [Measure("run", "s", [1], [4])], tmp_path)
    assert [line.count("█") for line in render(tmp_path).splitlines() if "█" in line] == [10, 40]


@pytest.mark.parametrize(
    ("rows", "table"),
    [
        ([{"way": "a", "lost": 1}, {"way": "b", "lost": 2}], "| way | lost |"),
        ([{"name": "a", "seconds": 1, "zombies": 2}], "|  | a |\n| --- | ---: |\n| seconds | 1 |"),
    ],
)
def test_a_document_of_another_form_is_shown_as_tables_and_turned_when_wide(
    rows: list[dict[str, Any]], table: str, tmp_path: Path
) -> None:
    document = {"machine": describe_machine(), "rows": rows}
    (tmp_path / "other.json").write_text(json.dumps(document))
    assert table in render(tmp_path)


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) else []

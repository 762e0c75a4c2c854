"""What is made of samples: medians, ratios, verdicts, one line."""

import json
from pathlib import Path

import pytest
from benchmarks.record import Measure, line, record


def test_a_side_is_judged_by_the_median_of_its_samples() -> None:
    measure = Measure("run", "s", ours=[1, 2, 90], stock=[8, 10, 400], target=0.22)
    assert (measure.median("ours"), measure.ratio, measure.is_met) == (2, 0.2, True)


@pytest.mark.parametrize(
    ("target", "judged", "is_more_better", "is_met"),
    [
        (0.5, "ratio", False, True),
        (0.4, "ratio", False, False),
        (0.5, "ratio", True, True),
        (4.0, "ratio", True, False),
        (2.0, "ours", False, True),
        (1.9, "ours", False, False),
        (None, "ratio", False, None),
    ],
)
def test_a_target_is_a_bound_from_above_or_below_for_the_ratio_or_for_ours(
    target: float | None, judged: str, is_more_better: bool, is_met: bool | None
) -> None:
    measure = Measure("x", "s", [2], [4], (), target, judged, is_more_better)
    assert measure.is_met is is_met


def test_a_target_in_terms_of_stock_is_open_when_stock_has_no_figure() -> None:
    assert Measure("clone", "s", ours=[40], target=0.5).is_met is None


def test_the_last_line_names_every_side_and_shows_a_dash_for_none() -> None:
    measure = Measure("warm run", "s", ours=[2], stock=[8.123456])
    assert line("run", measure) == "run: ratio 0.2462 (ours 2, stock 8.123, floor -)"


def test_a_record_is_written_with_samples_and_machine_and_ends_with_the_first_measure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measures = [Measure("first", "s", [1.23456], [2]), Measure("other", "s", [3])]
    record("name", "How?", measures, tmp_path)
    document = json.loads((tmp_path / "name.json").read_text())
    assert document["measures"][0]["samples"]["ours"] == [1.235]
    assert {"date", "cores", "python", "apache-airflow"} <= document["machine"].keys()
    assert capsys.readouterr().out.splitlines()[-1].startswith("name: ratio 0.6173 (ours 1.235,")

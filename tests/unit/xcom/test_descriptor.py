"""What the web UI shows of a stored frame: its shape, dtypes, size and first rows, not hex."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from ml_pipeline.xcom.descriptor import INLINE, Origin, describe, descriptors
from ml_pipeline.xcom.files import Files
from ml_pipeline.xcom.settings import Settings
from tests.unit.xcom.passing import packed

ORIGIN = Origin("dag", "run", "task", -1, "return_value")
FRAME = pd.DataFrame({"size": [1.5, 2.5], "name": ["a", "b"]})


@pytest.fixture
def files(tmp_path):
    return Files(Settings(str(tmp_path)))


def test_a_frame_is_described_by_what_a_person_asks_for(files):
    shown = packed(FRAME, files, ORIGIN)

    assert {name: shown[name] for name in shown if name not in ("bytes", "sha256", INLINE)} == {
        "@arrow": 1,
        "key": "return_value",
        "run": "run",
        "task": "dag.task",
        "type": "pandas.DataFrame",
        "rows": 2,
        "columns": 2,
        "dtypes": ["size: float64", "name: str"],
        "first_rows": ["   size name", "0   1.5    a", "1   2.5    b"],
    }


def test_the_content_comes_last_in_the_order_in_which_jsonb_keeps_the_keys(files):
    shown = packed(FRAME, files, Origin("dag", "run", "task", 3, "key"))

    assert max(shown, key=lambda name: (len(name), name)) == INLINE


def test_a_mapped_task_s_index_is_shown(files):
    assert packed(FRAME, files, Origin("dag", "run", "task", 3, "key"))["map_index"] == 3


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (
            pd.Series([1, 2], name="x"),
            "pandas.Series",
            {"rows": 2, "dtypes": ["int64"], "first_rows": ["0    1", "1    2"]},
        ),
        (
            np.arange(6).reshape(2, 3),
            "numpy.ndarray",
            {"shape": [2, 3], "dtypes": ["int64"], "first_rows": ["[[0 1 2]", " [3 4 5]]"]},
        ),
        (
            pa.table({"a": [1], "b": ["x"]}),
            "pyarrow.Table",
            {
                "rows": 1,
                "columns": 2,
                "dtypes": ["a: int64", "b: string"],
                "first_rows": ["{'a': 1, 'b': 'x'}"],
            },
        ),
    ],
)
def test_other_kinds_are_described_in_their_own_terms(value, kind, expected):
    shown = describe(value, kind, ORIGIN)

    assert {name: shown[name] for name in expected} == expected


def test_a_large_frame_s_description_is_short(files):
    wide = pd.DataFrame(np.zeros((10_000, 2_000)), columns=[f"column {n}" for n in range(2_000)])

    shown = describe(wide, "pandas.DataFrame", ORIGIN)

    assert (shown["rows"], shown["columns"]) == (10_000, 2_000)
    assert shown["dtypes"][-1] == "... and 1950 more"
    assert len(str(shown)) < 5_000


def test_long_and_unprintable_text_is_shown_short_and_harmless():
    frame = pd.DataFrame({1: ["y" * 10_000], 2: ["\x1b[31mred\r\n"]})
    frame.columns = pd.Index(["x" * 1_000, "a\0\ud800b"], dtype=object)

    shown = describe(frame, "pandas.DataFrame", ORIGIN)

    lines = [*shown["dtypes"], *shown["first_rows"]]
    assert all(line.isprintable() and len(line) <= 160 for line in lines)


def test_descriptors_are_found_in_what_airflow_stores(files):
    nested = {"__classname__": "builtins.tuple", "__data__": [1, {"a": packed(FRAME, files)}]}

    assert [each["rows"] for each in descriptors(["text", nested])] == [2]

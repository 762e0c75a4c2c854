"""What would not come back as it was is refused, with one line that names it and what helps."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from ml_pipeline.xcom import packing
from ml_pipeline.xcom.faults import UnsupportedValueError
from ml_pipeline.xcom.files import Files
from ml_pipeline.xcom.parts import has_part
from ml_pipeline.xcom.settings import Settings
from tests.unit.xcom.passing import ORIGIN, files_below

TO_TEXT = "Make it one plain type first, for example text: .astype('str')"
COLUMNS = {
    "numbers and text": ([1.5, "a"], "row 0 holds 1.5 (float), row 1 'a' (str)", TO_TEXT),
    "integers and truth": ([None, 1, True], "row 1 holds 1 (int), row 2 True (bool)", TO_TEXT),
    "objects": ([object(), None], "Arrow cannot hold its object values", TO_TEXT),
    "sets": ([{1}], "Arrow would give back [1] for the set {1}", TO_TEXT),
    "unlike dicts": ([{"a": 1}, {"b": 2}], "for the dict {'a': 1}", TO_TEXT),
    "numpy's scalars": ([np.float32(1)], "for the float32 np.float32(1.0)", TO_TEXT),
    "huge integers": ([2**64, 1], "Arrow cannot hold its int values", TO_TEXT),
    "no Unicode": (["\ud800"], "no valid Unicode", "Mend it where it was read"),
}


@pytest.mark.parametrize(("cells", "cause", "remedy"), COLUMNS.values(), ids=COLUMNS)
def test_a_column_of_objects_is_refused_by_name_with_cause_and_remedy(
    cells, cause, remedy, tmp_path
):
    frame = pd.DataFrame({"fine": range(len(cells)), "odd one": pd.Series(cells, dtype=object)})

    message = refusal(frame, tmp_path)

    assert message.startswith("XCom cannot hold the column 'odd one' of the DataFrame: ")
    assert cause in message
    assert message.endswith(remedy)
    assert "\n" not in message


def refusal(value, folder):
    """Return why a value is refused, as a TypeError that is one of ours."""
    files = Files(Settings(str(folder), threshold_bytes=0))
    with pytest.raises(UnsupportedValueError) as caught:
        packing.pack(value, ORIGIN, files)
    assert isinstance(caught.value, TypeError)
    assert files_below(folder) == []
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            pd.DataFrame([[1, 2, 3]], columns=["a", "b", "a"]),
            "XCom cannot hold the DataFrame: several of its columns are named 'a'. "
            "Rename them, or keep one",
        ),
        (
            pd.DataFrame({"s": pd.arrays.SparseArray([0, 1])}),
            "XCom cannot hold the column 's' of the DataFrame: it is sparse. "
            "Use .sparse.to_dense()",
        ),
        (
            pd.DataFrame({"t": pd.to_datetime(["2024"]).tz_localize("dateutil/Europe/Berlin")}),
            "XCom cannot hold the column 't' of the DataFrame: its time zone tzfile(.*) has no "
            "name that leads back to it. Use .dt.tz_convert with a zone's name",
        ),
        (
            pd.Series([1, "a"], name="mixed"),
            "XCom cannot hold the Series 'mixed': it mixes types: row 0 holds 1 (int), "
            f"row 1 'a' (str). {TO_TEXT}",
        ),
        (
            pd.DataFrame({"a": [1, 2]}, index=pd.Index([1, "a"])),
            "XCom cannot hold the index: it mixes types: row 0 holds 1 (int), row 1 'a' (str). "
            f"{TO_TEXT}",
        ),
        (
            pd.DataFrame([[1, 2]], columns=[1, "a"]),
            "XCom cannot hold the column names: it mixes types: row 0 holds 1 (int), "
            f"row 1 'a' (str). {TO_TEXT}",
        ),
        (
            np.array([1, "a"], dtype=object),
            "XCom cannot hold the array: it mixes types: row 0 holds 1 (int), row 1 'a' (str). "
            f"{TO_TEXT}",
        ),
        (
            np.zeros(1, dtype=[("x", object)]),
            "XCom cannot hold the array: a field of its dtype [('x', 'O')] holds Python objects. "
            "Convert it first",
        ),
    ],
)
def test_what_arrow_cannot_hold_is_refused_with_its_name_and_a_remedy(value, message, tmp_path):
    pattern = re.escape(message).replace(r"\.\*", ".*")

    assert re.fullmatch(pattern, refusal(value, tmp_path))


def test_attrs_that_are_no_plain_data_are_refused_by_their_key(tmp_path):
    frame = pd.DataFrame({"a": [1]})
    frame.attrs = {"fine": 1, "model": {"fitted": object()}}

    assert refusal(frame, tmp_path) == (
        "XCom cannot hold the attrs: key 'model': key 'fitted': it holds a object. "
        "Make it plain data, or delete it"
    )


def test_an_index_with_holidays_of_its_own_is_refused(tmp_path):
    offset = pd.offsets.CustomBusinessDay(holidays=["2024-01-02"])
    frame = pd.DataFrame({"a": range(3)}, index=pd.date_range("2024", periods=3, freq=offset))

    assert refusal(frame, tmp_path).endswith("Drop it: index.freq = None")


def test_one_bad_frame_among_good_ones_leaves_nothing_written(tmp_path):
    good, bad = pd.DataFrame({"a": range(1000)}), pd.DataFrame({"b": [1, "x"]})

    refusal({"good": good, "bad": [bad]}, tmp_path)


def test_a_dict_that_looks_like_a_stored_frame_is_refused():
    with pytest.raises(UnsupportedValueError, match="the key '@arrow', which marks stored frames"):
        has_part({"a": [{"@arrow": 1}]})

"""A frame that lies over a mapped file is an ordinary one: a task may do with it what it likes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ml_pipeline.xcom import codec, store
from ml_pipeline.xcom.files import Files
from ml_pipeline.xcom.region import Region
from ml_pipeline.xcom.settings import Settings

ROWS = 1_000


@pytest.fixture
def original():
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(generator.standard_normal((ROWS, 4)), columns=list("abcd"))
    return frame.assign(
        n=np.arange(ROWS),
        s=["text"] * ROWS,
        t=pd.date_range("2024", periods=ROWS, tz="UTC"),
        kind=pd.Categorical(["x", "y"] * (ROWS // 2)),
        i=pd.array([1, None] * (ROWS // 2), dtype="Int64"),
    )


@pytest.fixture
def file(original, tmp_path):
    files = Files(Settings(str(tmp_path)))
    return files.path(store.write(files, "task", codec.encode(original)).name)


@pytest.fixture
def mapped(file):
    return codec.decode(Region.over_file(file))


CHANGES = {
    "a column in place": lambda frame: frame.__setitem__("a", frame["a"] + 1),
    "a column by augmented assignment": lambda frame: frame.__setitem__(
        "a", frame["a"].__iadd__(1)
    ),
    "a cell by label": lambda frame: frame.loc.__setitem__((3, "a"), 7.0),
    "a cell by place": lambda frame: frame.iloc.__setitem__((3, 1), 7.0),
    "a cell": lambda frame: frame.at.__setitem__((3, "kind"), "y"),
    "rows by a condition": lambda frame: frame.loc.__setitem__((frame["b"] < 0, ["b", "d"]), 0.0),
    "a whole row": lambda frame: frame.loc.__setitem__(5, frame.loc[6]),
    "a text": lambda frame: frame.loc.__setitem__((3, "s"), "other"),
    "a moment": lambda frame: frame.loc.__setitem__((3, "t"), pd.NaT),
    "a nullable cell": lambda frame: frame.loc.__setitem__((3, "i"), 9),
    "a missing one": lambda frame: frame.fillna({"i": 0}, inplace=True),
    "a new column": lambda frame: frame.insert(0, "new", frame["a"] * 2),
    "one column less": lambda frame: frame.__delitem__("a"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_does_what_it_does_to_an_ordinary_frame_and_leaves_the_file(
    change, original, mapped, file
):
    checksum = hashlib.sha256(file.read_bytes()).hexdigest()

    change(mapped)
    change(original)

    pd.testing.assert_frame_equal(original, mapped, check_exact=True)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == checksum


def test_a_change_is_made_in_place_and_copies_no_column(mapped):
    before = mapped["a"].to_numpy()

    mapped.loc[3, "a"] = 7.0

    assert np.shares_memory(before, mapped["a"].to_numpy())


def test_a_change_is_not_seen_by_another_reader_of_the_file(mapped, file, original):
    mapped.iloc[:, 0] = 0.0

    pd.testing.assert_frame_equal(codec.decode(Region.over_file(file)), original)


def test_numpy_sees_what_it_sees_of_an_ordinary_frame(original, mapped):
    """Of one dtype: a view that pandas protects, in the same order; of several: an own copy."""
    for columns in (list("abcd"), ["a", "n"]):
        ours, ordinary = np.asarray(mapped[columns]), np.asarray(original[columns])
        assert ours.flags.writeable == ordinary.flags.writeable
        assert np.array_equal(ours, ordinary)
    assert np.asarray(mapped.iloc[:, :4]).flags.f_contiguous


def test_an_array_can_be_written_to(tmp_path):
    files = Files(Settings(str(tmp_path)))
    array = np.arange(12.0).reshape(3, 4)
    stored = store.write(files, "task", codec.encode(array))

    returned = codec.decode(store.read(files, stored))
    returned[1] *= 2
    returned.sort(axis=0)

    assert returned[2].tolist() == [8.0, 10.0, 12.0, 14.0]
    assert np.array_equal(codec.decode(store.read(files, stored)), array)


def test_a_model_fitted_on_it_is_the_same_to_the_last_bit(original, mapped):
    def coefficients(frame: pd.DataFrame) -> bytes:
        model = make_pipeline(StandardScaler(), LogisticRegression())
        model.fit(frame[list("abcd")], frame["a"] + frame["b"] > 0)
        return bytes(model[-1].coef_.tobytes())

    assert coefficients(mapped) == coefficients(original)


def test_it_outlives_its_file(mapped, original, file):
    file.unlink()

    pd.testing.assert_frame_equal(mapped, original)


def test_a_wide_frame_of_changing_dtypes_is_not_in_pieces(tmp_path):
    """Pandas warns of a fragmented frame when one with over a hundred pieces gets a new column."""
    columns = {f"c{number}": [number * (1 if number % 2 else 0.5)] for number in range(300)}
    files = Files(Settings(str(tmp_path)))
    stored = store.write(files, "task", codec.encode(pd.DataFrame(columns)))
    frame = codec.decode(store.read(files, stored))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame.insert(0, "new", 1)
    assert frame["c7"].item() == 7


PEAK = """
import resource, sys
from pathlib import Path
import numpy as np, pandas as pd
from ml_pipeline.xcom import codec, store
from ml_pipeline.xcom.files import Files
from ml_pipeline.xcom.settings import Settings

files = Files(Settings(sys.argv[1]))
if sys.argv[2] == "write":
    frame = pd.DataFrame(np.ones((31, 200_000)).T)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if sys.argv[2] == "write":
    stored = store.write(files, "task", codec.encode(frame))
    print(stored.name, stored.bytes, stored.sha256)
else:
    stored = store.StoredFile(sys.argv[3], int(sys.argv[4]), sys.argv[5])
    frame = codec.decode(store.read(files, stored))
    assert frame.to_numpy().sum() == 31 * 200_000
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_neither_writing_nor_reading_needs_a_second_frame(tmp_path):
    frame_kib = 31 * 200_000 * 8 // 1024

    stored, growth = run_peak(tmp_path, "write").splitlines()
    assert int(growth) < frame_kib // 5

    growth = run_peak(tmp_path, "read", *stored.split())
    assert int(growth) < frame_kib * 1.2  # the mapped pages, which the kernel can take back


def run_peak(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-c", PEAK, str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout

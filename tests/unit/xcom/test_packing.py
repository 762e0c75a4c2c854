"""Small values stay in the database, large ones go to files, each content of a task once."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import numpy as np
import pandas as pd
import pytest

from ml_pipeline.xcom import packing
from ml_pipeline.xcom.descriptor import INLINE, PATH, descriptors
from ml_pipeline.xcom.faults import XComError
from ml_pipeline.xcom.files import Files
from ml_pipeline.xcom.settings import DEFAULT_THRESHOLD, Settings
from tests.unit.xcom.passing import ORIGIN, files_below, packed

SMALL = pd.DataFrame({"a": [1, 2], "s": ["x", None]})
LARGE = pd.DataFrame({"a": np.arange(2_000.0)})
OTHER = pd.DataFrame({"a": np.arange(2_000.0) + 1})
SMALL_BYTES = packing._encode(SMALL, ORIGIN).bytes


@pytest.fixture
def files(tmp_path):
    return Files(Settings(str(tmp_path), threshold_bytes=SMALL_BYTES))


def key(name):
    return dataclasses.replace(ORIGIN, key=name)


def places(value):
    return [each.get(PATH, "database") for each in descriptors(value)]


# Where a value goes


def test_a_value_up_to_the_threshold_stays_in_the_database(files, tmp_path):
    stored = packed(SMALL, files)

    assert places(stored) == ["database"]
    assert files_below(tmp_path) == []
    pd.testing.assert_frame_equal(packing.unpack(stored, files), SMALL)


def test_a_value_above_the_threshold_goes_to_a_file_below_its_task(files, tmp_path):
    stored = packed(LARGE, files)

    (path,) = places(stored)
    assert files_below(tmp_path) == [path]
    assert path.rpartition("/")[0].startswith("dag/manual__2026-01-01T00-00-00-00-00")
    assert path.rpartition("/")[0].endswith("/task/unmapped")
    assert INLINE not in stored
    pd.testing.assert_frame_equal(packing.unpack(stored, files), LARGE)


def test_the_descriptor_says_length_and_checksum_of_the_file(files, tmp_path):
    stored = packed(LARGE, files)

    content = (tmp_path / stored[PATH]).read_bytes()
    assert stored["bytes"] == len(content)
    assert stored["sha256"] == hashlib.sha256(content).hexdigest()


def test_the_frames_of_one_value_share_the_room_in_the_database(files):
    stored = packed({"first": SMALL, "second": SMALL}, files)

    assert places(stored)[0] == "database"
    assert places(stored)[1] != "database"


def test_the_shipped_problem_stays_in_the_database_by_default(tmp_path):
    from ml_pipeline import pipeline
    from ml_pipeline.config import load
    from ml_pipeline.storage import CLONE

    config = load(CLONE / "config" / "breast_cancer.yaml")
    files = Files(Settings(str(tmp_path)))
    frame = pipeline.load_data(config)
    parts = pipeline.preprocess_data(frame, config)

    assert places(packed([frame, parts], files)) == ["database"] * 3
    assert packed(frame, files)["bytes"] < DEFAULT_THRESHOLD / 2


def test_a_validated_frame_keeps_its_kinds_and_its_report(files, tmp_path):
    from ml_pipeline.config import ProblemConfig
    from ml_pipeline.ml import dataset, validation

    rows = "".join(f"{'MB'[n % 2]},{n / 7},c{n % 3},{n % 28 + 1}.1.2024\n" for n in range(99))
    (tmp_path / "rows.csv").write_text("y,a,b,c\nM,,,\nM,n/a?,,\n" + rows)
    tree = {"data": {"path": "rows.csv"}, "target": {"column": "y", "positive": "M"}}
    config = ProblemConfig.validated(tree, tmp_path / "rows.yaml")
    frame = validation.validate(dataset.read_table(config), config)

    returned = packing.unpack(packing.pack(frame, ORIGIN, files), files)

    pd.testing.assert_frame_equal(returned, frame)
    assert returned.attrs == frame.attrs
    assert validation.report_of(returned)["findings"][0]["rows"] == [2]


def test_nested_values_keep_their_types_and_what_is_no_frame(files):
    value = {"n": 1, "parts": [(SMALL, {"deep": LARGE}), "text", None], "array": np.arange(3)}

    returned = packing.unpack(packing.pack(value, ORIGIN, files), files)

    assert list(returned) == ["n", "parts", "array"]
    assert type(returned["parts"][0]) is tuple
    pd.testing.assert_frame_equal(returned["parts"][0][0], SMALL)
    pd.testing.assert_frame_equal(returned["parts"][0][1]["deep"], LARGE)
    assert (returned["n"], returned["parts"][1:]) == (1, ["text", None])
    assert returned["array"].tolist() == [0, 1, 2]


def test_the_value_itself_is_left_as_it_is(files):
    value = {"frames": [SMALL, LARGE]}

    packing.pack(value, ORIGIN, files)

    assert value["frames"][0] is SMALL
    assert value["frames"][1] is LARGE


# One content, one file


def test_a_frame_under_several_keys_is_stored_once(files, tmp_path):
    stored = [
        packed(value, files, key(name))
        for name, value in {"a": LARGE, "b": LARGE.copy(), "return_value": {"a": LARGE}}.items()
    ]

    assert len({path for each in stored for path in places(each)}) == 1
    assert len([name for name in files_below(tmp_path) if name.endswith(".arrow")]) == 1


def test_a_frame_that_was_changed_in_between_is_stored_again(files):
    frame = LARGE.copy()
    before = packed(frame, files, key("a"))
    frame.loc[0, "a"] = -1.0
    after = packed(frame, files, key("b"))

    assert places(before) != places(after)
    assert packing.unpack(before, files).loc[0, "a"] == 0.0
    assert packing.unpack(after, files).loc[0, "a"] == -1.0


@pytest.mark.parametrize("order", [["a", "b", "c"], ["c", "a", "b"], ["b", "c", "a"]])
def test_a_shared_file_stays_until_the_last_key_lets_go(order, files, tmp_path):
    path = {places(packed(LARGE, files, key(name)))[0] for name in "abc"}.pop()

    for name in order:
        assert files.exists(path)
        files.release(path, name)

    assert files_below(tmp_path) == []


def test_a_file_that_was_removed_is_not_shared(files):
    (path,) = places(packed(LARGE, files, key("a")))
    files.release(path, "a")

    stored = packed(LARGE, files, key("b"))

    pd.testing.assert_frame_equal(packing.unpack(stored, files), LARGE)


def test_another_task_does_not_share(files):
    first = packed(LARGE, files)
    second = packed(LARGE, files, dataclasses.replace(ORIGIN, map_index=0))

    assert places(first) != places(second)
    assert places(second)[0].split("/")[-2] == "0"


def test_the_second_try_of_a_task_writes_files_of_its_own(files, monkeypatch):
    """A slow first try that was given up must not lose its file to the second, nor overwrite it."""
    first = packed(LARGE, files)
    monkeypatch.setattr(packing, "_shelf", packing._Shelf())

    assert places(packed(LARGE, files)) != places(first)


# What goes wrong


def test_if_one_file_cannot_be_written_none_stays(files, tmp_path, monkeypatch):
    write = packing.store.write

    def fail_at_the_second(files, folder, table):
        if files_below(tmp_path):
            raise XComError("no room")
        return write(files, folder, table)

    monkeypatch.setattr(packing.store, "write", fail_at_the_second)
    with pytest.raises(XComError, match="no room"):
        packing.pack([LARGE, OTHER], ORIGIN, files)
    assert files_below(tmp_path) == []


def test_a_file_that_is_gone_is_one_line_with_key_task_and_remedy(files, tmp_path):
    stored = packed(LARGE, files)
    (tmp_path / stored[PATH]).unlink()

    with pytest.raises(XComError) as caught:
        packing.unpack(stored, files)
    assert str(caught.value) == (
        "XCom 'return_value' of dag.task, run manual__2026-01-01T00:00:00+00:00 is gone: "
        f"no {stored[PATH]} below {tmp_path}. `ml-pipeline prune` or a cleared task removed it. "
        "Clear its task to make it again"
    )


def damage_cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def damage_footer(path):
    path.write_bytes(path.read_bytes()[:-6] + b"broken")


def damage_nothing_left(path):
    path.write_bytes(b"")


def damage_zeros(path):
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize("damage", [damage_cut, damage_footer, damage_nothing_left, damage_zeros])
def test_a_damaged_file_is_one_line(damage, files, tmp_path):
    stored = packed(LARGE, files)
    damage(tmp_path / stored[PATH])

    with pytest.raises(
        XComError, match=r"^XCom 'return_value' of dag.task.* cannot be read: .*again$"
    ):
        packing.unpack(stored, files)


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_flipped_bit_is_found_when_every_read_is_to_be_verified(files, tmp_path):
    stored = packed(LARGE, files)
    flip_a_bit(tmp_path / stored[PATH])

    assert not packing.unpack(stored, files).equals(LARGE)
    strict = Files(dataclasses.replace(files.settings, is_verified=True))
    with pytest.raises(XComError, match=r"the checksum of .* is another"):
        packing.unpack(stored, strict)


def test_a_value_in_the_database_that_was_tampered_with_is_refused(files):
    stored = packed(SMALL, files)

    with pytest.raises(XComError, match="its checksum is another"):
        packing.unpack({**stored, "sha256": "0" * 64}, files)
    with pytest.raises(XComError, match="cannot be read"):
        packing.unpack({**stored, INLINE: "no base64"}, files)


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside.arrow", "a/../../b.arrow", ""])
def test_a_descriptor_that_leads_out_of_the_folder_is_refused(path, files):
    stored = {**packed(LARGE, files), PATH: path}

    with pytest.raises(XComError, match="leads out of its folder"):
        packing.unpack(stored, files)


def test_a_newer_format_is_refused(files):
    with pytest.raises(XComError, match="has format 2; this version reads 1"):
        packing.unpack({**packed(SMALL, files), "@arrow": 2}, files)


def test_a_moved_folder_still_holds_its_history(files, tmp_path):
    stored = packed(LARGE, files)
    moved = tmp_path.rename(tmp_path.with_name("moved elsewhere"))

    returned = packing.unpack(stored, Files(Settings(str(moved))))

    pd.testing.assert_frame_equal(returned, LARGE)


def test_what_is_stored_is_json_that_postgresql_takes(files):
    """JSONB refuses NUL in a text, and no encoder writes NaN or a lone surrogate that it reads."""
    frame = pd.DataFrame({"a\0b": ["x\0y", "\t"], "n": [np.nan, np.inf]})

    text = json.dumps(packing.pack(frame, key("odd\0key"), files), allow_nan=False)

    assert "\\u0000" not in text
    pd.testing.assert_frame_equal(packing.unpack(json.loads(text), files), frame)

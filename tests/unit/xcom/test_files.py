"""Files are whole or absent, also after kill -9 and on a full disk; names are safe everywhere."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from upath import UPath

from ml_pipeline.xcom import codec, packing, store
from ml_pipeline.xcom.descriptor import PATH, Origin
from ml_pipeline.xcom.faults import XComError
from ml_pipeline.xcom.files import Files, remove_empty_folders, task_folder, written_before
from ml_pipeline.xcom.settings import Settings
from tests.unit.xcom.passing import ORIGIN, files_below, packed

FRAME = pd.DataFrame({"a": np.arange(1_000.0)})
LATER = time.time() + 3_600


@pytest.fixture(params=["local", "memory"])
def files(request, tmp_path):
    """Files on this machine, and on the nearest to object storage that needs no server."""
    if request.param == "local":
        yield Files(Settings(str(tmp_path / "xcom"), threshold_bytes=0))
        return
    root = UPath(f"memory:///{tmp_path.name}/xcom")
    yield Files(Settings(str(root), threshold_bytes=0), root)
    root.fs.store.clear()


def names(files):
    found = (path for path in files.root.rglob("*") if path.is_file())
    return sorted(str(path)[len(str(files.root)) :].strip("/") for path in found)


# On any storage


def test_a_value_comes_back(files):
    stored = packed({"frame": FRAME}, files)

    pd.testing.assert_frame_equal(packing.unpack(stored, files)["frame"], FRAME)


def test_a_value_from_remote_storage_can_be_changed_too(files):
    frame = packing.unpack(packed(FRAME, files), files)

    frame.loc[0, "a"] = 7.0

    assert frame.loc[0, "a"] == 7.0


def test_a_file_is_named_by_its_descriptor_relative_to_the_folder(files):
    stored = packed(FRAME, files)

    assert names(files) == [stored[PATH]]


def test_a_remote_file_is_always_verified(tmp_path):
    root = UPath(f"memory:///{tmp_path.name}")
    files = Files(Settings(str(root), threshold_bytes=0), root)
    stored = packed(FRAME, files)
    content = bytearray((root / stored[PATH]).read_bytes())
    content[len(content) // 2] ^= 1
    (root / stored[PATH]).write_bytes(bytes(content))

    with pytest.raises(XComError, match=r"the checksum of .* is another"):
        packing.unpack(stored, files)


def test_keys_share_a_file_until_the_last_lets_go(files):
    (path,) = {packed(FRAME, files, replace(ORIGIN, key=key))[PATH] for key in "ab"}

    files.release(path, "a")
    assert files.exists(path)
    files.release(path, "b")
    assert names(files) == []


def test_releasing_what_is_gone_already_is_no_error(files):
    files.release("dag/run/task/unmapped/0000.arrow", "key")


def test_old_files_are_found_with_their_length_and_others_left_out(files):
    stored = packed(FRAME, files)
    (files.root / "somebody else's file.csv").write_bytes(b"kept")

    (found,) = written_before(files, LATER)

    assert (found.owner, found.bytes) == (stored[PATH], stored["bytes"])
    assert found.path.read_bytes() == (files.root / stored[PATH]).read_bytes()


def test_what_was_written_just_now_is_not_old(files):
    packed(FRAME, files)

    assert list(written_before(files, time.time() - 60)) == []


def test_where_nothing_was_stored_yet_nothing_is_old(files):
    assert list(written_before(files, LATER)) == []


# On this machine


def test_marks_and_half_written_files_say_which_file_they_belong_to(tmp_path):
    for name in ("1.arrow", f"1.arrow.{'0' * 16}.shared", "2.arrow.partial"):
        (tmp_path / name).touch()

    found = list(written_before(Files(Settings(str(tmp_path))), LATER))

    assert [each.owner for each in found] == ["1.arrow", "1.arrow", None]


def test_folders_that_a_removed_file_leaves_empty_go_and_others_stay(tmp_path):
    files = Files(Settings(str(tmp_path), threshold_bytes=0))
    packed(FRAME, files, replace(ORIGIN, run_id="other"))
    packed(FRAME, files, replace(ORIGIN, run_id="one"))
    (found,) = (each for each in written_before(files, LATER) if "/one/" in str(each.owner))
    remove_empty_folders(files, found)
    assert found.path.exists()

    found.path.unlink()
    remove_empty_folders(files, found)

    assert [path.name for path in (tmp_path / "dag").iterdir()] == ["other"]


def test_the_folder_is_the_owner_s_alone(tmp_path):
    files = Files(Settings(str(tmp_path / "xcom"), threshold_bytes=0))

    packed(FRAME, files)

    assert (tmp_path / "xcom").stat().st_mode & 0o777 == 0o700


WRITER = """
import sys
import numpy as np, pandas as pd
from ml_pipeline.xcom import codec, store
from ml_pipeline.xcom.files import Files
from ml_pipeline.xcom.settings import Settings

files = Files(Settings(sys.argv[1]))
table = codec.encode(pd.DataFrame(np.ones((30, 500_000)).T))
while True:
    stored = store.write(files, "task", table)
    print(stored.name, stored.bytes, stored.sha256, flush=True)
"""


def test_kill_9_in_mid_write_leaves_no_half_file_under_a_name_that_anything_refers_to(tmp_path):
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        stored = said(writer.stdout.readline())
        await_half_file(tmp_path / "task")
        os.kill(writer.pid, signal.SIGKILL)
        whole = [stored, *map(said, writer.stdout)]

    files = Files(Settings(str(tmp_path), is_verified=True))
    for each in whole:
        codec.decode(store.read(files, each))
    (half,) = [path.name for path in (tmp_path / "task").iterdir() if path.suffix == ".partial"]
    sizes = {path.stat().st_size for path in (tmp_path / "task").glob("*.arrow")}
    assert sizes == {stored.bytes}

    left = [each.path.name for each in written_before(files, LATER) if each.owner is None]
    assert left == [half]


def said(line: str) -> store.StoredFile:
    name, length, checksum = line.split()
    return store.StoredFile(name, int(length), checksum)


def await_half_file(folder: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for path in folder.glob("*.partial"):
            try:
                if path.stat().st_size > 2**20:
                    return
            except FileNotFoundError:
                continue
    pytest.fail("no file was seen in mid-write")


FULL_DISK = """
import resource, sys
import numpy as np, pandas as pd
from ml_pipeline.errors import PipelineError
from ml_pipeline.xcom import packing
from ml_pipeline.xcom.files import Files
from ml_pipeline.xcom.settings import Settings
from tests.unit.xcom.passing import ORIGIN

resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, resource.RLIM_INFINITY))
frame = pd.DataFrame(np.ones((30, 50_000)).T)
try:
    packing.pack(frame, ORIGIN, Files(Settings(sys.argv[1])))
except PipelineError as error:
    print(error)
"""


def test_no_room_is_one_line_and_leaves_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True
    )

    assert done.stdout == (
        f"cannot write XComs below {tmp_path}: File too large. "
        "Make room (ml-pipeline prune), or name another place in ML_PIPELINE_XCOM_URL\n"
    ), done.stderr
    assert files_below(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "xcom").write_text("a file")

    with pytest.raises(XComError, match=r"^cannot write XComs below .*/xcom: .*XCOM_URL$"):
        packed(FRAME, Files(Settings(str(tmp_path / "xcom"), threshold_bytes=0)))


# Names


NAMES = {
    "a run id": ("dag", "scheduled__2026-01-01T00:00:00.123456+00:00", "task"),
    "slashes and dots": ("../dag", "a/b/../c", ".."),
    "the longest": ("d" * 250, "r" * 250, "t" * 250),
    "the longest in bytes": ("ö" * 250, "名" * 250, "🎉" * 250),
    "blanks and quotes": ("my dag", "run 'one'", 'task "two"'),
    "a task group": ("dag", "run", "group.task"),
}


@pytest.mark.parametrize("ids", NAMES.values(), ids=NAMES)
def test_a_value_of_any_dag_run_and_task_comes_back(ids, tmp_path):
    dag_id, run_id, task_id = ids
    origin = Origin(dag_id, run_id, task_id, 7, "return_value")
    files = Files(Settings(str(tmp_path), threshold_bytes=0))

    stored = packed(FRAME, files, origin)

    pd.testing.assert_frame_equal(packing.unpack(stored, files), FRAME)
    parts = stored[PATH].split("/")
    assert len(parts) == 5
    assert all(len(part.encode()) <= 120 and part not in (".", "..") for part in parts)
    assert parts[3] == "7"


def test_ids_that_differ_only_in_what_file_systems_fold_do_not_share_a_folder():
    pairs = [("Dag", "dag"), ("a:b", "a+b"), ("run", "Run"), ("x" * 249 + "a", "x" * 249 + "b")]
    for one, other in pairs:
        folders = {task_folder(dag, "run", "task", -1).casefold() for dag in (one, other)}
        assert len(folders) == 2

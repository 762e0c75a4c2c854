from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from ml_pipeline.errors import StackError
from ml_pipeline.ops import stack_record
from ml_pipeline.ops.project import Project
from ml_pipeline.ops.stack_record import SOCKET_PATH_BYTES, StackRecord
from ml_pipeline.ops.start_time import start_of

OURSELVES = StackRecord(os.getpid(), start_of(psutil.Process()), "marker", "127.0.0.1", 8080)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_record_when_written_is_read_back(project: Project) -> None:
    stack_record.write(project, OURSELVES)
    assert stack_record.read(project) == OURSELVES


@pytest.mark.parametrize("text", ["", "{", "[]", '{"keeper_pid": 1}'])
def test_record_when_damaged_is_as_if_absent(project: Project, text: str) -> None:
    stack_record.write(project, OURSELVES)
    (project.run / "stack.json").write_text(text)
    assert stack_record.read(project) is None


def test_keeper_when_its_pid_was_used_again_is_gone() -> None:
    assert OURSELVES.keeper() is not None
    assert replace(OURSELVES, keeper_start=OURSELVES.keeper_start - 60).keeper() is None


def test_keeper_when_the_machine_was_booted_since_is_gone() -> None:
    assert replace(OURSELVES, boot="another").keeper() is None


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a start does not move")
@pytest.mark.parametrize("seconds", [-3600, -1, 1, 3600])
def test_keeper_when_the_clock_was_set_is_there_still(
    seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel keeps the boot's time in step with the clock, and psutil adds it to each start."""
    booted = psutil.boot_time()
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: booted + seconds)
    assert OURSELVES.keeper() is not None


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://localhost:8080"),
        ("0.0.0.0", "http://localhost:8080"),
        ("192.0.2.7", "http://192.0.2.7:8080"),
        ("::1", "http://[::1]:8080"),
    ],
)
def test_url_is_one_that_a_browser_on_this_machine_can_open(host: str, url: str) -> None:
    assert replace(OURSELVES, host=host).url == url


def test_lock_when_held_is_refused_to_others_and_free_afterwards(project: Project) -> None:
    with stack_record.lock(project):
        assert stack_record.is_locked(project)
        with pytest.raises(StackError, match="under way"), stack_record.lock(project):
            pass
    assert not stack_record.is_locked(project)


def test_socket_file_when_the_clone_lies_deep_is_still_short_and_its_own(tmp_path: Path) -> None:
    deep, deeper = (Project(tmp_path / ("d" * length)) for length in (120, 121))
    paths = [stack_record.socket_file(project) for project in (deep, deeper)]
    assert all(len(os.fsencode(path)) <= SOCKET_PATH_BYTES for path in paths)
    assert paths[0] != paths[1]


def test_socket_file_when_another_shell_has_another_tmpdir_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = Project(tmp_path / ("d" * 120))
    before = stack_record.socket_file(deep)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert stack_record.socket_file(deep) == before


def test_socket_folder_when_made_is_ours_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack_record, "SHORT_FOLDER", tmp_path)
    deep = Project(tmp_path / ("d" * 120))
    for _ in ("new", "there already"):
        stack_record.make_socket_folder(deep)
    assert stack_record.socket_file(deep).parent.stat().st_mode & 0o777 == 0o700


def test_socket_folder_when_somebody_put_a_link_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack_record, "SHORT_FOLDER", tmp_path)
    deep, theirs = Project(tmp_path / ("d" * 120)), tmp_path / "theirs"
    theirs.mkdir()
    stack_record.socket_file(deep).parent.symlink_to(theirs)
    with pytest.raises(StackError, match="is not ours"):
        stack_record.make_socket_folder(deep)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_socket_folder_when_another_user_made_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack_record, "SHORT_FOLDER", tmp_path)
    deep = Project(tmp_path / ("d" * 120))
    stack_record.make_socket_folder(deep)
    os.chown(stack_record.socket_file(deep).parent, 65534, 65534)
    with pytest.raises(StackError, match="is not ours"):
        stack_record.make_socket_folder(deep)


def test_socket_file_when_the_path_is_short_lies_in_the_clone() -> None:
    assert stack_record.socket_file(Project(Path("/srv/clone"))).is_relative_to("/srv/clone")

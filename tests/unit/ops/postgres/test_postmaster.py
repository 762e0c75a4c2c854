"""A pid file is believed only when a living PostgreSQL of that data folder has the pid."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from ml_pipeline.ops.postgres import postmaster

StartFake = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def start_fake(tmp_path: Path) -> Iterator[StartFake]:
    """Start a process that is called `postgres` and stands in a folder."""
    program = tmp_path / "postgres"
    shutil.copy2(shutil.which("sleep") or "/bin/sleep", program)
    started: list[subprocess.Popen[bytes]] = []

    def start(folder: Path) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([program, "60"], cwd=folder))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def note(data: Path, pid: int, status: str = "ready   ") -> Path:
    """Write a pid file as PostgreSQL does."""
    file = data / "postmaster.pid"
    file.write_text(f"{pid}\n{data}\n1700000000\n54321\n\n127.0.0.1\n  1 2\n{status}\n")
    return file


def dead_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_find_without_a_pid_file_is_none(data: Path) -> None:
    assert postmaster.find(data) is None


@pytest.mark.parametrize("text", ["", "garbage", "\n\n", "-1\n/data\n0\n0\n", "0\n/data\n0\n0\n"])
def test_find_with_an_unfinished_pid_file_is_none(data: Path, text: str) -> None:
    (data / "postmaster.pid").write_text(text)
    assert postmaster.find(data) is None


def test_find_when_the_pid_is_dead_is_none(data: Path) -> None:
    note(data, dead_pid())
    assert postmaster.find(data) is None


def test_find_when_the_pid_belongs_to_another_program_is_none(data: Path) -> None:
    note(data, os.getpid())
    assert postmaster.find(data) is None


def test_find_when_the_pid_belongs_to_a_server_of_another_folder_is_none(
    data: Path, tmp_path: Path, start_fake: StartFake
) -> None:
    note(data, start_fake(tmp_path).pid)
    assert postmaster.find(data) is None


def test_find_when_the_server_is_a_zombie_is_none(data: Path, start_fake: StartFake) -> None:
    process = start_fake(data)
    note(data, process.pid)
    process.kill()
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    assert postmaster.find(data) is None


def test_find_when_the_server_stands_in_the_folder_is_its_process(
    data: Path, start_fake: StartFake
) -> None:
    process = start_fake(data)
    note(data, process.pid)
    assert postmaster.find(data) == psutil.Process(process.pid)


def test_clear_remains_when_the_server_lives_keeps_its_pid_file(
    data: Path, start_fake: StartFake
) -> None:
    file = note(data, start_fake(data).pid)
    postmaster.clear_remains(data)
    assert file.exists()


@pytest.mark.parametrize("owner", [dead_pid, os.getpid])
def test_clear_remains_when_the_pid_is_not_the_servers_removes_the_file(
    data: Path, owner: Callable[[], int]
) -> None:
    file = note(data, owner())
    postmaster.clear_remains(data)
    assert not file.exists()


def test_clear_remains_ends_a_child_of_the_dead_server_and_no_other(
    data: Path, tmp_path: Path, start_fake: StartFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postmaster, "BACKEND_EXIT_SECONDS", 0.3)
    child, stranger = start_fake(data), start_fake(tmp_path)
    file = note(data, dead_pid())
    postmaster.clear_remains(data)
    assert child.poll() is not None
    assert stranger.poll() is None
    assert not file.exists()


def test_clear_remains_when_it_cannot_see_whose_a_process_is_spares_it_and_the_file(
    data: Path, start_fake: StartFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root in a container: another user's current folder is not to be seen."""

    def closed(process: psutil.Process) -> str:
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setattr(psutil.Process, "cwd", closed)
    monkeypatch.setattr(postmaster, "BACKEND_EXIT_SECONDS", 0.3)
    unknown = start_fake(data)
    file = note(data, dead_pid())
    postmaster.clear_remains(data)
    assert unknown.poll() is None
    assert file.exists()


def test_read_pid_file_tells_port_and_readiness(data: Path) -> None:
    note(data, 7)
    noted = postmaster.read_pid_file(data)
    assert noted is not None
    assert (noted.pid, noted.port, noted.is_ready) == (7, 54321, True)
    note(data, 7, status="starting")
    assert not (postmaster.read_pid_file(data) or noted).is_ready

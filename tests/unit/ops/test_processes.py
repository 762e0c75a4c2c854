"""Which processes belong to a stack, by the keeper's session."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import psutil
import pytest

from ml_pipeline.ops import processes
from ml_pipeline.ops.stack_record import StackRecord
from ml_pipeline.ops.start_time import start_of

HOUR_SECONDS = 3600.0


@pytest.fixture
def leader() -> Iterator[psutil.Process]:
    """A session of two processes, as a keeper's and as any shell's: its leader."""
    started = subprocess.Popen(
        ["/bin/sh", "-c", "sleep 60 & echo; wait"], start_new_session=True, stdout=subprocess.PIPE
    )
    assert started.stdout is not None
    started.stdout.readline()  # the second one is there
    yield psutil.Process(started.pid)
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()
    started.stdout.close()


def test_ours_when_processes_are_in_the_keepers_session_then_they_are_found(
    leader: psutil.Process,
) -> None:
    assert _found(_record(leader.pid, start_of(leader))) == _session_of(leader)


def test_ours_when_the_leader_is_dead_then_the_rest_of_its_session_is_found(
    leader: psutil.Process,
) -> None:
    record, left = _record(leader.pid, start_of(leader)), _session_of(leader) - {leader.pid}
    leader.kill()
    leader.wait()
    assert _found(record) == left


def test_ours_when_the_keepers_number_was_given_to_a_strangers_session_then_nothing_is_found(
    leader: psutil.Process,
) -> None:
    assert _found(_record(leader.pid, start_of(leader) - HOUR_SECONDS)) == set()


def test_ours_when_the_machine_was_booted_since_then_nothing_is_found(
    leader: psutil.Process,
) -> None:
    record = _record(leader.pid, start_of(leader))
    leader.kill()
    leader.wait()
    assert _found(replace(record, boot="another")) == set()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a start does not move")
@pytest.mark.parametrize("seconds", [-3600, -1, 1, 3600])
def test_ours_when_the_clock_was_set_then_the_same_processes_are_found(
    seconds: float, leader: psutil.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, booted = _record(leader.pid, start_of(leader)), psutil.boot_time()
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: booted + seconds)
    assert _found(record) == _session_of(leader)


def _record(pid: int, start: float) -> StackRecord:
    return StackRecord(pid, start, "a marker that nobody bears", "127.0.0.1", 8080)


def _found(record: StackRecord) -> set[int]:
    return {process.pid for process in processes.ours(record)}


def _session_of(leader: psutil.Process) -> set[int]:
    return {leader.pid, *(child.pid for child in leader.children())}


SHARES_ITS_MEMORY = f"""
import os, time
block = b"x" * {64 * 2**20}
for _ in range(3):
    if os.fork() == 0:
        time.sleep(1000)
print(flush=True)
time.sleep(1000)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="no other system tells who shares a page")
def test_memory_of_a_tree_counts_once_what_its_processes_share() -> None:
    command = [sys.executable, "-c", SHARES_ITS_MEMORY]
    with subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE) as tree:
        assert tree.stdout is not None
        try:
            tree.stdout.readline()
            assert 64 * 2**20 < processes.tree_memory_bytes(tree.pid) < 2 * 64 * 2**20
        finally:
            os.killpg(tree.pid, signal.SIGKILL)

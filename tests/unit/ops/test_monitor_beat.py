from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ml_pipeline.ops.monitor_beat import FRESH_SECONDS, MONITOR, Pulse, Watch, is_fresh, last_beat
from ml_pipeline.ops.project import Project
from ml_pipeline.ops.start_time import start_of

LOOKS = 3


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    project.run.mkdir(parents=True)
    return project


@pytest.fixture
def other(project: Project) -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands in for the monitor: its sign of life is on file."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    start = start_of(psutil.Process(process.pid))
    (project.run / f"{MONITOR}.beat").write_text(f"{process.pid} {start}")
    yield process
    process.send_signal(signal.SIGKILL)
    process.wait()


def grow_older(project: Project, seconds: float) -> None:
    beat = last_beat(project)
    assert beat
    os.utime(project.run / f"{MONITOR}.beat", (beat.at - seconds, beat.at - seconds))


def test_beat_names_this_process_and_is_fresh(project: Project) -> None:
    Pulse(project).beat()
    beat = last_beat(project)
    assert beat and beat.process() == psutil.Process()
    assert is_fresh(project, os.getpid())
    assert not is_fresh(project, os.getppid())


def test_beat_when_old_is_not_fresh_and_the_next_one_is(project: Project) -> None:
    pulse = Pulse(project)
    pulse.beat()
    grow_older(project, FRESH_SECONDS + 1)
    assert not is_fresh(project, os.getpid())
    pulse.beat()
    assert is_fresh(project, os.getpid())


def test_beat_of_a_predecessor_ends_with_its_successor(project: Project) -> None:
    Pulse(project).beat()
    Pulse(project)
    assert last_beat(project) is None


def test_watch_when_the_beat_stays_the_same_returns_who_hangs(
    project: Project, other: subprocess.Popen[bytes]
) -> None:
    watch = Watch(project, LOOKS)
    assert [watch.hanging() for _ in range(LOOKS)] == [None] * LOOKS
    assert watch.hanging() == psutil.Process(other.pid)


def test_watch_when_the_beat_changes_begins_to_count_anew(
    project: Project, other: subprocess.Popen[bytes]
) -> None:
    watch = Watch(project, LOOKS)
    for _ in range(3 * LOOKS):
        assert watch.hanging() is None
        grow_older(project, 1)


def test_watch_when_the_pid_was_used_again_returns_nobody(
    project: Project, other: subprocess.Popen[bytes]
) -> None:
    file = project.run / f"{MONITOR}.beat"
    pid, created_at = file.read_text().split()
    file.write_text(f"{pid} {float(created_at) - 100}")
    watch = Watch(project, LOOKS)
    assert [watch.hanging() for _ in range(3 * LOOKS)] == [None] * 3 * LOOKS


def test_watch_when_there_is_no_beat_returns_nobody(project: Project) -> None:
    watch = Watch(project, LOOKS)
    assert [watch.hanging() for _ in range(3 * LOOKS)] == [None] * 3 * LOOKS

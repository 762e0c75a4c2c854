"""How a stack ends: `down`, each signal of the design's table, a moved folder, a taken port."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from ml_pipeline.ops import stack_record
from tests.running_clone import DAG_ID, Clone, eventually, user_environment

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(500)]


@pytest.fixture
def stopped(clone: Clone) -> Clone:
    """Return the clone with nothing running."""
    record = clone.record
    down = clone.down()
    assert down.returncode == 0, down.stdout + down.stderr
    assert clone.left(record) == []
    return clone


def foreground(clone: Clone, *arguments: str) -> subprocess.Popen[bytes]:
    """Start as a user does in a terminal of their own; its output goes nowhere."""
    master, terminal = pty.openpty()
    command = f"exec ./start_airflow.sh --port {clone.port} {' '.join(arguments)}"
    process = subprocess.Popen(
        ["bash", "-c", f". ./airflow_postgresql_env.sh && {command}"],
        cwd=clone.root,
        env=user_environment(),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    os.set_blocking(master, False)
    process.terminal = master  # type: ignore[attr-defined]
    return process


def drain(process: subprocess.Popen[bytes]) -> bytes:
    """Read what came, so that the terminal's buffer never blocks the writer."""
    try:
        return os.read(process.terminal, 65536)  # type: ignore[attr-defined]
    except OSError:
        return b""


def await_exit(process: subprocess.Popen[bytes], within_seconds: float = 120) -> int:
    def has_ended() -> bool:
        drain(process)
        return process.poll() is not None

    eventually(has_ended, within_seconds)
    return int(process.returncode)


def await_text(process: subprocess.Popen[bytes], text: bytes) -> None:
    seen = bytearray()

    def has_come() -> bool:
        seen.extend(drain(process))
        return text in seen

    eventually(has_come, 120, lambda: seen.decode(errors="replace"))


def assert_database_was_shut_down_cleanly(clone: Clone) -> None:
    log = clone.sh("ml-pipeline logs postgres -n 30").stdout
    assert log.rstrip().endswith("database system is shut down"), log


def test_down_when_running_leaves_nothing_and_says_so(stopped: Clone) -> None:
    assert not stopped.status()["running"]
    assert_database_was_shut_down_cleanly(stopped)
    again = stopped.down()
    assert (again.returncode, again.stdout.strip()) == (0, "Nothing was running.")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_up_when_signalled_stops_everything_and_exits_by_that_signal(
    stopped: Clone, number: signal.Signals
) -> None:
    process = foreground(stopped, "--no-run")
    await_text(process, b"Ctrl-C stops everything")
    record = stopped.record
    process.send_signal(number)
    assert await_exit(process) == 128 + number
    assert stopped.left(record) == []
    assert_database_was_shut_down_cleanly(stopped)


def test_up_when_its_terminal_is_closed_stops_everything(stopped: Clone) -> None:
    process = foreground(stopped, "--no-run")
    await_text(process, b"Ctrl-C stops everything")
    record = stopped.record
    os.close(process.terminal)  # type: ignore[attr-defined]
    process.send_signal(signal.SIGHUP)  # what the kernel sends to a session whose terminal is gone
    process.wait(120)
    eventually(lambda: stopped.left(record) == [])
    assert_database_was_shut_down_cleanly(stopped)


def test_up_when_killed_everything_ends_by_itself(stopped: Clone) -> None:
    process = foreground(stopped, "--no-run")
    await_text(process, b"Ctrl-C stops everything")
    record = stopped.record
    process.kill()
    process.wait()
    eventually(lambda: stopped.left(record) == [], 90)
    assert_database_was_shut_down_cleanly(stopped)
    assert not stack_record.is_locked(stopped.project)


def test_up_when_interrupted_during_the_start_stops_and_the_next_start_works(
    stopped: Clone,
) -> None:
    process = foreground(stopped, "--no-run")
    await_text(process, b"Starting")
    process.send_signal(signal.SIGINT)
    assert await_exit(process) == 128 + signal.SIGINT
    assert stopped.up("--no-run").returncode == 0


def test_up_when_the_port_is_taken_names_the_holder_and_starts_nothing(stopped: Clone) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", stopped.port))
        listener.listen(1)
        start = stopped.up("--no-run")
    assert start.returncode == 1
    assert f"Port {stopped.port} is taken by process {os.getpid()}" in start.stderr
    assert "--port" in start.stderr
    assert not stopped.status()["running"]


def test_clone_when_moved_while_stopped_starts_with_its_history(
    stopped: Clone, tmp_path: Path
) -> None:
    runs_before = (stopped.root / "results").is_dir()
    home = stopped.root
    moved = tmp_path / ("Übung mit Leerzeichen " + "x" * 60)
    shutil.move(home, moved)
    try:
        there = Clone(moved, stopped.port)
        start = there.up("--no-run")
        assert start.returncode == 0, start.stdout + start.stderr
        assert runs_before
        assert there.api().has_run(DAG_ID)
        record = there.record
        assert there.down().returncode == 0
        assert there.left(record) == []
    finally:
        shutil.move(moved, home)


def test_dags_test_when_the_stack_is_down_starts_the_database_and_stops_it_again(
    stopped: Clone,
) -> None:
    result = stopped.sh(f"airflow dags test {DAG_ID}", timeout_seconds=250)
    assert result.returncode == 0, result.stdout + result.stderr
    assert stopped.sh("ml-pipeline db stop").returncode == 0
    assert_database_was_shut_down_cleanly(stopped)

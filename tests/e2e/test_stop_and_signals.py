"""How a stack ends: `down`, each signal of the design's table, a moved folder, a taken port."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ml_pipeline.ops import stack_record
from tests.running_clone import DAG_ID, START_SECONDS, Clone, eventually, user_environment

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(500)]
RUNNING = "Ctrl-C stops everything"
STOP_SECONDS = 120
FirstStart = tuple[Clone, subprocess.CompletedProcess[str]]


@pytest.fixture
def stopped(first_start: FirstStart) -> Clone:
    """Return the clone with nothing running."""
    clone, _ = first_start
    down = clone.down()
    assert down.returncode == 0, down.stdout + down.stderr
    return clone


class Terminal:
    """`start_airflow.sh` as a user runs it, in a terminal of its own."""

    def __init__(self, clone: Clone, *arguments: str) -> None:
        self.screen, terminal = pty.openpty()
        command = f"exec ./start_airflow.sh --port {clone.port} {' '.join(arguments)}"
        self.process = subprocess.Popen(
            ["bash", "-c", f". ./airflow_postgresql_env.sh && {command}"],
            cwd=clone.root,
            env=user_environment(),
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        os.set_blocking(self.screen, False)
        self.text = ""

    def await_text(self, text: str) -> None:
        def is_settled() -> bool:
            return text in self.read() or self.process.poll() is not None

        eventually(is_settled, START_SECONDS, lambda: self.text)
        assert text in self.read(), self.text

    def await_exit(self) -> int:
        """Wait for the end, reading on: a full buffer would block the writer."""
        eventually(lambda: self.read() and self.process.poll() is not None, STOP_SECONDS)
        return int(self.process.returncode)

    def read(self) -> str:
        with suppress(OSError):  # nothing new, or the other side is closed
            self.text += os.read(self.screen, 65536).decode(errors="replace")
        return self.text

    def close(self) -> None:
        os.close(self.screen)
        self.screen = -1

    def end(self) -> None:
        """Whatever the test did: let nothing outlive it."""
        if self.process.poll() is None:
            self.process.terminate()
        if self.screen >= 0:
            self.await_exit()
            self.close()
        self.process.wait(STOP_SECONDS)


@pytest.fixture
def start_in_terminal(stopped: Clone) -> Iterator[Callable[..., Terminal]]:
    """Return a function that starts the stopped clone in a terminal; it is ended afterwards."""
    terminals: list[Terminal] = []

    def start(*arguments: str) -> Terminal:
        terminals.append(Terminal(stopped, *arguments))
        return terminals[-1]

    yield start
    for terminal in terminals:
        terminal.end()


Start = Callable[..., Terminal]


def assert_database_was_shut_down_cleanly(clone: Clone) -> None:
    log = clone.sh("ml-pipeline logs postgres -n 30").stdout
    assert log.rstrip().endswith("database system is shut down"), log


def test_down_when_running_leaves_nothing_and_says_so(clone: Clone) -> None:
    record = clone.record
    down = clone.down()
    assert down.returncode == 0, down.stdout + down.stderr
    assert clone.left(record) == []
    assert not clone.status()["running"]
    assert_database_was_shut_down_cleanly(clone)
    again = clone.down()
    assert (again.returncode, again.stdout.strip()) == (0, "Nothing was running.")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_up_when_signalled_stops_everything_and_exits_by_that_signal(
    stopped: Clone, start_in_terminal: Start, number: signal.Signals
) -> None:
    up = start_in_terminal("--no-run")
    up.await_text(RUNNING)
    record = stopped.record
    up.process.send_signal(number)
    assert up.await_exit() == 128 + number
    assert stopped.left(record) == []
    assert_database_was_shut_down_cleanly(stopped)


def test_up_when_its_terminal_is_closed_stops_everything(
    stopped: Clone, start_in_terminal: Start
) -> None:
    up = start_in_terminal("--no-run")
    up.await_text(RUNNING)
    record = stopped.record
    up.close()
    up.process.send_signal(signal.SIGHUP)  # the kernel's, to a session whose terminal is gone
    up.process.wait(STOP_SECONDS)
    eventually(lambda: stopped.left(record) == [])
    assert_database_was_shut_down_cleanly(stopped)


def test_up_when_killed_everything_ends_by_itself(stopped: Clone, start_in_terminal: Start) -> None:
    up = start_in_terminal("--no-run")
    up.await_text(RUNNING)
    record = stopped.record
    up.process.kill()
    up.process.wait()
    eventually(lambda: stopped.left(record) == [], STOP_SECONDS)
    assert_database_was_shut_down_cleanly(stopped)
    assert not stack_record.is_locked(stopped.project)


def test_up_when_interrupted_during_the_start_stops_and_the_next_start_works(
    stopped: Clone, start_in_terminal: Start
) -> None:
    up = start_in_terminal("--no-run")
    up.await_text("Starting api-server")
    up.process.send_signal(signal.SIGINT)
    assert up.await_exit() == 128 + signal.SIGINT
    assert stopped.up("--no-run").returncode == 0


def test_up_when_the_port_is_taken_names_the_holder_and_starts_nothing(stopped: Clone) -> None:
    with socket.create_server(("127.0.0.1", stopped.port)):  # in spite of what waits to be closed
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
        assert not there.status()["running"]  # also before the start, which mends .venv
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

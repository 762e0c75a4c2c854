"""The process above supervisord: adopts and reaps, restarts supervisord, ends everything cleanly.

It is kept small on purpose, since nothing watches it but `ml-pipeline up`: one thread, no sockets
of its own, no Airflow, no output to a terminal. `docs/adr/0001-keeper.md` tells why it is apart
from `up`.

Run as ``python -m ml_pipeline.ops.keeper LIFELINE MARKER HOST PORT``. LIFELINE is the descriptor of
a pipe that `up` holds: its end without the byte ``DETACH`` means that `up` has died, and everything
stops; 128 + n is the exit status after signal n.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from logging.handlers import RotatingFileHandler
from types import FrameType
from typing import NoReturn

import psutil

from ml_pipeline.errors import PipelineError, StackError
from ml_pipeline.ops import linux, postgres, processes, stack_record
from ml_pipeline.ops.health import Health
from ml_pipeline.ops.monitor_beat import Watch
from ml_pipeline.ops.project import Project
from ml_pipeline.ops.stack_environment import stack_environment
from ml_pipeline.ops.stack_record import StackRecord
from ml_pipeline.ops.start_order import start_clients, start_database, stop_in_order
from ml_pipeline.ops.start_time import start_of
from ml_pipeline.ops.supervisor import Supervisor

DETACH = b"d"
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
STOP_WITHIN_SECONDS = 100.0  # the longest: clients 15 s, then PostgreSQL's checkpoint, up to 60 s
ANSWER_WITHIN_SECONDS = 10.0
LEFTOVER_GRACE_SECONDS = 5.0
RESTART_PAUSE_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
START_PAUSE_SECONDS = (2.0, 30.0, 60.0)
STABLE_AFTER_SECONDS = 120.0
LOOK_SECONDS = 1.0
MONITOR_PATIENCE_LOOKS = 60  # far longer than its slowest look at a stack that hangs
SUPERVISORD = "ml_pipeline.ops.supervisord"

log = logging.getLogger("keeper")


class StopRequestedError(Exception):
    """A signal came, or the lifeline's other end is gone."""


class SupervisorDiedError(PipelineError):
    """supervisord ended without having been asked to."""


class Keeper:
    """Owns one supervisord and adopts whatever its components leave behind.

    Parameters
    ----------
    project, record
        The clone, and the record of the stack to keep.
    lifeline
        The descriptor of the pipe whose end means that `up` is gone.
    """

    def __init__(self, project: Project, record: StackRecord, lifeline: int) -> None:
        self.project = project
        self.record = record
        self.supervisor = Supervisor(stack_record.socket_file(project))
        self._lifeline: int | None = lifeline
        self._signals, self._signals_in = os.pipe()
        self._supervisord: int | None = None
        self._stop_signal: signal.Signals | None = None

    def run(self) -> int:
        """Keep the stack until it is asked to stop; return the exit status."""
        self._listen_to_signals()
        stack_record.make_socket_folder(self.project)
        stack_record.write(self.project, self.record)
        try:
            self._keep()
        except StopRequestedError:
            assert self._stop_signal is not None
            log.info("stopping: %s", self._stop_signal.name)
            self._stop()
            return 128 + self._stop_signal

    def _keep(self) -> NoReturn:
        """Hold supervisord; whenever it dies, clear the tree and start all of it again."""
        self._hold(self._spawn_supervisord)  # `up` starts the components, and shows it
        for seconds in _backoff():
            self._clear()
            self._pause(seconds)
            self._hold(self._spawn_everything)
        raise AssertionError("the back-off never ends")

    def _hold(self, spawn: Callable[[], None]) -> None:
        """Spawn, then watch; return when supervisord is gone."""
        try:
            spawn()
            watch = Watch(self.project, MONITOR_PATIENCE_LOOKS)
            while True:
                self._pause_while_alive(LOOK_SECONDS)
                watch.kill_if_hanging()
        except PipelineError as error:
            log.error("%s; all of it is started again", error)

    def _spawn_everything(self) -> None:
        """Spawn supervisord and start its components, again where one is slow or keeps failing.

        What runs meanwhile is left alone: one component's trouble is no reason to end the others.
        """
        self._spawn_supervisord()
        for seconds in START_PAUSE_SECONDS:
            try:
                self._start_components()
            except StackError as error:
                log.error("%s", error)
                self._pause_while_alive(seconds)
            else:
                log.info("every component is ready again")
                return
        log.error("what is not ready yet is left to the zombie monitor")

    def _start_components(self) -> None:
        health = Health(self.project, self.record)
        if postgres.is_embedded(self.project):
            start_database(self.supervisor, health, self._pause_while_alive)
        start_clients(self.supervisor, health, self._pause_while_alive)

    def _spawn_supervisord(self) -> None:
        self.supervisor.socket.unlink(missing_ok=True)
        configuration = self.project.airflow_home / "supervisord.conf"
        child = subprocess.Popen(
            [sys.executable, "-m", SUPERVISORD, "-n", "-c", str(configuration)],
            cwd=self.project.root,
            env=stack_environment(self.project, self.record),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: linux.die_with_parent(signal.SIGTERM),
        )
        child.returncode = 0  # we wait for every child ourselves; this keeps Popen from trying
        self._supervisord = child.pid
        log.info("supervisord started, pid %d", child.pid)
        while not self.supervisor.is_reachable():
            self._pause_while_alive(0.05)

    def _stop(self) -> None:
        """Stop in order, bounded in time; then end and reap whatever is left."""
        deadline = time.monotonic() + STOP_WITHIN_SECONDS

        def pause(seconds: float) -> None:
            self._pause_while_alive(seconds)
            if time.monotonic() > deadline:
                raise StackError(f"components still run after {STOP_WITHIN_SECONDS:.0f} s")

        try:
            stop_in_order(self.supervisor, pause)
            self.supervisor.shut_down()
            while True:
                pause(0.05)
        except SupervisorDiedError:
            pass  # as asked
        except PipelineError as error:
            log.error("%s; what is left is ended", error)
        self._clear()
        stack_record.clear(self.project)
        self._remove_socket()
        log.info("stopped; nothing is left")

    def _remove_socket(self) -> None:
        """Leave no folder behind where the socket had to lie outside the clone."""
        socket_file = self.supervisor.socket
        socket_file.unlink(missing_ok=True)
        if socket_file.parent != self.project.run:
            socket_file.parent.rmdir()

    def _clear(self) -> None:
        """End everything of this stack but ourselves, and reap it."""
        while left := list(filter(processes.is_alive, processes.ours(self.record))):
            for process in left:
                log.warning("ending what was left: pid %d %s", process.pid, _title(process))
            processes.end(left, LEFTOVER_GRACE_SECONDS, self._pause)
            self._pause(0.1)

    def _pause_while_alive(self, seconds: float) -> None:
        self._pause(seconds)
        if self._supervisord is None:
            raise SupervisorDiedError("supervisord has ended")

    def _pause(self, seconds: float) -> None:
        """Wait while reaping and listening; raise when asked, for the first time, to stop."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._wait_for_events(left)
            self._reap()

    def _wait_for_events(self, seconds: float) -> None:
        watched = [fd for fd in (self._signals, self._lifeline) if fd is not None]
        readable, _, _ = select.select(watched, [], [], seconds)
        if self._signals in readable:
            self._obey(os.read(self._signals, 512))
        if self._lifeline in readable:
            self._read_lifeline(self._lifeline)

    def _reap(self) -> None:
        """Wait for every child that has ended: supervisord, or one that was adopted."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._supervisord:
                self._supervisord = None
            else:
                log.info("reaped an adopted process: pid %d, wait status %d", pid, status)

    def _listen_to_signals(self) -> None:
        os.set_blocking(self._signals_in, False)
        signal.set_wakeup_fd(self._signals_in)
        for number in (*STOP_SIGNALS, signal.SIGCHLD):
            signal.signal(number, _do_nothing)

    def _obey(self, numbers: bytes) -> None:
        for number in numbers:
            if number in STOP_SIGNALS:
                self._request_stop(signal.Signals(number))

    def _read_lifeline(self, lifeline: int) -> None:
        message = os.read(lifeline, 1)
        os.close(lifeline)
        self._lifeline = None
        if message != DETACH:
            self._request_stop(signal.SIGTERM)

    def _request_stop(self, number: signal.Signals) -> None:
        if self._stop_signal is None:
            self._stop_signal = number
            raise StopRequestedError


def _backoff() -> Iterator[float]:
    """Yield the seconds to wait before each new supervisord, from the start after a stable time."""
    attempt, last = 0, time.monotonic()
    while True:
        now = time.monotonic()
        attempt = 0 if now - last > STABLE_AFTER_SECONDS else attempt
        last = now
        yield RESTART_PAUSE_SECONDS[min(attempt, len(RESTART_PAUSE_SECONDS) - 1)]
        attempt += 1


def _do_nothing(number: int, frame: FrameType | None) -> None:
    """Stand in as a handler: the number arrives through the wake-up pipe, and the loop acts."""


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())[:80] or process.name()
    except psutil.Error:
        return "?"


def main(arguments: list[str]) -> int:
    """Keep a stack; see the module's docstring for the arguments."""
    lifeline, marker, host, port = arguments
    project = Project.here()
    folder = project.logs / "stack"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
        handlers=[RotatingFileHandler(folder / "keeper.log", maxBytes=2**20, backupCount=3)],
    )
    linux.become_subreaper()
    socket.setdefaulttimeout(ANSWER_WITHIN_SECONDS)  # a supervisord that hangs must not hang us
    record = StackRecord(os.getpid(), start_of(psutil.Process()), marker, host, int(port))
    try:
        return Keeper(project, record, int(lifeline)).run()
    except Exception:
        log.exception("the keeper fails; the kernel tells supervisord to stop")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

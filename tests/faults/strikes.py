"""Faults: which process of a running stack is struck, and with what; shared with benchmarks/."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from ml_pipeline.ops import processes
from ml_pipeline.ops.inspection import BUSY_WORKER_TITLE, IDLE_WORKER_TITLE
from tests.running_clone import Clone

PATIENCE_SECONDS = 60.0
Find = Callable[[Clone], "psutil.Process | None"]


@dataclass(frozen=True)
class Target:
    """A kind of process; `find` returns one, or None while there is none."""

    name: str
    find: Find

    def await_one(self, clone: Clone) -> psutil.Process:
        """Wait until there is such a process."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if process := self.find(clone):
                return process
            time.sleep(0.02)
        raise AssertionError(f"no {self.name} appeared in {PATIENCE_SECONDS:.0f} s")


@dataclass(frozen=True)
class Fault:
    """A signal to a target."""

    target: Target
    signal: signal.Signals

    @property
    def name(self) -> str:
        return f"{self.signal.name} {self.target.name}"

    def strike(self, clone: Clone) -> psutil.Process:
        """Send the signal to a living target, and return what was struck."""
        while True:
            process = self.target.await_one(clone)
            try:
                process.send_signal(self.signal)
            except psutil.NoSuchProcess:
                continue  # it ended by itself a moment before
            return process


def _component(name: str) -> Find:
    return lambda clone: psutil.Process(pid) if (pid := clone.supervised(name)) else None


def _below(component: str, is_meant: Callable[[psutil.Process], bool]) -> Find:
    def find(clone: Clone) -> psutil.Process | None:
        pid = clone.supervised(component)
        return next(filter(is_meant, processes.descendants(pid)), None) if pid else None

    return find


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _is_backend(process: psutil.Process) -> bool:
    return "airflow_user" in _title(process)


def _is_idle_worker(process: psutil.Process) -> bool:
    return _title(process).startswith(IDLE_WORKER_TITLE)


def _is_task_supervisor(process: psutil.Process) -> bool:
    is_worker = _title(process).startswith(BUSY_WORKER_TITLE)
    return is_worker and not _is_idle_worker(process) and any(map(_is_task, _children(process)))


def _is_task(process: psutil.Process) -> bool:
    title = _title(process)
    return title.startswith("airflow worker -- ") and not title.startswith(BUSY_WORKER_TITLE)


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children()
    except psutil.NoSuchProcess:
        return []


POSTMASTER = Target("postmaster", _component("postgres"))
BACKEND = Target("PostgreSQL backend", _below("postgres", _is_backend))
WEB_MASTER = Target("gunicorn master", _component("api-server"))
WEB_WORKER = Target("gunicorn worker", _below("api-server", lambda process: True))
SCHEDULER = Target("scheduler", _component("scheduler"))
IDLE_WORKER = Target("idle LocalExecutor worker", _below("scheduler", _is_idle_worker))
TASK_SUPERVISOR = Target("task supervisor", _below("scheduler", _is_task_supervisor))
TASK = Target("task", _below("scheduler", _is_task))
DAG_PROCESSOR = Target("dag-processor", _component("dag-processor"))
TRIGGERER = Target("triggerer", _component("triggerer"))
MONITOR = Target("zombie-monitor", _component("zombie-monitor"))

TARGETS = [
    POSTMASTER,
    BACKEND,
    WEB_MASTER,
    WEB_WORKER,
    SCHEDULER,
    IDLE_WORKER,
    TASK_SUPERVISOR,
    TASK,
    DAG_PROCESSOR,
    TRIGGERER,
    MONITOR,
]
SIGNALS = [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM]
FAULTS = [Fault(target, number) for number in SIGNALS for target in TARGETS]

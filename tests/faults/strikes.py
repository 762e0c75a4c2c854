"""Faults by signal: which process of a running stack is struck, and with what."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import psutil

from ml_pipeline.ops import processes, stack_record
from ml_pipeline.ops.inspection import BUSY_WORKER_TITLE, IDLE_WORKER_TITLE
from ml_pipeline.ops.supervisor import Supervisor
from tests.faults.faults import Struck, Unprepared
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
class Strike(Unprepared):
    """A signal to a target."""

    target: Target
    signal: signal.Signals

    @property
    def name(self) -> str:
        return f"{self.signal.name} {self.target.name}"

    def strike(self, clone: Clone) -> Struck:
        """Send the signal to a living target."""
        while True:
            process = self.target.await_one(clone)
            try:
                process.send_signal(self.signal)
            except psutil.NoSuchProcess:
                continue  # it ended by itself a moment before
            return Struck(is_over=partial(self._is_over, process))

    def _is_over(self, process: psutil.Process) -> bool:
        """Tell whether what was killed is gone, or what was stopped stopped no more."""
        try:
            is_hit = self.signal == signal.SIGKILL or process.status() == psutil.STATUS_STOPPED
            return not (is_hit and process.is_running())
        except psutil.NoSuchProcess:
            return True


def _component(name: str) -> Find:
    return lambda clone: psutil.Process(pid) if (pid := clone.supervised(name)) else None


def _supervisord(clone: Clone) -> psutil.Process:
    return psutil.Process(Supervisor(stack_record.socket_file(clone.project)).pid())


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
SUPERVISORD = Target("supervisord", _supervisord)

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
STRIKES = [
    *(Strike(target, number) for target in TARGETS for number in SIGNALS),
    *(Strike(SUPERVISORD, number) for number in (signal.SIGKILL, signal.SIGTERM)),
]

"""Faults after which, by design, everything ends: signals to `ml-pipeline up` and to the keeper."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from ml_pipeline.ops import stack_record
from tests.faults.faults import Fault, Struck, Unprepared
from tests.running_clone import Clone

ENDED_WITHIN_SECONDS = 100.0
READY_WITHIN_SECONDS = 200.0


@dataclass
class KeeperStruck(Unprepared):
    """A signal to the keeper of a detached stack; afterwards a person starts it again."""

    signal: signal.Signals

    @property
    def name(self) -> str:
        return f"{self.signal.name} keeper"

    def strike(self, clone: Clone) -> Struck:
        keeper = clone.record.keeper()
        assert keeper is not None
        return _end_and_start_again(clone, lambda: keeper.send_signal(self.signal))


@dataclass
class UpStruck:
    """A signal to `ml-pipeline up` in the foreground; afterwards a person starts it again."""

    signal: signal.Signals
    _up: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        return f"{self.signal.name} ml-pipeline up"

    def prepare(self, clone: Clone) -> None:
        clone.down()
        up = f"exec ml-pipeline up --no-run --port {clone.port}"
        self._up = subprocess.Popen(
            ["bash", "-c", f". ./airflow_postgresql_env.sh && {up}"],
            cwd=clone.root,
            env=clone.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        _await("the start", lambda: stack_record.read(clone.project), READY_WITHIN_SECONDS)

    def strike(self, clone: Clone) -> Struck:
        up = self._up
        assert up is not None
        struck = _end_and_start_again(clone, lambda: up.send_signal(self.signal))
        expected = -self.signal if self.signal == signal.SIGKILL else 128 + self.signal
        assert up.wait() == expected, f"up exits {up.returncode} instead of {expected}"
        return struck

    def restore(self, clone: Clone) -> None:
        if self._up and self._up.poll() is None:
            self._up.terminate()
            self._up.wait()


def _end_and_start_again(clone: Clone, strike: Callable[[], None]) -> Struck:
    record = clone.record
    struck_at = time.monotonic()
    strike()
    _await("the end of everything", lambda: not _alive(clone, record), ENDED_WITHIN_SECONDS)
    seconds = time.monotonic() - struck_at
    _await("the lock", lambda: not stack_record.is_locked(clone.project), ENDED_WITHIN_SECONDS)
    start = clone.up("--no-run")
    assert start.returncode == 0, start.stdout + start.stderr
    return Struck(seconds_to_end=seconds)


def _alive(clone: Clone, record: stack_record.StackRecord) -> list[psutil.Process]:
    """Return what is left of the stack, but for a dead child that we have yet to wait for."""
    return [each for each in clone.left(record) if not _is_dead_child(each)]


def _is_dead_child(process: psutil.Process) -> bool:
    try:
        is_ours = process.ppid() == psutil.Process().pid
        return is_ours and process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _await(what: str, condition: Callable[[], object], within_seconds: float) -> None:
    deadline = time.monotonic() + within_seconds
    while not condition():
        assert time.monotonic() < deadline, f"not {what} within {within_seconds:.0f} s"
        time.sleep(0.1)


ENDINGS: list[Fault] = [
    made(number) for made in (UpStruck, KeeperStruck) for number in (signal.SIGKILL, signal.SIGTERM)
]

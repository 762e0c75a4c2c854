"""Who belongs to a program under measurement, alive or dead, whoever has adopted it meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psutil

SAMPLE_SECONDS = 1.0
LASTING_SECONDS = 5.0  # a parent that is busy waits for its child a moment later
VARIABLE = "ML_PIPELINE_CENSUS"
Key = tuple[int, float]


@dataclass
class Census:
    """Remembers every process that bears a mark in its environment or descends from one that does.

    Parameters
    ----------
    mark
        The value of `VARIABLE` in the environment of the program's first process.
    """

    mark: str
    _members: dict[Key, psutil.Process] = field(default_factory=dict)
    _strangers: set[Key] = field(default_factory=set)
    _zombie_since: dict[Key, float] = field(default_factory=dict)
    _lasting_zombies: set[Key] = field(default_factory=set)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Count again and again, in a thread, for as long as the block lasts."""
        is_over = threading.Event()

        def count() -> None:
            while not is_over.wait(SAMPLE_SECONDS):
                self.count()

        thread = threading.Thread(target=count, daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def count(self) -> None:
        """Look once at every process of the machine."""
        everyone = list(psutil.process_iter(["pid", "ppid", "create_time", "status"]))
        everyone.sort(key=lambda process: process.info["create_time"])  # parents first
        for process in everyone:
            self._judge(process)
        now = time.monotonic()
        zombies = {key for key, each in self._members.items() if _status(each) == "zombie"}
        self._zombie_since = {key: self._zombie_since.get(key, now) for key in zombies}
        self._lasting_zombies |= {
            key for key, since in self._zombie_since.items() if now - since >= LASTING_SECONDS
        }

    @property
    def lasting_zombies(self) -> int:
        """How many processes were zombies for longer than a busy parent needs to wait for them."""
        return len(self._lasting_zombies)

    def alive(self) -> list[psutil.Process]:
        """Return the members that live."""
        return [each for each in self._known() if _status(each) not in {"", "zombie"}]

    def zombies(self) -> list[psutil.Process]:
        """Return the members that have ended and that nobody has waited for."""
        return [each for each in self._known() if _status(each) == "zombie"]

    def _known(self) -> list[psutil.Process]:
        """Return a copy: a thread may be counting."""
        return list(self._members.values())

    def pss_bytes(self) -> int:
        """Return the memory of all members, shared pages divided among those that share them."""
        return sum(map(_pss_bytes, self.alive()))

    def cpu_seconds(self) -> float:
        """Return the processor time of all members, and of those that they have waited for."""
        return sum(map(_cpu_seconds, self.alive()))

    def end(self) -> None:
        """Kill whatever lives."""
        for process in self.alive():
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def _judge(self, process: psutil.Process) -> None:
        key = (process.pid, process.info["create_time"])
        if key in self._members or key in self._strangers:
            return
        parents = {pid for pid, _ in self._members}
        environment = _environment(process)
        if process.info["ppid"] in parents or environment.get(VARIABLE) == self.mark:
            self._members[key] = process
        elif environment:  # which is empty for a moment while a program is replaced by another
            self._strangers.add(key)


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except (psutil.Error, OSError):
        return {}


def _status(process: psutil.Process) -> str:
    try:
        return str(process.status()) if process.is_running() else ""
    except psutil.NoSuchProcess:
        return ""


def _pss_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.Error, AttributeError):
        return 0


def _cpu_seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)

"""Faults that last: a database that is away, a full disk, a machine that sleeps."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from ml_pipeline.ops import stack_record
from ml_pipeline.ops.start_order import DATABASE
from ml_pipeline.ops.supervisor import Supervisor
from tests.faults.faults import Fault, FaultUnavailableError, Struck, Unprepared
from tests.running_clone import Clone

DISK_BYTES = 256 * 2**20
FULL_SECONDS = 15.0


@dataclass
class DatabaseAway(Unprepared):
    """PostgreSQL is stopped, and started again after a time."""

    seconds: float = 30.0

    @property
    def name(self) -> str:
        return f"database stopped for {self.seconds:.0f} s"

    def strike(self, clone: Clone) -> Struck:
        supervisor = Supervisor(stack_record.socket_file(clone.project))
        supervisor.stop([DATABASE], time.sleep)
        time.sleep(self.seconds)
        supervisor.start(DATABASE)
        return Struck()


@dataclass
class TreeStopped(Unprepared):
    """Every process stands still for a time, as when a laptop's lid is closed.

    Longer than `task_instance_heartbeat_timeout`, so that everything looks dead afterwards.
    """

    seconds: float = 75.0

    @property
    def name(self) -> str:
        return f"all processes stopped for {self.seconds:.0f} s"

    def strike(self, clone: Clone) -> Struck:
        processes = clone.left(clone.record)
        _send(processes, signal.SIGSTOP)
        try:
            time.sleep(self.seconds)
        finally:
            _send(processes, signal.SIGCONT)
        return Struck()


def _send(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


@dataclass
class FullDisk:
    """A folder of the clone lies on a small disk, which is full for a time.

    Parameters
    ----------
    label
        For the name.
    folder
        Returns the folder, given the clone.
    """

    label: str
    folder: Callable[[Clone], Path]
    _aside: Path | None = None

    @property
    def name(self) -> str:
        return f"disk full under {self.label}"

    def prepare(self, clone: Clone) -> None:
        """Put the folder on a small disk of its own, which takes a stopped stack."""
        folder = self.folder(clone)
        clone.down()
        aside = folder.with_name(f"{folder.name}.aside")
        folder.mkdir(exist_ok=True)
        folder.rename(aside)
        folder.mkdir(mode=0o755)
        self._aside = aside
        _mount(folder)
        subprocess.run(["cp", "-Rp", f"{aside}/.", folder], check=True)
        start = clone.up("--no-run")
        assert start.returncode == 0, start.stdout + start.stderr

    def strike(self, clone: Clone) -> Struck:
        filler = self.folder(clone) / "filler"
        _fill(filler)
        time.sleep(FULL_SECONDS)
        filler.unlink()
        return Struck()

    def restore(self, clone: Clone) -> None:
        """Bring the folder back, with what was written meanwhile."""
        if self._aside is None:
            return
        folder = self.folder(clone)
        clone.down()
        if folder.is_mount():
            subprocess.run(["cp", "-Rp", f"{folder}/.", self._aside], check=True)
            subprocess.run(["umount", folder], check=True)
        folder.rmdir()
        self._aside.rename(folder)
        self._aside = None
        clone.up("--no-run")


def _mount(folder: Path) -> None:
    options = f"size={DISK_BYTES},mode=0755"
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True
    )
    if mount.returncode:
        raise FaultUnavailableError(f"no tmpfs can be mounted: {mount.stderr.strip()}")


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(b"\0" * 4096)


OUTAGES: list[Fault] = [
    DatabaseAway(),
    TreeStopped(),
    FullDisk("results", lambda clone: clone.root / "results"),
    FullDisk("logs", lambda clone: clone.project.logs),
]

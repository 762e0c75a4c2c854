"""The server process of a data folder: is it alive, and what did a dead one leave behind."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import psutil

PID_FILE = "postmaster.pid"
BACKEND_EXIT_SECONDS = 15.0


@dataclass(frozen=True)
class PidFile:
    """What a server notes about itself in `postmaster.pid`.

    `phase` is "starting" (also while it recovers from a crash), "ready" or "stopping".
    """

    pid: int
    port: int | None
    phase: str

    @property
    def is_ready(self) -> bool:
        """Whether it lets clients in."""
        return self.phase == "ready"


def read_pid_file(data: Path) -> PidFile | None:
    """Return the pid file's content, or None when it is missing or unfinished."""
    try:
        lines = (data / PID_FILE).read_text().splitlines()
        return PidFile(
            pid=int(lines[0]),
            port=int(lines[3]) if len(lines) > 3 and lines[3].strip() else None,
            phase=lines[7].strip() if len(lines) > 7 else "starting",
        )
    except (FileNotFoundError, PermissionError, IndexError, ValueError):
        return None


def find(data: Path) -> psutil.Process | None:
    """Return the living server of this data folder, or None.

    The number in the pid file alone proves nothing: after a crash it may belong to any program.
    """
    noted = read_pid_file(data)
    if noted is None or noted.pid <= 0:
        return None
    try:
        process = psutil.Process(noted.pid)
        with process.oneshot():
            is_ours = _is_living_postgres(process) and _runs_on(process, data)
    except psutil.NoSuchProcess:
        return None
    return process if is_ours else None


def clear_remains(data: Path) -> None:
    """Clear away what a killed server left: its last children, then its pid file.

    PostgreSQL itself refuses to start while another program of the same user has the noted pid,
    or while a dead child is not reaped. The file is its guard against two servers on one data
    folder, so it is removed only when no process of the old one is left.
    """
    if not (data / PID_FILE).exists() or find(data) is not None:
        return
    deadline = time.monotonic() + BACKEND_EXIT_SECONDS
    while _survivors(data) and time.monotonic() < deadline:
        time.sleep(0.2)
    for process in _survivors(data):
        if _stands_in(process, data):
            _kill(process)
    if not _survivors(data):
        (data / PID_FILE).unlink(missing_ok=True)


def _survivors(data: Path) -> list[psutil.Process]:
    """Return the living processes that a dead server of this data folder left, or may have left."""
    return [
        process
        for process in psutil.process_iter(["name"])
        if process.info["name"] == "postgres" and _is_survivor(process, data)
    ]


def _is_survivor(process: psutil.Process, data: Path) -> bool:
    try:
        if not _is_living_postgres(process):
            return False
        stands_there = _stands_in(process, data)
        if stands_there is None:  # unknown: then whoever has lost its server counts
            return process.uids().real == data.stat().st_uid and _is_orphan(process)
    except psutil.NoSuchProcess:
        return False
    return stands_there


def _is_orphan(process: psutil.Process) -> bool:
    parent = process.parent()
    return parent is None or parent.name() != "postgres"


def _is_living_postgres(process: psutil.Process) -> bool:
    return process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE


def _runs_on(process: psutil.Process, data: Path) -> bool:
    return bool(_stands_in(process, data)) or _is_named_in(process, data)


def _stands_in(process: psutil.Process, data: Path) -> bool | None:
    """Tell whether the data folder is the process's current one, as PostgreSQL makes it.

    None when that cannot be seen: in a container root may not look at other users' processes.
    """
    try:
        return Path(process.cwd()).samefile(data)
    except psutil.AccessDenied:
        return None
    except OSError:
        return False


def _is_named_in(process: psutil.Process, data: Path) -> bool:
    try:
        words = process.cmdline()
        return "-D" in words and Path(words[words.index("-D") + 1]).samefile(data)
    except (psutil.AccessDenied, psutil.ZombieProcess, OSError, IndexError):
        return False


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
        process.wait(5)
    except (psutil.NoSuchProcess, psutil.TimeoutExpired):
        pass

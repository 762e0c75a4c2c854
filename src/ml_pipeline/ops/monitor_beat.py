"""The zombie monitor's sign of life: it watches everything else, and the keeper watches this."""

from __future__ import annotations

import logging
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from ml_pipeline.ops.project import Project
from ml_pipeline.ops.start_time import is_start_of, start_of

MONITOR = "zombie-monitor"
FRESH_SECONDS = 60.0  # many looks, each of which may wait for several components that hang

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Beat:
    """A sign of life: whose, and when (`at`, seconds since the epoch)."""

    pid: int
    start: float
    at: float

    def process(self) -> psutil.Process | None:
        """Return the process, or None when it is gone, its number re-used or not."""
        try:
            process = psutil.Process(self.pid)
            is_same = is_start_of(self.start, process)
        except psutil.NoSuchProcess:
            return None
        return process if is_same else None


class Pulse:
    """Gives signs of life; to be made once in the monitor's process."""

    def __init__(self, project: Project) -> None:
        self._file = _file(project)
        self._file.unlink(missing_ok=True)

    def beat(self) -> None:
        """Give one sign: a new time on the file, which needs no room on a full disk."""
        try:
            os.utime(self._file)
        except FileNotFoundError:
            self._write()

    def _write(self) -> None:
        own = psutil.Process()
        with suppress(OSError):  # without the file nobody watches us, and `status` says so
            self._file.write_text(f"{own.pid} {start_of(own)}")


class Watch:
    """Counts looks at a sign of life that stays the same.

    Looks are counted, not seconds: after a pause of the whole machine nobody is late.

    Parameters
    ----------
    project
        The clone.
    patience_looks
        After how many equal looks the monitor hangs.
    """

    def __init__(self, project: Project, patience_looks: int) -> None:
        self._project = project
        self._patience_looks = patience_looks
        self._seen: Beat | None = None
        self._equal_looks = 0

    def kill_if_hanging(self) -> None:
        """Kill the monitor when it hangs, for supervisord to start it again: nobody else would."""
        if process := self.hanging():
            log.warning("the zombie monitor, pid %d, gives no sign of life: killed", process.pid)
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def hanging(self) -> psutil.Process | None:
        """Look once; return the monitor's process when it lives but gives no sign of it."""
        beat = last_beat(self._project)
        self._equal_looks = self._equal_looks + 1 if beat == self._seen else 0
        self._seen = beat
        is_late = self._equal_looks >= self._patience_looks
        return beat.process() if beat and is_late else None


def last_beat(project: Project) -> Beat | None:
    """Return the last sign of life, None when there was none."""
    file = _file(project)
    try:
        pid, start = file.read_text().split()
        return Beat(int(pid), float(start), file.stat().st_mtime)
    except (OSError, ValueError):
        return None


def is_fresh(project: Project, pid: int | None) -> bool:
    """Tell whether the monitor with this pid has given a sign of life lately."""
    beat = last_beat(project)
    return beat is not None and beat.pid == pid and time.time() - beat.at < FRESH_SECONDS


def _file(project: Project) -> Path:
    return project.run / f"{MONITOR}.beat"

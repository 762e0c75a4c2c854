"""When a process began, on a clock that nobody sets: with its number it names one for ever.

On Linux psutil adds the time of the boot, which moves whenever the clock is set, as after a night's
sleep: compared with what was noted before, every process would seem to be another one.
"""

from __future__ import annotations

import sys
from pathlib import Path

import psutil

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
SAME_START_SECONDS = 0.1  # a boot's time is whole seconds, a start's has hundredths


def origin() -> float:
    """Return the moment, in psutil's seconds, from which starts are counted."""
    return psutil.boot_time() if sys.platform == "linux" else 0.0


def start_of(process: psutil.Process) -> float:
    """Return when a process began, in seconds from `origin`.

    Raises
    ------
    NoSuchProcess
        When it is gone.
    """
    return float(process.create_time() - origin())


def is_start_of(start: float, process: psutil.Process) -> bool:
    """Tell whether a process is the one that began at `start`, and not one of the same number."""
    return abs(start_of(process) - start) < SAME_START_SECONDS


def boot_id() -> str:
    """Return what names this boot of the machine; empty where the system does not tell."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""

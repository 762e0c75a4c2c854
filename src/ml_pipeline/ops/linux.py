"""What the Linux kernel offers to keep a process tree whole; each call does nothing elsewhere."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PR_SET_CHILD_SUBREAPER = 36


def can_adopt_orphans(platform: str = sys.platform) -> bool:
    """Tell whether a process can become the adopter of its orphaned descendants here."""
    return platform == "linux"


def become_subreaper() -> bool:
    """Make this process the adopter of its orphaned descendants, see prctl(2).

    Returns
    -------
    bool
        False where the system cannot do it.
    """
    return can_adopt_orphans() and _prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(signal_number: int = signal.SIGKILL) -> bool:
    """Have the kernel send this process `signal_number` when its parent dies.

    To be called in the child, right after the fork: the setting survives exec, but not fork.
    """
    parent = os.getppid()
    if not can_adopt_orphans() or not _prctl(PR_SET_PDEATHSIG, signal_number):
        return False
    if os.getppid() != parent:  # it died in between, so no signal will come
        os.kill(os.getpid(), signal_number)
    return True


def _prctl(option: int, value: int) -> bool:
    return bool(ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0)

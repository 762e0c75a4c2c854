"""Hangs that no process state shows: a thread that never goes on, in a process that sleeps.

A stopped process (SIGSTOP) is seen by its state. To make what a deadlock or a lost answer makes, a
debugger's interface holds the main thread, which gives the heartbeats (Linux: ptrace(2)).
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import partial

import psutil

from tests.faults.faults import Fault, FaultUnavailableError, Struck, Unprepared
from tests.faults.strikes import DAG_PROCESSOR, SCHEDULER, TRIGGERER, Target
from tests.running_clone import Clone

PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207  # linux/ptrace.h


@dataclass(frozen=True)
class Hang(Unprepared):
    """The main thread of a component does nothing any more."""

    target: Target

    @property
    def name(self) -> str:
        return f"hang of the {self.target.name}"

    def strike(self, clone: Clone) -> Struck:
        process = self.target.await_one(clone)
        holder = subprocess.Popen(
            [sys.executable, "-m", __name__, str(process.pid)], stdout=subprocess.PIPE, text=True
        )
        assert holder.stdout
        if holder.stdout.readline() != "held\n":
            raise FaultUnavailableError("this system lets no process hold another's thread")
        return Struck(is_over=partial(_is_over, process, holder))


def _is_over(process: psutil.Process, holder: subprocess.Popen[str]) -> bool:
    return holder.poll() is not None and not process.is_running()


def hold(pid: int) -> None:
    """Hold the thread `pid` until its process is killed; wait for it, as a debugger has to."""
    libc = ctypes.CDLL(None, use_errno=True)
    for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
        if libc.ptrace(request, pid, None, None):
            raise OSError(ctypes.get_errno(), "ptrace")
    os.waitpid(pid, 0)
    print("held", flush=True)
    signal.alarm(600)  # not for ever, whatever becomes of who started us
    while True:
        _, status = os.waitpid(pid, 0)
        if os.WIFEXITED(status) or os.WIFSIGNALED(status):
            return


HANGS: list[Fault] = [Hang(target) for target in (SCHEDULER, DAG_PROCESSOR, TRIGGERER)]

if __name__ == "__main__":
    hold(int(sys.argv[1]))

"""The processes of one stack: which are ours, and how to end them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import psutil

from ml_pipeline.ops import start_time
from ml_pipeline.ops.stack_record import StackRecord

MARKER = "ML_PIPELINE_STACK"
CLOCK_SLACK_SECONDS = 2.0
Pause = Callable[[float], None]


def ours(record: StackRecord) -> list[psutil.Process]:
    """Return every process of this stack, the keeper included.

    A process is ours when it is in the keeper's session, when its environment bears our marker,
    or when it descends from such a one. Each sign alone has gaps: PostgreSQL's backends open
    sessions of their own, and Airflow's task supervisors hide their environment.
    """
    everyone = list(psutil.process_iter(["pid", "ppid", "create_time"]))
    if not record.is_of_this_boot:
        return []
    session = record.keeper_pid if _is_session_ours(record) else None
    earliest = record.keeper_start + start_time.origin() - CLOCK_SLACK_SECONDS
    found = {
        process.pid: process
        for process in everyone
        if process.info["create_time"] >= earliest and _bears_our_sign(process, record, session)
    }
    children: dict[int, list[psutil.Process]] = {}
    for process in everyone:
        children.setdefault(process.info["ppid"], []).append(process)
    queue = list(found)
    while queue:
        for child in children.get(queue.pop(), []):
            if child.pid not in found:
                found[child.pid] = child
                queue.append(child.pid)
    found.pop(os.getpid(), None)
    return list(found.values())


def end(processes: Iterable[psutil.Process], grace_seconds: float, pause: Pause) -> None:
    """Ask processes to end, and kill them after `grace_seconds`; who adopts them has to wait."""
    alive = [process for process in processes if is_alive(process)]
    _signal(alive, _ask_to_end)
    deadline = time.monotonic() + grace_seconds
    while time.monotonic() < deadline and any(map(is_alive, alive)):
        pause(0.05)
    _signal(alive, psutil.Process.kill)


def is_alive(process: psutil.Process) -> bool:
    """Tell whether a process still runs: a zombie does not, it only waits to be reaped."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def tree_memory_bytes(pid: int) -> int:
    """Return the resident memory of a process and all below it.

    A page that several processes share is divided among them where the system tells that (Linux);
    elsewhere it is counted each time.
    """
    try:
        root = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return 0
    return sum(_resident_bytes(process) for process in [root, *descendants(pid)])


def descendants(pid: int) -> list[psutil.Process]:
    """Return the processes below `pid`, none when it is gone."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _is_session_ours(record: StackRecord) -> bool:
    """Tell whether the keeper's number still names its session, and not that of a stranger.

    The system gives the number to nobody as long as the session has a process; then to anybody,
    such as a person's shell.
    """
    try:
        return start_time.is_start_of(record.keeper_start, psutil.Process(record.keeper_pid))
    except psutil.NoSuchProcess:
        return True


def _bears_our_sign(process: psutil.Process, record: StackRecord, session: int | None) -> bool:
    try:
        if os.getsid(process.pid) == session:
            return True
        return process.environ().get(MARKER) == record.marker
    except (OSError, psutil.Error):
        return False


def _ask_to_end(process: psutil.Process) -> None:
    # To PostgreSQL, TERM means to wait for its clients for ever; INT is its fast, clean shutdown.
    process.send_signal(signal.SIGINT if process.name() == "postgres" else signal.SIGTERM)


def _signal(processes: Iterable[psutil.Process], send: Callable[[psutil.Process], None]) -> None:
    for process in processes:
        try:
            send(process)  # psutil compares the start time first: a re-used pid is never hit
        except psutil.NoSuchProcess:
            continue


def _resident_bytes(process: psutil.Process) -> int:
    try:
        with suppress(psutil.AccessDenied, AttributeError):
            return int(process.memory_full_info().pss)
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0

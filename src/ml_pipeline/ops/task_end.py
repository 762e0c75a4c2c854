"""A task's end, noticed at once: what Airflow's supervisor of a task misses one time in twelve.

The supervisor learns of the end by the closing of the task's last socket, and asks then, once and
without waiting, whether the process is gone. The kernel closes a process's sockets a moment before
the process counts as ended; when the question falls into that moment, the supervisor goes on
listening, to nobody, for `[workers] min_heartbeat_interval`: 5 s in which its worker takes no other
task. Upstream's issue 50500 is about supervisors that miss an end for ever, by another cause.
"""

from __future__ import annotations

from functools import wraps
from typing import Any


def notice_at_once() -> None:
    """Have supervisors wait for the process itself when there is nothing left to listen to."""
    from airflow.sdk.execution_time.supervisor import WatchedSubprocess

    listen = WatchedSubprocess._service_subprocess

    @wraps(listen)
    def listen_or_wait(self: Any, max_wait_time: float, *arguments: Any, **options: Any) -> Any:
        is_alone = self._exit_code is None and not self._open_sockets
        if is_alone and not _was_reaped_elsewhere(self._process, max_wait_time):
            max_wait_time = 0.0
        return listen(self, max_wait_time, *arguments, **options)

    WatchedSubprocess._service_subprocess = listen_or_wait  # type: ignore[method-assign]


def _was_reaped_elsewhere(process: Any, within_seconds: float) -> bool:
    """Wait for the process; tell whether its end can never be learned (upstream's issue 70117)."""
    try:
        return process.wait(timeout=within_seconds) is None
    except process.TimeoutExpired:
        return False

"""New code without a gap: on SIGHUP gunicorn's master becomes the new program, in its own process.

It executes itself again and keeps its process id, its listening socket and its workers. These go on
serving while the new program imports Airflow, and are retired once the new workers serve. Nothing
changes for supervisord, which started the process. `docs/adr/0005-web-server-restart.md` compares
this with the other ways.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING

from gunicorn.errors import HaltServer

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter
    from gunicorn.workers.base import Worker

LISTENER = "ML_PIPELINE_WEB_LISTENER"
PREDECESSORS = "ML_PIPELINE_WEB_PREDECESSORS"
# While the new program is imported nobody could handle these; they wait until it can.
WAITING_SIGNALS = {signal.SIGHUP, signal.SIGTERM}
BOOT_WITHIN_SECONDS = 60.0


class Retiree:
    """A worker of the program that ran here before, in the form that gunicorn knows.

    As the oldest and one too many it is told to end; if it has not done so when gunicorn's
    `timeout` has passed, it is killed like one that hangs.
    """

    age = 0
    aborted = False

    def __init__(self) -> None:
        self._retired_at = time.monotonic()

    @property
    def tmp(self) -> Retiree:
        """Stand in for the file by which a worker gives signs of life."""
        return self

    def last_update(self) -> float:
        """Return the last sign of life, on the monotonic clock: none counts any more."""
        return self._retired_at

    def close(self) -> None:
        """Do nothing: that file was the old program's."""


def address(host: str, port: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return what to bind to: the socket that this process listens on already, or a new one."""
    if listener := environment.get(LISTENER):
        return f"fd://{listener}"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def begin_anew(master: Arbiter) -> None:
    """Become the new program. To be called by gunicorn's `on_reload`."""
    signal.pthread_sigmask(signal.SIG_BLOCK, WAITING_SIGNALS)
    environment = {
        **master.cfg.env_orig,
        LISTENER: str(master.LISTENERS[0].fileno()),
        PREDECESSORS: ",".join(map(str, master.WORKERS)),
    }
    master.log.info("Becoming the new program; its predecessor's workers go on serving")
    os.execve(master.START_CTX[0], master.START_CTX["args"], environment)


def take_over(master: Arbiter, environment: MutableMapping[str, str] = os.environ) -> None:
    """Replace the old program's workers, if there was one. To be called by `when_ready`.

    They are this process's children, not yet waited for, so no other process can bear their ids.
    """
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WAITING_SIGNALS)  # before workers inherit it
    predecessors = [int(pid) for pid in environment.pop(PREDECESSORS, "").split(",") if pid]
    if not predecessors:
        return
    master.WORKERS |= {pid: Retiree() for pid in predecessors}
    for _ in range(master.num_workers):
        master.spawn_worker()
    try:
        _await_workers(master)
    except HaltServer as failure:
        master.halt(failure.reason, failure.exit_status)


def _await_workers(master: Arbiter) -> None:
    """Return when the new ones serve: the old ones must not stop before."""
    deadline = time.monotonic() + BOOT_WITHIN_SECONDS
    while not all(map(_serves, master.WORKERS.values())) and time.monotonic() < deadline:
        master.reap_workers()  # raises when one cannot start
        time.sleep(0.05)


def _serves(worker: Worker) -> bool:
    # A new file bears the time of day, which is far above the monotonic clock; the worker's first
    # sign of life, given when it accepts connections, sets it to that clock.
    return bool(worker.tmp.last_update() <= time.monotonic())

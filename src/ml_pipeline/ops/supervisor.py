"""Talk to supervisord: the one owner of starting, stopping and restarting components."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ProtocolError, ServerProxy

from supervisor.states import STOPPED_STATES, ProcessStates
from supervisor.xmlrpc import Faults, SupervisorTransport

from ml_pipeline.errors import StackError

STATES = {
    ProcessStates.RUNNING: "running",
    ProcessStates.STARTING: "starting",
    ProcessStates.BACKOFF: "starting",
    ProcessStates.FATAL: "failed",
    ProcessStates.EXITED: "starting",  # for a moment: every component has autorestart
    ProcessStates.UNKNOWN: "failed",
}
EXITED = re.compile(r" exited: (?P<name>\S+) \(")
UNREACHABLE = (OSError, HTTPException, ProtocolError)
Pause = Callable[[float], None]


@dataclass(frozen=True)
class Program:
    """One component as supervisord sees it: `state` in the words of `status --json`."""

    name: str
    state: str
    has_ended: bool
    pid: int | None
    started_at: float
    ended_at: float
    log: Path


class Supervisor:
    """A client of one supervisord.

    Parameters
    ----------
    socket
        Its control socket, readable by its owner alone.
    """

    def __init__(self, socket: Path) -> None:
        self.socket = socket

    def is_reachable(self) -> bool:
        """Tell whether it answers."""
        try:
            self._call("getState")
        except StackError:
            return False
        return True

    def pid(self) -> int:
        """Return supervisord's own process id."""
        return int(self._call("getPID"))

    def programs(self) -> dict[str, Program]:
        """Return every component by its name."""
        return {info["name"]: _program(info) for info in self._call("getAllProcessInfo")}

    def start(self, name: str) -> None:
        """Begin to start a component, unless it is up already; readiness is another question."""
        self._call("startProcess", name, False, tolerate=Faults.ALREADY_STARTED)

    def stop(self, names: list[str], pause: Pause) -> None:
        """Stop components side by side; return when they have ended.

        supervisord escalates to SIGKILL by itself after the `stopwaitsecs` of each.
        """
        for name in names:
            self._call("stopProcess", name, False, tolerate=Faults.NOT_RUNNING)
        while not all(self.programs()[name].has_ended for name in names):
            pause(0.1)

    def signal(self, name: str, signal_name: str) -> None:
        """Send a signal to a component's process."""
        self._call("signalProcess", name, signal_name)

    def shut_down(self) -> None:
        """Ask supervisord to end itself and what it still runs."""
        self._call("shutdown")

    def _call(self, method: str, *arguments: object, tolerate: int | None = None) -> Any:
        transport = SupervisorTransport(serverurl=f"unix://{self.socket}")
        proxy = ServerProxy("http://127.0.0.1", transport=transport, allow_none=True)
        try:
            return getattr(proxy.supervisor, method)(*arguments)
        except Fault as fault:
            if fault.faultCode == tolerate:
                return None
            raise StackError(f"supervisord refused {method}: {fault.faultString}") from fault
        except UNREACHABLE as error:
            raise StackError("supervisord does not answer. See: ml-pipeline status") from error
        finally:
            transport.close()


def count_restarts(log: Path) -> Counter[str]:
    """Return how often each component has ended by itself since supervisord's last start.

    supervisord keeps no such count, but logs each such end.
    """
    counts: Counter[str] = Counter()
    for line in log.read_text(errors="replace").splitlines() if log.exists() else []:
        if " supervisord started with pid " in line:
            counts.clear()
        elif match := EXITED.search(line):
            counts[match["name"]] += 1
    return counts


def _program(info: dict[str, Any]) -> Program:
    return Program(
        name=info["name"],
        state=STATES.get(info["state"], "stopped"),
        has_ended=info["state"] in STOPPED_STATES,
        pid=info["pid"] or None,
        started_at=info["start"],
        ended_at=info["stop"],
        log=Path(info["stdout_logfile"]),
    )

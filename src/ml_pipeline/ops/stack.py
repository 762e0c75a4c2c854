"""The stack as a whole: launch its keeper, stop it and prove that nothing is left, describe it."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from typing import Any

import psutil

from ml_pipeline.errors import StackError
from ml_pipeline.ops import keeper, postgres, processes, stack_record
from ml_pipeline.ops.health import Health
from ml_pipeline.ops.inspection import Trouble, find_lost, lasting
from ml_pipeline.ops.log_tail import last_lines
from ml_pipeline.ops.project import Project
from ml_pipeline.ops.stack_environment import without_secrets
from ml_pipeline.ops.stack_record import StackRecord
from ml_pipeline.ops.start_order import (
    DATABASE,
    READY_WITHIN_SECONDS,
    Report,
    explain_failure,
    start_and_wait,
    start_clients,
    stop_in_order,
)
from ml_pipeline.ops.supervisor import Supervisor, count_restarts
from ml_pipeline.ops.web_renewal import WEB_SERVER, renew

STOP_WITHIN_SECONDS = keeper.STOP_WITHIN_SECONDS + 20.0
NOTICED_WITHIN_SECONDS = 2.0  # a stop by another command, from its first effect to its end


class LaunchedStack:
    """A stack whose keeper is our child; it ends when we die, unless it is detached.

    Parameters
    ----------
    project
        The clone.
    host, port
        Where the web server is to listen.
    lock
        The descriptor of the held lock, which the keeper inherits.
    """

    def __init__(self, project: Project, host: str, port: int, lock: int) -> None:
        self.project = project
        self.supervisor = Supervisor(stack_record.socket_file(project))
        socket.setdefaulttimeout(READY_WITHIN_SECONDS)  # for a supervisord that is silent
        lifeline, self._lifeline = os.pipe()
        arguments = [str(lifeline), secrets.token_hex(8), host, str(port)]
        self._keeper = subprocess.Popen(
            [sys.executable, "-m", keeper.__name__, *arguments],
            start_new_session=True,  # a Ctrl-C in the terminal is for us, we pass it on in order
            pass_fds=[lifeline, lock],
            env=without_secrets(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(lifeline)
        self.record = self._await_record()

    def await_supervisor(self) -> None:
        """Return when supervisord answers: it may still import Airflow.

        Raises
        ------
        StackError
            When the keeper has ended, or supervisord is silent for too long.
        """
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while not self.supervisor.is_reachable():
            self._require_keeper()
            if time.monotonic() > deadline:
                log = self.project.logs / "stack" / "supervisord.log"
                raise StackError(
                    f"supervisord is silent for {READY_WITHIN_SECONDS:.0f} s. Its log: {log}"
                )
            time.sleep(0.05)

    def was_stopped(self) -> bool:
        """Tell whether the keeper ends, now, because somebody else has told it to."""
        try:
            return self._keeper.wait(NOTICED_WITHIN_SECONDS) > 128
        except subprocess.TimeoutExpired:
            return False

    def wait(self) -> int:
        """Return the keeper's exit status once it has ended."""
        return self._keeper.wait()

    def detach(self) -> None:
        """Let the stack live on without us."""
        os.write(self._lifeline, keeper.DETACH)
        self._keeper.returncode = 0  # not ours to wait for any more

    def stop(self, signal_number: int = signal.SIGTERM) -> None:
        """Stop everything; return when nothing is left."""
        self._keeper.send_signal(signal_number)
        try:
            self._keeper.wait(STOP_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
        clear_leftovers(self.project)

    def _await_record(self) -> StackRecord:
        while True:
            record = stack_record.read(self.project)
            if record and record.keeper_pid == self._keeper.pid:
                return record
            self._require_keeper()
            time.sleep(0.02)

    def _require_keeper(self) -> None:
        if self._keeper.poll() is None:
            return
        log = self.project.logs / "stack" / "keeper.log"
        lines = "\n".join(last_lines(log, 10))
        raise StackError(f"The stack's keeper ended at once. Its log ({log}):\n{lines}")


def running(project: Project) -> StackRecord | None:
    """Return the record of the stack when its keeper lives."""
    record = stack_record.read(project)
    return record if record and record.keeper() else None


def has_started(project: Project) -> bool:
    """Tell whether a stack was started that has not been cleared away, even if it was killed."""
    return stack_record.read(project) is not None


def stop(project: Project) -> None:
    """Stop the stack of this clone, whoever started it, if there is one.

    Raises
    ------
    StackError
        When something is left after all.
    """
    record = stack_record.read(project)
    if record is None:
        return
    if process := record.keeper():
        process.terminate()
        _, alive = psutil.wait_procs([process], STOP_WITHIN_SECONDS)
        for stubborn in alive:
            stubborn.kill()
    _end_what_is_left(project, record)


def clear_leftovers(project: Project) -> None:
    """End what a stack left behind whose keeper is gone, and forget it.

    Raises
    ------
    StackError
        Naming the processes that could not be ended.
    """
    if record := stack_record.read(project):
        _end_what_is_left(project, record)


def restart(project: Project, component: str | None, report: Report) -> None:
    """Stop and start one component, or all of them in order; return when ready.

    A web server that answers is renewed without a gap instead.

    Raises
    ------
    StackError
        When nothing runs, the name is unknown, or a component does not become ready.
    """
    record = running(project)
    if record is None:
        raise StackError("Nothing is running. Start with: ./start_airflow.sh")
    supervisor = Supervisor(stack_record.socket_file(project))
    health = Health(project, record)
    names = _restartable(project, supervisor)
    if component is None:
        stop_in_order(supervisor, time.sleep)
        if DATABASE in names:
            start_and_wait(supervisor, health, [DATABASE], time.sleep, report)
        start_clients(supervisor, health, time.sleep, report)
        return
    if component not in names:
        raise StackError(f"Got component {component!r}. Must be one of: {', '.join(names)}")
    if component == WEB_SERVER and health.check()(supervisor.programs()[component]):
        renew(project, record, supervisor, time.sleep)
    else:
        supervisor.stop([component], time.sleep)
    start_and_wait(supervisor, health, [component], time.sleep, report)


def kill_component(project: Project, component: str) -> None:
    """Kill a component that does not answer; supervisord starts it again.

    Raises
    ------
    StackError
        When supervisord does not answer or the component is not running.
    """
    Supervisor(stack_record.socket_file(project)).signal(component, "KILL")


def start_component(project: Project, component: str) -> None:
    """Start a component that supervisord has given up.

    Raises
    ------
    StackError
        When supervisord does not answer or refuses.
    """
    Supervisor(stack_record.socket_file(project)).start(component)


def explain_failures(project: Project) -> list[str]:
    """Say of each component that supervisord has given up why, and what to do."""
    if running(project) is None:
        return []
    programs = Supervisor(stack_record.socket_file(project)).programs()
    return [explain_failure(each) for each in programs.values() if each.state == "failed"]


def describe(project: Project) -> dict[str, Any]:
    """Return the document of `status --json`."""
    record = running(project)
    lost = lasting(lambda: find_lost(project))
    troubles = Counter(finding.trouble for finding in lost)
    return {
        "running": record is not None,
        "url": record.url if record else "",
        "components": _components(project, record) if record else {},
        "zombies": troubles[Trouble.ZOMBIE],
        "orphans": troubles[Trouble.ORPHAN],
    }


def _restartable(project: Project, supervisor: Supervisor) -> list[str]:
    is_embedded = postgres.is_embedded(project)
    return [name for name in supervisor.programs() if name != DATABASE or is_embedded]


def _components(project: Project, record: StackRecord) -> dict[str, dict[str, Any]]:
    programs = Supervisor(stack_record.socket_file(project)).programs()
    is_healthy = Health(project, record).check()
    restarts = count_restarts(project.logs / "stack" / "supervisord.log")
    return {
        name: {
            "state": program.state,
            "pid": program.pid,
            "healthy": is_healthy(program),
            "restarts": restarts[name],
            "rss_bytes": processes.tree_memory_bytes(program.pid) if program.pid else 0,
        }
        for name, program in programs.items()
        if name != DATABASE or postgres.is_embedded(project)
    }


def _end_what_is_left(project: Project, record: StackRecord) -> None:
    processes.end(processes.ours(record), keeper.LEFTOVER_GRACE_SECONDS, time.sleep)
    if left := _still_there(record):
        raise StackError(f"These processes of the stack could not be ended: pids {left}")
    if stack_record.read(project) == record:  # not another one that was started meanwhile
        stack_record.clear(project)


def _still_there(record: StackRecord) -> list[int]:
    """Return the pids that outlive a moment's wait for the kernel and the adopter.

    A detached keeper is the child of process 1, which in many containers never waits: its entry in
    the process table is all that is left then, and nobody but that process can remove it.
    """
    deadline = time.monotonic() + 5.0
    while (left := processes.ours(record)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return [process.pid for process in left if processes.is_alive(process)]

"""One look at the stack: what is dead, lost, stopped, stuck or silent in it, and whose it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum

import psutil

from ml_pipeline.ops import postgres, processes, stack_record, task_states
from ml_pipeline.ops.health import Health
from ml_pipeline.ops.project import Project
from ml_pipeline.ops.stack_record import StackRecord
from ml_pipeline.ops.start_order import DATABASE
from ml_pipeline.ops.supervisor import Program, Supervisor

BUSY_WORKER_TITLE = "airflow worker -- LocalExecutor: "
IDLE_WORKER_TITLE = f"{BUSY_WORKER_TITLE}<idle>"
API_SERVER = "api-server"
PASSING_SECONDS = 3.0  # until a busy parent waits for its child: a zombie of that long is none
LOOK_AGAIN_SECONDS = 0.2
QUEUED_SECONDS = 20.0  # far longer than an idle worker needs to take a task


class Trouble(StrEnum):
    """What can be wrong with a process."""

    ZOMBIE = "zombie"  # ended, and its parent does not wait for it (OS state Z)
    ORPHAN = "orphan"  # alive, and no living component owns it
    STOPPED = "stopped"  # state T: it will never go on by itself
    STUCK = "stuck"  # a worker that supervises a task whose process is gone
    SILENT = "silent"  # a component that lives but does not answer or has no fresh heartbeat
    FAILED = "failed"  # a component that supervisord has given up after several starts
    CLOSING = "closing"  # a database that waits for its clients to leave, which they never do
    STALLED = "stalled"  # a scheduler whose executor takes no tasks although workers are idle
    LOST_TASK = "lost task"  # PostgreSQL says that it runs, and its process is gone


@dataclass(frozen=True)
class Finding:
    """One process in trouble; equal to another when it is the same trouble of the same process.

    Parameters
    ----------
    trouble
        What is wrong with it.
    pid, created_at
        Its id and start time (seconds since the epoch): together they name one process for ever.
    name
        The executable's name.
    parent_pid
        Who would have to wait for it.
    component
        The component that owns it or its parent; empty when none does.
    """

    trouble: Trouble
    pid: int
    created_at: float
    name: str = field(compare=False)
    parent_pid: int = field(compare=False)
    component: str = field(default="", compare=False)

    def process(self) -> psutil.Process | None:
        """Return the process, or None when it is gone, its number re-used or not."""
        try:
            process = psutil.Process(self.pid)
        except psutil.NoSuchProcess:
            return None
        return process if process.create_time() == self.created_at else None


@dataclass(frozen=True)
class Failure(Finding):
    """A component that supervisord has given up; `created_at` is when its last process ended."""

    component: str = ""  # compared, since there is no process to tell two of them apart


def failure_of(program: Program) -> Failure:
    """Return the finding for a component that supervisord has given up."""
    return Failure(Trouble.FAILED, 0, program.ended_at, program.name, 0, program.name)


def inspect(project: Project) -> list[Finding]:
    """Look once at the stack of this clone, running or not."""
    findings = find_lost(project)
    record = stack_record.read(project)
    if record is None or record.keeper() is None:
        return findings
    programs = Supervisor(stack_record.socket_file(project)).programs()
    owners = _owners(programs)
    everything = processes.ours(record)
    return [
        *findings,
        *_stopped(everything, owners),
        *_stuck(everything, owners),
        *_unwell(project, record, programs),
        *_stalled(project, everything, programs),
        *lost_tasks(project),
    ]


def lasting(
    look: Callable[[], list[Finding]],
    pause: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.monotonic,
) -> list[Finding]:
    """Return what `look` finds again and again for `PASSING_SECONDS`; at once when it is nothing.

    Every child is a zombie from its end until its parent waits for it, and a process that was born
    during a look seems to have no owner: what passes by itself is no trouble.
    """
    findings, deadline = look(), now() + PASSING_SECONDS
    while findings and now() < deadline:
        pause(LOOK_AGAIN_SECONDS)
        found_again = look()
        findings = [finding for finding in findings if finding in found_again]
    return findings


def find_lost(project: Project) -> list[Finding]:
    """Find the zombies and orphans of this clone, also those that a dead stack has left."""
    record = stack_record.read(project)
    if record is None:
        return []
    adopters, owners = set[int](), dict[int, str]()
    if record.keeper() is not None:
        supervisor = Supervisor(stack_record.socket_file(project))
        adopters = {record.keeper_pid, supervisor.pid()}
        owners = _owners(supervisor.programs())
    everything = processes.ours(record)
    return [*_zombies(everything, owners), *_orphans(everything, adopters, owners)]


def _owners(programs: dict[str, Program]) -> dict[int, str]:
    """Return the component of every process that a living component owns, by pid."""
    owners: dict[int, str] = {}
    for program in programs.values():
        if program.pid:
            below = processes.descendants(program.pid)
            owners |= dict.fromkeys([program.pid, *(p.pid for p in below)], program.name)
    return owners


def _zombies(everything: list[psutil.Process], owners: dict[int, str]) -> Iterator[Finding]:
    for process in everything:
        if finding := _finding(process, Trouble.ZOMBIE, psutil.STATUS_ZOMBIE):
            yield replace(finding, component=owners.get(finding.parent_pid, ""))


def _orphans(
    everything: list[psutil.Process], adopters: set[int], owners: dict[int, str]
) -> Iterator[Finding]:
    for process in everything:
        if process.pid in adopters or process.pid in owners:
            continue
        finding = _finding(process, Trouble.ORPHAN)
        if finding and not _finding(process, Trouble.ZOMBIE, psutil.STATUS_ZOMBIE):
            yield finding


def _stopped(everything: list[psutil.Process], owners: dict[int, str]) -> Iterator[Finding]:
    for process in everything:
        if process.pid in owners:
            finding = _finding(process, Trouble.STOPPED, psutil.STATUS_STOPPED)
            if finding:
                yield replace(finding, component=owners[process.pid])


def _stuck(everything: list[psutil.Process], owners: dict[int, str]) -> Iterator[Finding]:
    """Find workers that are busy with a task but have no child (Linux: macOS sets no titles)."""
    for process in everything:
        if process.pid in owners and _is_busy_without_task(process):
            finding = _finding(process, Trouble.STUCK)
            if finding:
                yield replace(finding, component=owners[process.pid])


def _unwell(
    project: Project, record: StackRecord, programs: dict[str, Program]
) -> Iterator[Finding]:
    """Find components that were given up or give no sign of life, if what they need gives one.

    While the database is away, nobody can write a heartbeat, and while the web server is away,
    nobody can be asked for one: only the cause is in trouble then.
    """
    if not postgres.is_embedded(project) and not postgres.is_ready(project):
        return
    is_healthy = Health(project, record).check()
    if postgres.is_embedded(project) and not is_healthy(programs[DATABASE]):
        yield from trouble_of_database(programs[DATABASE], postgres.phase(project))
    elif not is_healthy(programs[API_SERVER]):
        yield from trouble_of(programs[API_SERVER])
    else:
        for program in programs.values():
            if not is_healthy(program):
                yield from trouble_of(program)


def trouble_of_database(program: Program, phase: str) -> Iterator[Finding]:
    """Find what is wrong with a database that does not answer, and is in this phase of its life.

    One that starts may have to recover from a crash first, however long that lasts. One that was
    sent SIGTERM lets nobody in any more and waits for its clients.
    """
    if program.state == "running" and phase == "stopping":
        yield from _named(Trouble.CLOSING, [program])
    elif phase != "starting":
        yield from trouble_of(program)


def trouble_of(program: Program) -> Iterator[Finding]:
    """Find what is wrong with a component that is not healthy."""
    if program.state == "failed":
        yield failure_of(program)
    elif program.state == "running":
        yield from _named(Trouble.SILENT, [program])


def _stalled(
    project: Project, everything: list[psutil.Process], programs: dict[str, Program]
) -> Iterator[Finding]:
    """Find a scheduler whose workers idle while tasks wait (Linux: macOS sets no titles).

    LocalExecutor's workers share one queue and its lock; a worker that is killed while it waits for
    a task takes the lock along, and no other gets a task any more.
    """
    scheduler = programs.get("scheduler")
    if scheduler is None or scheduler.pid is None or scheduler.state != "running":
        return
    has_idle_worker = any(_title(process).startswith(IDLE_WORKER_TITLE) for process in everything)
    since = scheduler.started_at
    if has_idle_worker and task_states.count_queued(project, since, QUEUED_SECONDS):
        yield from _named(Trouble.STALLED, [scheduler])


def lost_tasks(project: Project) -> Iterator[Finding]:
    """Find tasks that run if PostgreSQL is right, and have no process."""
    for task in task_states.running(project):
        if not psutil.pid_exists(task.pid):
            yield Finding(Trouble.LOST_TASK, task.pid, task.started_at, task.name, 0, "scheduler")


def _named(trouble: Trouble, programs: list[Program]) -> Iterator[Finding]:
    for program in programs:
        with suppress(psutil.NoSuchProcess):
            finding = _finding(psutil.Process(program.pid), trouble) if program.pid else None
            if finding:
                yield replace(finding, component=program.name)


def _finding(
    process: psutil.Process, trouble: Trouble, status: str | None = None
) -> Finding | None:
    try:
        if status is not None and process.status() != status:
            return None
        return Finding(trouble, process.pid, process.create_time(), process.name(), process.ppid())
    except psutil.NoSuchProcess:
        return None


def _is_busy_without_task(process: psutil.Process) -> bool:
    title = _title(process)
    is_busy = title.startswith(BUSY_WORKER_TITLE) and not title.startswith(IDLE_WORKER_TITLE)
    try:
        return is_busy and not process.children()
    except psutil.Error:
        return False


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""

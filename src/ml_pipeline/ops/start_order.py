"""The one order in which components start and stop, used at the start and after a crash."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from ml_pipeline.errors import StackError
from ml_pipeline.ops import postgres
from ml_pipeline.ops.health import Health
from ml_pipeline.ops.log_tail import last_lines
from ml_pipeline.ops.supervisor import Pause, Program, Supervisor

DATABASE = "postgres"
DATABASE_ANSWERS_WITHIN_SECONDS = 5.0  # unless it has to recover from a crash, or cannot start
READY_WITHIN_SECONDS = 180.0  # a cold, busy machine; macOS imports Airflow four times at once
Report = Callable[[str], None]


def start_database(supervisor: Supervisor, health: Health, pause: Pause) -> None:
    """Return when PostgreSQL answers; supervisord starts it first of all, by itself.

    It is asked directly: supervisord may not answer yet, since it imports Airflow meanwhile.
    """
    deadline = time.monotonic() + DATABASE_ANSWERS_WITHIN_SECONDS
    while time.monotonic() < deadline:
        if postgres.is_ready(health.project):
            return
        pause(0.05)
    start_and_wait(supervisor, health, [DATABASE], pause)


def start_clients(
    supervisor: Supervisor, health: Health, pause: Pause, report: Report = lambda name: None
) -> None:
    """Start everything but PostgreSQL, as `start_and_wait` does."""
    start_and_wait(supervisor, health, clients(supervisor), pause, report)


def stop_in_order(supervisor: Supervisor, pause: Pause) -> None:
    """Stop the database's clients side by side, then the database."""
    supervisor.stop(clients(supervisor), pause)
    supervisor.stop([DATABASE], pause)


def clients(supervisor: Supervisor) -> list[str]:
    """Return every component that needs the database."""
    return [name for name in supervisor.programs() if name != DATABASE]


def start_and_wait(
    supervisor: Supervisor,
    health: Health,
    names: Iterable[str],
    pause: Pause,
    report: Report = lambda name: None,
) -> None:
    """Start components side by side; return when each is ready.

    Parameters
    ----------
    supervisor, health, names
        The stack, and which of its components.
    pause
        Sleeps for the given seconds; may raise to give up.
    report
        Called with each component's name once it is ready.

    Raises
    ------
    StackError
        When a component fails for good or is not ready in time; with its last log lines.
    """
    waiting = set(names)
    for name in sorted(waiting):
        supervisor.start(name)
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while waiting:
        programs = supervisor.programs()
        _raise_if_failed([programs[name] for name in waiting], deadline)
        is_healthy = health.check()
        for name in [name for name in sorted(waiting) if is_healthy(programs[name])]:
            waiting.discard(name)
            report(name)
        if waiting:
            pause(0.2)


def _raise_if_failed(programs: list[Program], deadline: float) -> None:
    for program in programs:
        if program.state == "failed":
            raise StackError(explain_failure(program))
    if time.monotonic() > deadline:
        raise StackError(_explain(programs[0], f"is not ready after {READY_WITHIN_SECONDS:.0f} s"))


def explain_failure(program: Program) -> str:
    """Say of a component that supervisord has given up: its last log lines, and the remedy."""
    return _explain(program, "keeps failing")


def _explain(program: Program, what: str) -> str:
    lines = "\n".join(f"    {line}" for line in last_lines(program.log, 15))
    return (
        f"{program.name} {what}. The last lines of its log ({program.log}):\n{lines}\n"
        f"Mend the cause, then: ml-pipeline restart {program.name}"
    )

"""`up` and `prepare`: from nothing to a running stack and a finished first run."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from ml_pipeline.cli.progress import Progress
    from ml_pipeline.ops.project import Project
    from ml_pipeline.ops.stack import LaunchedStack
    from ml_pipeline.ops.stack_record import StackRecord

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8080
NEXT_COMMANDS = "Its state: ml-pipeline status    Stop it: ml-pipeline down"


def up(
    detach: Annotated[
        bool, typer.Option("--detach", help="Return once it is ready; it runs on.")
    ] = False,
    port: Annotated[
        int, typer.Option(min=1, max=65535, envvar="ML_PIPELINE_PORT", help="Port of the UI.")
    ] = DEFAULT_PORT,
    host: Annotated[
        str, typer.Option(envvar="ML_PIPELINE_HOST", help="Address that the UI listens on.")
    ] = DEFAULT_HOST,
    no_run: Annotated[
        bool, typer.Option("--no-run", help="Do not run the pipeline the first time.")
    ] = False,
) -> None:
    """Prepare what is missing, start everything, run the pipeline once; Ctrl-C stops it all."""
    from ml_pipeline.cli.progress import Progress
    from ml_pipeline.ops import stack_record
    from ml_pipeline.ops.project import Project

    project, progress = Project.here(), Progress()
    if _is_running(project, progress):
        return
    with stack_record.lock(project) as lock:
        launched = _launch(project, progress, host, port, lock)
        is_fine = _start(launched, progress, no_run)
        if detach:
            launched.detach()
            progress.say(f"It runs on. {NEXT_COMMANDS}", style="dim")
            raise typer.Exit(0 if is_fine else 1)
        _stay(launched, progress)


def prepare() -> None:
    """Do all that the first start does, without starting: cluster, database, admin user."""
    from ml_pipeline.cli.progress import Progress
    from ml_pipeline.ops import postgres, stack_record
    from ml_pipeline.ops.project import Project
    from ml_pipeline.ops.stack_record import StackRecord

    project, progress = Project.here(), Progress()
    if _is_running(project, progress):
        return
    record = StackRecord(os.getpid(), 0.0, "prepare", DEFAULT_HOST, DEFAULT_PORT)
    with stack_record.lock(project):
        if postgres.is_embedded(project):
            _prepare_cluster(project, progress)
            postgres.start(project)
        try:
            _provision(project, progress)
            _set_up_airflow(project, record, progress)
        finally:
            postgres.stop(project)
    progress.say("Ready. Start it with: ./start_airflow.sh")


def _is_running(project: Project, progress: Progress) -> bool:
    """Tell whether the stack runs, and if so, the user."""
    from ml_pipeline.ops import stack

    if record := stack.running(project):
        progress.say(f"Already running: {record.url} (keeper: process {record.keeper_pid})")
        progress.say(NEXT_COMMANDS)
        return True
    return False


def _launch(project: Project, progress: Progress, host: str, port: int, lock: int) -> LaunchedStack:
    from ml_pipeline.ops import linux, ports, postgres, stack

    stack.clear_leftovers(project)
    ports.require_free(host, port)
    if postgres.is_embedded(project):
        _prepare_cluster(project, progress)
    else:
        _provision(project, progress)  # before anything starts: it may refuse
    linux.become_subreaper()  # should the keeper be killed, what it adopted comes to us
    return stack.LaunchedStack(project, host, port, lock)


def _prepare_cluster(project: Project, progress: Progress) -> None:
    from ml_pipeline.ops import postgres

    if postgres.is_running(project):  # by `db start`: supervisord takes it over
        postgres.stop(project)
    with progress.step("Preparing PostgreSQL", "PostgreSQL is prepared"):
        postgres.prepare(project)


def _provision(project: Project, progress: Progress) -> None:
    from ml_pipeline.ops import postgres

    with progress.step("Checking roles and databases", "Roles and databases are there"):
        postgres.provision(project)


def _start(launched: LaunchedStack, progress: Progress, no_run: bool) -> bool:
    """Start the components and run the pipeline; stop everything when that is interrupted."""
    from ml_pipeline.cli.first_run import run_once
    from ml_pipeline.errors import PipelineError

    try:
        _start_components(launched, progress)
        is_fine = no_run or run_once(launched.project, launched.record, progress)
        _tell_where(launched, progress)
    except PipelineError as error:
        if launched.was_stopped():
            _tell_of_a_stop(progress)
            raise typer.Exit(1) from error
        _stop(launched, progress, error)
        raise
    except SystemExit as reason:
        _stop(launched, progress, reason)
        raise
    return is_fine


def _start_components(launched: LaunchedStack, progress: Progress) -> None:
    from ml_pipeline.ops import postgres
    from ml_pipeline.ops.health import Health
    from ml_pipeline.ops.start_order import clients, start_clients, start_database

    project, supervisor = launched.project, launched.supervisor
    health = Health(project, launched.record)
    if postgres.is_embedded(project):
        with progress.step("Starting PostgreSQL", "PostgreSQL answers"):
            start_database(supervisor, health, time.sleep)
        _provision(project, progress)
    _set_up_airflow(project, launched.record, progress, lambda: _start_scheduler(launched))
    with progress.activity("Importing Airflow"):
        launched.await_supervisor()
    started_at = time.monotonic()
    with progress.activity(f"Starting {', '.join(clients(supervisor))}"):
        start_clients(
            supervisor,
            health,
            time.sleep,
            lambda name: progress.done(f"{name} is ready", time.monotonic() - started_at),
        )


def _start_scheduler(launched: LaunchedStack) -> None:
    """Let it import the tasks' libraries already; then it waits for the set-up, see `prepare`."""
    launched.await_supervisor()
    launched.supervisor.start("scheduler")


def _set_up_airflow(
    project: Project,
    record: StackRecord,
    progress: Progress,
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    from ml_pipeline.ops import airflow_setup
    from ml_pipeline.ops.stack_environment import stack_environment

    if airflow_setup.is_current(project):
        return
    airflow_setup.forget(project)  # what starts meanwhile waits until it is done again
    with progress.step(
        "Preparing Airflow's database: tables, permissions, admin user (some seconds)",
        "Airflow's database is prepared",
    ):
        _run_airflow_setup(stack_environment(project, record), meanwhile)


def _run_airflow_setup(environment: dict[str, str], meanwhile: Callable[[], None]) -> None:
    from ml_pipeline.errors import PipelineError, StackError

    command = [sys.executable, "-m", "ml_pipeline.ops.airflow_setup"]
    child = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        meanwhile()
        _, errors = child.communicate()
    except (SystemExit, PipelineError):
        child.terminate()
        child.wait()
        raise
    if child.returncode:
        last = (errors.strip().splitlines() or ["no message"])[-1]
        raise StackError(f"Airflow's database could not be prepared: {last}")


def _tell_where(launched: LaunchedStack, progress: Progress) -> None:
    secret = shlex.quote(str(launched.project.secrets / "admin_password"))
    progress.say()
    progress.say(f"Airflow's UI:   {launched.record.url}", style="bold")
    # The file ends without a newline, and a prompt right behind a password is copied with it.
    progress.say(f"Log in:         user admin, password: cat {secret}; echo")


def _stay(launched: LaunchedStack, progress: Progress) -> None:
    """Hold the stack until a signal comes, or until somebody else ends it."""
    from ml_pipeline.ops import stack

    progress.say("Ctrl-C stops everything.", style="dim")
    try:
        status = launched.wait()
    except SystemExit as reason:
        _stop(launched, progress, reason)
        raise
    if status > 128:  # by a signal that the keeper obeyed
        _tell_of_a_stop(progress)
        return
    stack.clear_leftovers(launched.project)
    log = launched.project.logs / "stack" / "keeper.log"
    progress.failed(
        f"The stack's keeper died, so everything was stopped. Start again. Its log: {log}"
    )
    raise typer.Exit(1)


def _tell_of_a_stop(progress: Progress) -> None:
    progress.say("Stopped from outside; nothing is left.")


def _stop(launched: LaunchedStack, progress: Progress, reason: BaseException) -> None:
    code = reason.code if isinstance(reason, SystemExit) else None
    number = code - 128 if isinstance(code, int) and code > 128 else signal.SIGTERM
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # the stop is under way and bounded in time
    with progress.step("Stopping everything", "Everything is stopped; no process is left"):
        launched.stop(number)

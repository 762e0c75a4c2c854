"""The command line: the only place that prints or exits. Each command imports what it needs."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer

from ml_pipeline import __version__
from ml_pipeline.cli import (
    config,
    db,
    doctor,
    logs,
    models,
    prune,
    run,
    service,
    stack,
    up,
    zombies,
)
from ml_pipeline.errors import PipelineError, StackError
from ml_pipeline.ops.project import Project

SOURCE_AND_RUN = '. "$0" && exec "$@"'

app = typer.Typer(
    name="ml-pipeline",
    help="Run a machine-learning pipeline on Apache Airflow 3, natively on PostgreSQL.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(up.up)
app.command()(up.prepare)
app.command()(stack.down)
app.command()(stack.status)
app.command()(stack.restart)
app.command()(logs.logs)
app.command()(zombies.zombies)
app.command()(run.run)
app.command()(doctor.doctor)
app.command()(prune.prune)
app.add_typer(config.app, name="config")
app.add_typer(db.app, name="db")
app.add_typer(models.app, name="models")
app.add_typer(service.app, name="service")


def main() -> None:
    """Run a command; a user's error is one message and status 1, a signal n is 128 + n."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup wants to be left alone
            signal.signal(number, _exit_by_signal)
    try:
        _require_environment()
        app(prog_name="ml-pipeline")
    except PipelineError as error:
        if "--verbose" in sys.argv:
            raise
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_print_version, help="Show the version."),
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show tracebacks.")] = False,
) -> None: ...


def _exit_by_signal(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _require_environment() -> None:
    """Source this clone's environment first, unless it is there: it has one owner, the script."""
    root = Project.here().root
    if _is_home(root):
        return
    if os.environ.get("ML_PIPELINE_SOURCED_BY") == str(os.getpid()):
        raise StackError(f"{root}/airflow_postgresql_env.sh does not set ML_PIPELINE_HOME.")
    os.environ["ML_PIPELINE_SOURCED_BY"] = str(os.getpid())
    script = str(root / "airflow_postgresql_env.sh")
    command = [sys.executable, "-m", "ml_pipeline.cli", *sys.argv[1:]]
    os.execvp("bash", ["bash", "-c", SOURCE_AND_RUN, script, *command])


def _is_home(root: Path) -> bool:
    home = os.environ.get("ML_PIPELINE_HOME")
    try:
        return (
            bool(home)
            and os.environ.get("AIRFLOW_HOME", "").startswith(str(home))
            and (root.samefile(str(home)))
        )
    except OSError:
        return False

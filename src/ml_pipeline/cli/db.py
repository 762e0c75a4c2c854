"""`ml-pipeline db`: the PostgreSQL server of this clone."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ml_pipeline.errors import DatabaseError, StackError
from ml_pipeline.ops import postgres, secrets
from ml_pipeline.ops.project import Project

if TYPE_CHECKING:
    from ml_pipeline.ops.backup.manifest import Manifest

app = typer.Typer(help="The PostgreSQL server of this clone.", no_args_is_help=True)


class Database(StrEnum):
    """The databases that have a URL."""

    metadata = "metadata"
    results = "results"
    mlflow = "mlflow"


URL_SECRETS = {
    Database.metadata: "sql_alchemy_conn",
    Database.results: "results_db_url",
    Database.mlflow: "mlflow_db_url",
}


@app.command()
def start() -> None:
    """Start the database without the rest of the stack, and make it where it is missing."""
    from ml_pipeline.ops.postgres import sharing

    project = Project.here()
    if not postgres.is_embedded(project):
        postgres.provision(project)
        typer.echo(f"The database is your own server at {_server(project)}: it answers.")
        return
    if not postgres.is_running(project):
        _refuse_beside_a_stack(project)
    has_started = postgres.start(project)
    sharing.keep(project)
    postgres.provision(project)
    state = "running" if has_started else "already running"
    typer.echo(f"PostgreSQL is {state} on {_server(project)}.")


@app.command()
def stop() -> None:
    """Shut the database down cleanly."""
    project = Project.here()
    if not postgres.is_embedded(project):
        typer.echo(
            f"The database is your own server at {_server(project)}: it is not ours to stop."
        )
        return
    if not postgres.is_running(project):
        typer.echo("PostgreSQL is not running.")
        return
    _refuse_beside_a_stack(project)
    postgres.stop(project)
    typer.echo("PostgreSQL is stopped.")


@app.command()
def url(
    database: Annotated[Database, typer.Argument(help="Which one.")] = Database.metadata,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Print a database's URL with its password, for psql: psql "$(ml-pipeline db url)"."""
    from ml_pipeline.ops.postgres import urls

    text = secrets.read(Project.here().secrets, URL_SECRETS[database])
    if text is None:
        raise DatabaseError("There is no database yet. Make it: ml-pipeline db start")
    text = urls.parse(text).libpq()
    typer.echo(json.dumps({"database": database.value, "url": text}) if as_json else text)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
) -> None:
    """Write the databases, and the secrets that belong to them, into one file."""
    from rich.filesize import decimal

    from ml_pipeline.ops import backup

    manifest = backup.save(Project.here(), file, replace=force)
    size = decimal(file.stat().st_size)
    typer.echo(f"Backed up {_contents(manifest)} to {file} ({size}).")
    typer.echo("Keep it safe: who has it can read the passwords of the connections.")


@app.command()
def restore(file: Annotated[Path, typer.Argument(help="What `backup` wrote.")]) -> None:
    """Replace the databases, and the secrets that belong to them, by those of a backup."""
    from ml_pipeline.ops import backup

    manifest = backup.restore(Project.here(), file)
    made = f"{manifest.created_at:%Y-%m-%d %H:%M} UTC on PostgreSQL {manifest.server_version}"
    typer.echo(f"Restored {_contents(manifest)}, backed up {made}. Start: ./start_airflow.sh")


def _contents(manifest: Manifest) -> str:
    names = [*manifest.databases, *manifest.secrets]
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _server(project: Project) -> str:
    from ml_pipeline.ops.postgres import urls

    text = secrets.read(project.secrets, "sql_alchemy_conn")
    return urls.parse(text).place if text else "(not set up yet)"


def _refuse_beside_a_stack(project: Project) -> None:
    from ml_pipeline.ops import stack_record

    if stack_record.is_locked(project):
        raise StackError(
            "The stack is running, and PostgreSQL belongs to it. Stop all of it: ml-pipeline down; "
            "or restart the database: ml-pipeline restart postgres"
        )

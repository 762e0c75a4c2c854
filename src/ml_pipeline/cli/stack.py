"""`down`, `status` and `restart`: the running stack from outside."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ml_pipeline.errors import StackError
from ml_pipeline.ops.project import Project

if TYPE_CHECKING:
    from rich.table import Table


def down() -> None:
    """Stop everything, wait, and prove that nothing is left."""
    from ml_pipeline.cli.progress import Progress
    from ml_pipeline.ops import postgres, stack, stack_record

    project, progress = Project.here(), Progress()
    if stack.has_started(project):
        with progress.step("Stopping everything", "Stopped; no process is left"):
            stack.stop(project)
    elif stack_record.is_locked(project):
        raise StackError("A start is under way. Interrupt it where it runs (Ctrl-C), or wait.")
    elif postgres.is_embedded(project) and postgres.is_running(project):
        with progress.step("Stopping PostgreSQL", "PostgreSQL is stopped; nothing else was up"):
            postgres.stop(project)
    else:
        progress.say("Nothing was running.")


def status(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Show every component, the UI's address, zombies and orphans; 0 only if all is healthy."""
    from ml_pipeline.ops import stack

    document = stack.describe(Project.here())
    if as_json:
        print(json.dumps(document))
    else:
        _print_status(document)
    raise typer.Exit(0 if _is_all_healthy(document) else 1)


def restart(
    component: Annotated[str | None, typer.Argument(help="One component, or all.")] = None,
) -> None:
    """Restart one component, or all of them in order, and wait until it is ready."""
    from ml_pipeline.cli.progress import Progress
    from ml_pipeline.ops import stack

    project, progress = Project.here(), Progress()
    started_at = time.monotonic()
    with progress.activity(f"Restarting {component or 'every component'}"):
        stack.restart(
            project,
            component,
            lambda name: progress.done(f"{name} is ready", time.monotonic() - started_at),
        )


def _is_all_healthy(document: dict[str, Any]) -> bool:
    components = document["components"].values()
    is_clean = not document["zombies"] and not document["orphans"]
    return document["running"] and is_clean and all(each["healthy"] for each in components)


def _print_status(document: dict[str, Any]) -> None:
    from ml_pipeline.cli.progress import Progress
    from ml_pipeline.ops import stack

    progress = Progress()
    if not document["running"]:
        progress.say("Not running. Start it with: ./start_airflow.sh")
    else:
        progress.console.print(_table(document["components"]))
        progress.say(f"UI:        {document['url']}")
        for explanation in stack.explain_failures(Project.here()):
            progress.failed(explanation)
    if where := _database_place():
        progress.say(f"Database:  {where}")
    progress.say(f"Zombies:   {document['zombies']}    Orphans: {document['orphans']}")


def _table(components: dict[str, dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table("component", "state", "healthy", box=None, header_style="bold", pad_edge=False)
    for heading in ("pid", "restarts", "memory"):
        table.add_column(heading, justify="right")
    for name, each in components.items():
        table.add_row(
            name,
            each["state"],
            "[green]yes[/green]" if each["healthy"] else "[red]no[/red]",
            str(each["pid"] or "-"),
            str(each["restarts"]),
            f"{each['rss_bytes'] / 2**20:.0f} MB",
        )
    return table


def _database_place() -> str:
    """Return where the data lies: root may have had to place the cluster elsewhere."""
    from ml_pipeline.ops import postgres
    from ml_pipeline.ops.postgres.cluster import Cluster

    project = Project.here()
    if not postgres.is_embedded(project):
        return "your own server (ML_PIPELINE_DATABASE_URL)"
    try:
        return str(Cluster.of(project).data)
    except StackError:
        return ""

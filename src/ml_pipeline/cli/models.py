"""`ml-pipeline models`: the versions of a problem's model, and which one is in use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ml_pipeline.ops.project import Project

if TYPE_CHECKING:
    from ml_pipeline.registry.versions import Version, Versions

app = typer.Typer(help="Versions of the model, and which is in use.", no_args_is_help=True)

Problem = Annotated[
    str | None, typer.Option(help="Its YAML file's name; needed where there are several.")
]
Number = Annotated[int, typer.Argument(min=1, help="The version's number.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Reason = Annotated[str, typer.Option(help="Is recorded with the version.")]


@app.command(name="list")
def list_versions(problem: Problem = None, as_json: AsJson = False) -> None:
    """List every version, the newest first: aliases, selection metric, age, data."""
    from rich.console import Console

    from ml_pipeline.cli.model_tables import version_document, versions_table
    from ml_pipeline.registry.versions import Versions, problems

    with _client() as client:
        names = [problem] if problem else problems(client)
        found = {name: Versions(client, name).all() for name in names}
    if as_json:
        print(json.dumps({name: list(map(version_document, all_)) for name, all_ in found.items()}))
        return
    console = Console(highlight=False)
    for name, versions in found.items():
        console.print(versions_table(name, versions))
    if not any(found.values()):
        print("No run has registered a model yet.")


@app.command()
def show(version: Number, problem: Problem = None, as_json: AsJson = False) -> None:
    """Show one version: the evidence, and why it was promoted or not."""
    from rich.console import Console

    from ml_pipeline.cli.model_tables import version_document, version_table

    with _versions(problem) as versions:
        found, moves = versions.get(version), versions.moves()
    own = [move for move in moves if move["version"] == version]
    if as_json:
        print(json.dumps(version_document(found) | {"moves": own}))
        return
    Console(highlight=False).print(version_table(found, own))


@app.command()
def promote(
    version: Number,
    problem: Problem = None,
    reason: Reason = "Promoted by hand",
    as_json: AsJson = False,
) -> None:
    """Make a version the champion, whatever the test said."""
    with _versions(problem) as versions:
        versions.promote(versions.get(version), reason)
        champion = versions.get(version)
    _say(champion, f"Version {version} of {champion.problem} is champion.", as_json)


@app.command()
def rollback(
    problem: Problem = None, reason: Reason = "Rolled back by hand", as_json: AsJson = False
) -> None:
    """Give the place back to the champion before."""
    with _versions(problem) as versions:
        left, back = versions.rollback(reason)
        champion = versions.get(back.number)
    text = f"Version {back.number} of {back.problem} is champion again, after {left.number}."
    _say(champion, text, as_json)


def _say(version: Version, text: str, as_json: bool) -> None:
    from ml_pipeline.cli.model_tables import version_document

    print(json.dumps(version_document(version)) if as_json else text)


@contextmanager
def _versions(problem: str | None) -> Iterator[Versions]:
    """Yield the versions of a problem, or of the only one there is."""
    from ml_pipeline.registry.tracking import RegistryError
    from ml_pipeline.registry.versions import Versions, problems

    with _client() as client:
        names = problems(client)
        name = problem or (names[0] if len(names) == 1 else None)
        if not names:
            raise RegistryError("No run has registered a model yet")
        if name not in names:
            asked = f"Got the problem {problem!r}" if problem else "There are several problems"
            raise RegistryError(f"{asked}. --problem must be one of {', '.join(names)}")
        yield Versions(client, name)


@contextmanager
def _client() -> Iterator[Any]:
    """Yield MLflow's client; our own database is started for it where it is down."""
    import os

    from ml_pipeline.ops import secrets
    from ml_pipeline.ops.postgres.lending import lent
    from ml_pipeline.registry import tracking

    project = Project.here()
    if os.environ.get(tracking.URI_VARIABLE):
        yield tracking.open_client(tracking.tracking_uri(None), project.root.as_uri())
        return
    with lent(project):
        uri = tracking.tracking_uri(secrets.read(project.secrets, "mlflow_db_url"))
        yield tracking.open_client(uri, (project.root / "results").as_uri())

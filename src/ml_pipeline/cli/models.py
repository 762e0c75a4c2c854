"""`ml-pipeline models`: the versions of a problem's model, and which one is in use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ml_pipeline.registry.versions import Version

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
    from ml_pipeline.model_registry import registry_client
    from ml_pipeline.registry.versions import Versions, problems

    with registry_client() as client:
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
    from ml_pipeline.model_registry import versions_of

    with versions_of(problem) as versions:
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
    from ml_pipeline.model_registry import versions_of

    with versions_of(problem) as versions:
        versions.promote(versions.get(version), reason)
        champion = versions.get(version)
    _say(champion, f"Version {version} of {champion.problem} is champion.", as_json)


@app.command()
def rollback(
    problem: Problem = None, reason: Reason = "Rolled back by hand", as_json: AsJson = False
) -> None:
    """Give the place back to the champion before."""
    from ml_pipeline.model_registry import versions_of

    with versions_of(problem) as versions:
        left, back = versions.rollback(reason)
        champion = versions.get(back.number)
    text = f"Version {back.number} of {back.problem} is champion again, after {left.number}."
    _say(champion, text, as_json)


def _say(version: Version, text: str, as_json: bool) -> None:
    from ml_pipeline.cli.model_tables import version_document

    print(json.dumps(version_document(version)) if as_json else text)

"""`doctor`: checks the machine, and says what to do."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from ml_pipeline.cli.up import DEFAULT_PORT
from ml_pipeline.ops.project import Project


def doctor(
    port: Annotated[
        int, typer.Option(min=1, max=65535, envvar="ML_PIPELINE_PORT", help="Port of the UI.")
    ] = DEFAULT_PORT,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Check this machine, with a remedy for what is missing; 0 only if nothing is."""
    from ml_pipeline.cli.progress import Progress
    from ml_pipeline.ops.doctor import examine

    checks = examine(Project.here(), port)
    if as_json:
        print(json.dumps([asdict(check) | {"is_fine": check.is_fine} for check in checks]))
    else:
        progress = Progress()
        for check in checks:
            mark = progress.done if check.is_fine else progress.failed
            mark(f"{check.name + ':':<20}{check.found}")
            if not check.is_fine:
                progress.say(f"{'':<22}{check.remedy}")
    raise typer.Exit(0 if all(check.is_fine for check in checks) else 1)

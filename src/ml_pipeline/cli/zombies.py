"""`zombies`: the monitor that `zombie_monitor.sh` runs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from ml_pipeline.ops.project import Project


def zombies(
    once: Annotated[bool, typer.Option("--once", help="Look once and exit.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Show zombies and orphans of this stack."""
    from ml_pipeline.ops import stack

    found, lost = stack.lost(Project.here())
    print(json.dumps({"zombies": [asdict(z) for z in found], "orphans": [asdict(o) for o in lost]}))
    raise typer.Exit(1 if found or lost else 0)

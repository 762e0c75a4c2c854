"""`prune`: removes old logs and leftovers, and old results on request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from ml_pipeline.ops.project import Project

if TYPE_CHECKING:
    from ml_pipeline.ops.prune import Pruned

DEFAULT_DAYS = 30


def prune(
    older_than: Annotated[
        int,
        typer.Option(min=1, envvar="ML_PIPELINE_KEEP_DAYS", help="Days since it was written to."),
    ] = DEFAULT_DAYS,
    with_results: Annotated[
        bool,
        typer.Option("--results", help="Published results too; the latest and those in use stay."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Remove nothing, say what would be.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Remove old logs and what runs left behind, never a run's that is not finished."""
    from ml_pipeline.model_registry import superseded_runs
    from ml_pipeline.ops import prune as pruning

    superseded = superseded_runs() if with_results else None
    areas = pruning.prune(Project.here(), older_than, dry_run=dry_run, superseded=superseded)
    print(_document(areas, older_than, dry_run) if as_json else _report(areas, dry_run))
    raise typer.Exit(1 if any(area.failures for area in areas) else 0)


def _document(areas: list[Pruned], older_than: int, dry_run: bool) -> str:
    return json.dumps(
        {
            "dry_run": dry_run,
            "older_than_days": older_than,
            "areas": {a.area: {"count": a.count, "bytes": a.size_bytes} for a in areas},
            "bytes": sum(area.size_bytes for area in areas),
            "failures": [failure for area in areas for failure in area.failures],
        }
    )


def _report(areas: list[Pruned], dry_run: bool) -> str:
    from rich.filesize import decimal

    verb = "Would remove" if dry_run else "Removed"
    lines = [f"{a.area + ':':<21}{a.count:>6}  {decimal(a.size_bytes):>9}" for a in areas]
    lines.append(f"{verb} {decimal(sum(area.size_bytes for area in areas))}.")
    lines += [f"Not removed: {failure}" for area in areas for failure in area.failures]
    return "\n".join(lines)

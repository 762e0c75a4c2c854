"""The record of this clone's cluster: where it lies, on which port, run by which binaries."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace

from ml_pipeline.ops.project import Project


@dataclass(frozen=True)
class ClusterRecord:
    """What has to survive a stop, an upgrade and a move of the clone.

    Parameters
    ----------
    home
        The folder that holds the cluster when root had to place it outside the clone.
    port
        The TCP port, picked at the first start.
    binaries
        The folder of a system's binaries. None for the bundled ones, which move with the clone
        and are found anew.
    """

    home: str | None = None
    port: int | None = None
    binaries: str | None = None


def read(project: Project) -> ClusterRecord:
    """Return the record; an empty one before the first start."""
    try:
        return ClusterRecord(**json.loads((project.postgres / "cluster.json").read_text()))
    except (FileNotFoundError, PermissionError):
        return ClusterRecord()


def update(project: Project, **changes: str | int | None) -> ClusterRecord:
    """Change the record, whole or not at all."""
    record = replace(read(project), **changes)  # type: ignore[arg-type]
    project.postgres.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = project.postgres / f".cluster.{os.getpid()}"
    beside.write_text(json.dumps(asdict(record), indent=1))
    beside.replace(project.postgres / "cluster.json")
    return record

"""Remove what runs leave behind, by age; never what belongs to a run that is not finished."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ml_pipeline.ops.project import Project
from ml_pipeline.ops.prune import known_runs, logs, results, xcoms
from ml_pipeline.ops.prune.known_runs import Run
from ml_pipeline.ops.prune.leftovers import Leftover, Order

SECONDS_PER_DAY = 86400

# What is pruned, in this order. A further kind is one more function here.
AREAS: dict[str, Callable[[Order], Iterable[Leftover]]] = {
    "task logs": logs.task_logs,
    "component logs": logs.component_logs,
    "unpublished results": results.staged,
    "XCom files": xcoms.unreferenced,
}
ON_REQUEST: dict[str, Callable[[Order], Iterable[Leftover]]] = {
    "results": results.published,
    "scorings": results.scorings,
}


@dataclass
class Pruned:
    """What became of one area.

    Parameters
    ----------
    count, size_bytes
        Of what was removed, or would be.
    failures
        What could not be removed, and why.
    """

    area: str
    count: int = 0
    size_bytes: int = 0
    failures: list[str] = field(default_factory=list)


def prune(
    project: Project,
    older_than_days: float,
    *,
    dry_run: bool = False,
    superseded: frozenset[Run] | None = None,
) -> list[Pruned]:
    """Remove what was last written to more than `older_than_days` ago, and say how much it was.

    Parameters
    ----------
    dry_run
        Whether to remove nothing and only say what would be.
    superseded
        Removes published results as well: of these runs, whose version the model registry knows and
        nothing needs, of runs outside Airflow, and of scorings.

    Raises
    ------
    DatabaseError
        When the database does not answer; nothing is removed then.
    """
    before = time.time() - older_than_days * SECONDS_PER_DAY
    order = Order(project, before, known_runs.read(project), superseded)
    areas = AREAS if superseded is None else AREAS | ON_REQUEST
    return [_prune(area, find(order), dry_run) for area, find in areas.items()]


def _prune(area: str, leftovers: Iterable[Leftover], dry_run: bool) -> Pruned:
    pruned = Pruned(area)
    for leftover in leftovers:
        try:
            if not dry_run:
                leftover.remove()
        except OSError as error:
            pruned.failures.append(f"{leftover.path}: {error.strerror or error}")
        else:
            pruned.count += 1
            pruned.size_bytes += leftover.size_bytes
    return pruned

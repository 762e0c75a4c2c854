"""A server for as long as somebody needs one: the running one, or one started and stopped again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from ml_pipeline.errors import DatabaseError
from ml_pipeline.ops import postgres, stack_record
from ml_pipeline.ops.postgres.cluster import Cluster
from ml_pipeline.ops.project import Project

LAST_CLIENT_SECONDS = 5.0  # a server process ends a moment after its client


@contextmanager
def lent(project: Project) -> Iterator[None]:
    """Have the database answer inside the block, and be afterwards as it was before.

    Raises
    ------
    DatabaseError
        When there is no database yet, or it does not start.
    StackError
        When the stack is starting or stopping at this moment.
    """
    if not postgres.is_embedded(project) or postgres.is_running(project):
        yield
        return
    if not Cluster.of(project).is_initialised():
        raise DatabaseError("There is no database yet. Make it: ml-pipeline db start")
    with stack_record.lock(project), started(project):
        yield


@contextmanager
def started(project: Project) -> Iterator[None]:
    """Do the same for one who holds the clone's lock; make the database where it is missing."""
    if not postgres.is_embedded(project) or postgres.is_running(project):
        yield
        return
    postgres.start(project)
    try:
        yield
    finally:
        if not _is_used(project):
            postgres.stop(project)


def _is_used(project: Project) -> bool:
    """Tell whether somebody else has come to use the server, such as a typed `airflow` command."""
    deadline = time.monotonic() + LAST_CLIENT_SECONDS
    while is_used := postgres.has_clients(project):
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return is_used

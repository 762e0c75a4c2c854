"""A server for as long as somebody needs one: the running one, or one started and stopped again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from ml_pipeline.errors import DatabaseError, StackError
from ml_pipeline.ops import postgres, stack_record
from ml_pipeline.ops.postgres.cluster import Cluster
from ml_pipeline.ops.postgres.sharing import Use
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
    with ExitStack() as stack:
        is_ours = False
        if postgres.is_embedded(project) and not postgres.is_running(project):
            if not Cluster.of(project).is_initialised():
                raise DatabaseError("There is no database yet. Make it: ml-pipeline db start")
            is_ours = _has_locked(project, stack)
        stack.enter_context(started(project, is_ours=is_ours))
        yield


@contextmanager
def started(project: Project, *, is_ours: bool = True) -> Iterator[None]:
    """Do the same, and make the database where it is missing.

    Parameters
    ----------
    is_ours
        Whether the caller holds the clone's lock; else a stack may take the server over meanwhile.
    """
    if not postgres.is_embedded(project):
        yield
        return
    use = Use(project)
    try:
        use.begin()
        yield
    finally:
        end(use, is_ours=is_ours)


def end(use: Use, *, is_ours: bool) -> None:
    """End a use, and stop the server when it was the last one; see `started`."""
    project = use.project
    try:
        is_free = use.end() and (is_ours or not stack_record.is_locked(project))
        if is_free and postgres.is_running(project) and not _is_used(project):
            postgres.stop(project)
    finally:
        use.close()


def _has_locked(project: Project, stack: ExitStack) -> bool:
    """Hold the clone's lock; tell whether it is held, or by another one who starts the server."""
    try:
        stack.enter_context(stack_record.lock(project))
    except StackError:
        if postgres.is_running(project):
            return False
        raise
    return True


def _is_used(project: Project) -> bool:
    """Tell whether somebody else has come to use the server, such as a typed `airflow` command."""
    deadline = time.monotonic() + LAST_CLIENT_SECONDS
    while is_used := postgres.has_clients(project):
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return is_used

"""Several who need the embedded server at once: the first starts it, and the last stops it.

Two locks tell them of each other; both go with the process that holds them, however it ends.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from ml_pipeline.ops import postgres
from ml_pipeline.ops.project import Project

ON_DEMAND = b"started on demand"


@contextmanager
def turn(project: Project) -> Iterator[None]:
    """Start or stop the server while nobody else does."""
    descriptor = _opened(project, "database.turn")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class Use:
    """A process's use of the server: from here on nobody stops it who started it on demand.

    Parameters
    ----------
    project
        The clone.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self._descriptor = _opened(project, "database.use")
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def begin(self) -> None:
        """Have the server answer: start it, or wait for who is starting it."""
        if postgres.start(self.project):
            os.pwrite(self._descriptor, ON_DEMAND, 0)

    def end(self) -> bool:
        """Tell whether the server is now up for nobody; who comes anew waits for `close`."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return os.pread(self._descriptor, len(ON_DEMAND), 0) == ON_DEMAND

    def close(self) -> None:
        """Give the use back."""
        os.close(self._descriptor)


def keep(project: Project) -> None:
    """Have the server run on when its users are gone, whoever started it."""
    descriptor = _opened(project, "database.use")
    os.ftruncate(descriptor, 0)
    os.close(descriptor)


def _opened(project: Project, name: str) -> int:
    project.run.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(project.run / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

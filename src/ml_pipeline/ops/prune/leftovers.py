"""What pruning works with: the order to prune, and the things that it may remove."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ml_pipeline.ops.project import Project
from ml_pipeline.ops.prune.known_runs import KnownRuns, Run


@dataclass(frozen=True)
class Order:
    """What is to be removed.

    Parameters
    ----------
    before
        Whatever was last written to before this moment, in seconds since the epoch.
    runs
        What the databases know about runs.
    superseded
        Runs whose version the model registry knows and nothing needs; None where published results
        stay.
    """

    project: Project
    before: float
    runs: KnownRuns
    superseded: frozenset[Run] | None = None


@dataclass(frozen=True)
class Leftover:
    """A file or a folder to remove whole.

    Parameters
    ----------
    size_bytes
        Of all its files.
    withdrawn
        The name under which it is removed, where nobody may find half of it under its own.
    """

    path: Path
    size_bytes: int
    withdrawn: Path | None = None

    def remove(self) -> None:
        """Remove it; a link is removed itself, never what it leads to."""
        path = self.path
        if self.withdrawn is not None:
            path = path.rename(self.withdrawn)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def old(path: Path, order: Order, withdrawn: Path | None = None) -> Iterator[Leftover]:
    """Yield the file or folder when nothing in it was written to since the order's moment."""
    try:
        statuses = list(_statuses(path))
    except FileNotFoundError:  # somebody is at work there
        return
    if all(status.st_mtime < order.before for status in statuses):
        size_bytes = sum(each.st_size for each in statuses if stat.S_ISREG(each.st_mode))
        yield Leftover(path, size_bytes, withdrawn)


def folders(parent: Path, pattern: str = "*") -> Iterator[Path]:
    """Yield the folders in a folder, in order, but no links, wherever they lead."""
    for path in sorted(parent.glob(pattern)):
        if path.is_dir() and not path.is_symlink():
            yield path


def _statuses(path: Path) -> Iterator[os.stat_result]:
    yield path.lstat()
    if not path.is_symlink():
        for parent, names, files in os.walk(path):  # which follows no links
            for name in (*names, *files):
                yield Path(parent, name).lstat()

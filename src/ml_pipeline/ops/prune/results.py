"""Old results: what runs have left behind that never published, and published ones on request.

Results on object storage are left to its own life-cycle rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ml_pipeline import storage
from ml_pipeline.ops.project import Project
from ml_pipeline.ops.prune.leftovers import Leftover, Order, folders, old


def staged(order: Order) -> Iterator[Leftover]:
    """Yield the folders in which runs gathered files that they never published."""
    unfinished = _names(order.runs.unfinished)
    for root in _roots(order.project):
        for folder in folders(root, f"*{storage.STAGING_SUFFIX}"):
            if folder.name.removesuffix(storage.STAGING_SUFFIX) not in unfinished:
                yield from old(folder, order)
        for folder in folders(root, f"*{storage.REPLACED_SUFFIX}"):
            # Without a successor it is the run's only copy: the next attempt puts it back.
            if folder.with_name(folder.name.removesuffix(storage.REPLACED_SUFFIX)).exists():
                yield from old(folder, order)


def published(order: Order) -> Iterator[Leftover]:
    """Yield published runs, but neither the latest nor one whose model is in use."""
    for root in _roots(order.project):
        kept = _names(order.runs.unfinished | order.runs.in_use) | _latest(root)
        for folder in folders(root):
            if folder.name not in kept and _is_published(folder):
                hidden = folder.with_name(folder.name + storage.STAGING_SUFFIX)
                yield from old(folder, order, withdrawn=hidden)


def _names(runs: frozenset[tuple[str, str]]) -> set[str]:
    return {storage.folder_name(run_id, dag_id) for dag_id, run_id in runs}


def _latest(root: Path) -> set[str]:
    latest = root / storage.LATEST
    return {latest.resolve().name} if latest.is_symlink() else set()


def _is_published(folder: Path) -> bool:
    is_aside = folder.name.endswith((storage.STAGING_SUFFIX, storage.REPLACED_SUFFIX))
    return not is_aside and (folder / storage.MANIFEST).is_file()


def _roots(project: Project) -> list[Path]:
    """Return the local folders that hold results: the clone's, and those of configurations.

    Scored rows lie in a folder of each problem below them.
    """
    from ml_pipeline.config import load_folder

    problems, _ = load_folder(project.root / "config")
    places = {storage.results_root(problem) for problem in (None, *problems)}
    roots = sorted(place for place in places if isinstance(place, Path))
    return roots + [scored for root in roots for scored in folders(root / storage.SCORING)]

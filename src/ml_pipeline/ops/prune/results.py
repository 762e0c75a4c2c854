"""Old results: what runs have left behind that never published, and published ones on request.

Results on object storage are left to its own life-cycle rules.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from ml_pipeline import storage
from ml_pipeline.ops.project import Project
from ml_pipeline.ops.prune.known_runs import Run
from ml_pipeline.ops.prune.leftovers import Leftover, Order, folders, old


def staged(order: Order) -> Iterator[Leftover]:
    """Yield the folders in which runs gathered files that they never published."""
    unfinished = _names(order.runs.unfinished)
    at_work = {dag_id for dag_id, _ in order.runs.unfinished}
    for root in _roots(order.project):
        yield from _staged(root, unfinished, order)
        for place in _scored(root):  # its folders are called after logical dates, not after runs
            if f"{place.name}_scoring" not in at_work:
                yield from _staged(place, set(), order)


def published(order: Order) -> Iterator[Leftover]:
    """Yield published runs: of no DAG, or superseded in the model registry; never the latest.

    What this registry does not know may be in use by another one, so it stays.
    """
    removable = (order.superseded or frozenset()) - order.runs.unfinished - order.runs.newest
    for root in _roots(order.project):
        for folder in _published(root):
            run = _run_of(folder)
            if run in removable or (run and run[0] is None):
                yield from _withdrawn(folder, order)


def scorings(order: Order) -> Iterator[Leftover]:
    """Yield the published folders of scored rows, but for each problem's latest."""
    for root in _roots(order.project):
        for place in _scored(root):
            for folder in _published(place):
                yield from _withdrawn(folder, order)


def _staged(root: Path, unfinished: set[str], order: Order) -> Iterator[Leftover]:
    for folder in folders(root, f"*{storage.STAGING_SUFFIX}"):
        if folder.name.removesuffix(storage.STAGING_SUFFIX) not in unfinished:
            yield from old(folder, order)
    for folder in folders(root, f"*{storage.REPLACED_SUFFIX}"):
        # Without a successor it is the run's only copy: the next attempt puts it back.
        if folder.with_name(folder.name.removesuffix(storage.REPLACED_SUFFIX)).exists():
            yield from old(folder, order)


def _published(root: Path) -> Iterator[Path]:
    """Yield the folders that runs have published, but for the latest."""
    latest = root / storage.LATEST
    kept = latest.resolve().name if latest.is_symlink() else None
    for folder in folders(root):
        is_aside = folder.name.endswith((storage.STAGING_SUFFIX, storage.REPLACED_SUFFIX))
        if folder.name != kept and not is_aside and (folder / storage.MANIFEST).is_file():
            yield folder


def _withdrawn(folder: Path, order: Order) -> Iterator[Leftover]:
    hidden = folder.with_name(folder.name + storage.STAGING_SUFFIX)
    yield from old(folder, order, withdrawn=hidden)


def _run_of(folder: Path) -> Run | None:
    """Return whose folder it is, as its manifest says; None where that cannot be read."""
    try:
        manifest = json.loads((folder / storage.MANIFEST).read_text(encoding="utf-8"))
        return manifest["dag_id"], manifest["run_id"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _names(runs: frozenset[Run]) -> set[str]:
    return {storage.folder_name(run_id, dag_id) for dag_id, run_id in runs if run_id}


def _scored(root: Path) -> Iterator[Path]:
    """Yield each problem's folder of scored rows."""
    for parent in folders(root, storage.SCORING):
        yield from folders(parent)


def _roots(project: Project) -> list[Path]:
    """Return the local folders that hold results: the clone's, and those of configurations."""
    from ml_pipeline.config import load_folder

    problems, _ = load_folder(project.root / "config")
    roots = {storage.results_root(problem) for problem in (None, *problems)}
    return sorted(root for root in roots if isinstance(root, Path))

"""Where a cluster lies when root starts it: within reach of the account that runs it."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from ml_pipeline.errors import DatabaseError
from ml_pipeline.ops import postgres
from ml_pipeline.ops.postgres import binaries, placement
from ml_pipeline.ops.postgres.cluster import Cluster
from ml_pipeline.ops.project import Project
from tests.integration.conftest import MakeClone, copy_of
from tests.integration.postgres.conftest import (
    NEEDS_ROOT,
    add_history,
    has_history,
)


@NEEDS_ROOT
def test_clone_that_root_copied_without_its_owners_runs(
    stopped_project: Project, new_clone: Callable[[], Project]
) -> None:
    parent = new_clone().root
    parent.chmod(0o755)
    subprocess.run(["cp", "-R", stopped_project.root, parent / "copy"], check=True)
    copy = Project(parent / "copy")
    assert Cluster.of(copy).data.stat().st_uid == 0
    postgres.start(copy)
    assert postgres.is_ready(copy)
    postgres.stop(copy)


@pytest.fixture
def closed_clone(make_clone: MakeClone) -> Project:
    """A clone below a folder that only root may enter."""
    clone = make_clone()
    clone.root.parent.chmod(0o700)
    return clone


@NEEDS_ROOT
def test_cluster_that_its_account_cannot_reach_moves_out_and_comes_along(
    closed_clone: Project,
) -> None:
    postgres.start(closed_clone)
    add_history(closed_clone)
    postgres.stop(closed_clone)
    outside = Cluster.of(closed_clone).data
    assert outside.is_relative_to(placement.OUTSIDE)
    assert not (closed_clone.postgres / "data").exists()
    assert stat.S_IMODE(closed_clone.root.parent.stat().st_mode) == 0o700
    moved = Project(closed_clone.root.with_name("moved"))
    closed_clone.root.rename(moved.root)
    postgres.start(moved)
    assert Cluster.of(moved).data == outside
    assert has_history(moved)


@NEEDS_ROOT
def test_new_cluster_that_its_account_cannot_reach_is_made_outside(
    new_clone: Callable[[], Project],
) -> None:
    project = new_clone()
    assert stat.S_IMODE(project.root.stat().st_mode) == 0o700
    postgres.prepare(project)
    data = Cluster.of(project).data
    assert data.is_relative_to(placement.OUTSIDE)
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert data.stat().st_uid == Cluster.of(project).account.uid != 0


@NEEDS_ROOT
def test_copy_of_a_clone_whose_cluster_lies_outside_is_refused(closed_clone: Project) -> None:
    postgres.start(closed_clone)
    postgres.stop(closed_clone)
    copy = copy_of(closed_clone, closed_clone.root.with_name("copy"))
    with pytest.raises(DatabaseError, match="is a copy of"):
        postgres.start(copy)
    postgres.start(closed_clone)
    assert postgres.is_ready(closed_clone)


@NEEDS_ROOT
def test_cluster_outside_that_is_gone_is_not_replaced_by_an_empty_one(
    closed_clone: Project,
) -> None:
    postgres.prepare(closed_clone)
    shutil.rmtree(Cluster.of(closed_clone).home)
    with pytest.raises(DatabaseError, match="is gone"):
        postgres.start(closed_clone)


@NEEDS_ROOT
def test_bundled_binaries_that_the_account_cannot_reach_are_copied(
    closed_clone: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = _closed_copy_of_the_wheel(closed_clone.root / "site-packages")
    monkeypatch.setattr(binaries, "bundled_folders", lambda: [bundle])
    postgres.start(closed_clone)
    assert postgres.is_ready(closed_clone)
    cluster = Cluster.of(closed_clone)
    assert cluster.binaries.folder.is_relative_to(cluster.home)
    assert psutil.Process(cluster.server_pid()).exe().startswith(str(cluster.home))
    recorded = json.loads((closed_clone.postgres / "cluster.json").read_text())
    assert recorded["binaries"] is None


def _closed_copy_of_the_wheel(site_packages: Path) -> Path:
    bundle = binaries.bundled_folders()[0].parent
    package = site_packages / bundle.parent.name
    shutil.copytree(bundle, package / bundle.name, symlinks=True)
    libraries = bundle.parent.with_name(f"{bundle.parent.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, site_packages / libraries.name)
    for path in (site_packages, *site_packages.rglob("*")):
        path.chmod(0o700 if path.is_dir() or path.stat().st_mode & 0o100 else 0o600)
    return package / bundle.name / "bin"

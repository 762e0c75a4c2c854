"""Backup and restore on real servers: what comes back, and that a failure changes nothing."""

from __future__ import annotations

import json
import shutil
import stat
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from ml_pipeline.errors import DatabaseError, PipelineError, StackError
from ml_pipeline.ops import backup, postgres, secrets, stack_record
from ml_pipeline.ops.backup.manifest import BackupError
from ml_pipeline.ops.postgres.cluster import Cluster
from ml_pipeline.ops.project import Project
from tests.integration.postgres.backup.saved import (
    DATABASES,
    databases,
    remembered,
    with_dump,
)
from tests.integration.postgres.conftest import query, secret, superuser_url


def test_restore_brings_back_rows_and_secrets_and_has_the_set_up_done_again(
    running: Project, saved: Path
) -> None:
    secrets.write(running.run, "airflow_setup", "done for what was there")
    backup.restore(running, saved)
    assert remembered(running) == ["before", "password of before"]
    assert not (running.run / "airflow_setup").exists()
    assert databases(running) == DATABASES


def test_restored_databases_belong_to_their_owners_and_are_closed_to_others(
    running: Project, saved: Path
) -> None:
    backup.restore(running, saved)
    owners = query(
        superuser_url(running),
        "SELECT datname, pg_get_userbyid(datdba) FROM pg_database WHERE datname ~ '_db$'",
    )
    assert set(owners) == {
        ("airflow_db", "airflow_user"),
        ("mlflow_db", "ml_user"),
        ("results_db", "ml_user"),
    }
    may_enter = "SELECT has_database_privilege('ml_user', 'airflow_db', 'CONNECT')"
    assert query(superuser_url(running), may_enter) == [(False,)]


def test_save_writes_one_file_for_its_owner_that_says_what_it_holds(
    running: Project, file: Path
) -> None:
    query(
        secret(running, "sql_alchemy_conn"),
        "CREATE TABLE alembic_version AS SELECT 'abc123' AS version_num",
    )
    backup.save(running, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    with zipfile.ZipFile(file) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        for name, member in manifest["members"].items():
            content = archive.read(name)
            assert member == {"bytes": len(content), "sha256": sha256(content).hexdigest()}
    assert set(manifest["members"]) == {
        *(f"{name}.dump" for name in DATABASES),
        "secrets/admin_password",
        "secrets/fernet_key",
    }
    assert manifest["server_version"].startswith("18.")
    assert manifest["packages"]["apache-airflow"].startswith("3.")
    assert manifest["migration_heads"] == {"airflow_db.alembic_version": "abc123"}


def test_save_holds_no_password_of_a_database(running: Project, file: Path) -> None:
    backup.save(running, file)
    content = file.read_bytes()
    for name in ("airflow_user_password", "ml_user_password", "postgres_password"):
        assert secret(running, name).encode() not in content


def test_save_of_a_stopped_clone_starts_its_database_and_stops_it_again(
    clone: Project, file: Path
) -> None:
    backup.save(clone, file)
    assert not postgres.is_running(clone)
    assert zipfile.ZipFile(file).testzip() is None


def test_save_beside_a_running_stack_leaves_its_database_alone(
    running: Project, file: Path
) -> None:
    pid = Cluster.of(running).server_pid()
    with stack_record.lock(running):
        backup.save(running, file)
    assert Cluster.of(running).server_pid() == pid


def test_save_while_the_stack_starts_waits_for_nothing_and_says_so(
    clone: Project, file: Path
) -> None:
    with stack_record.lock(clone), pytest.raises(StackError, match="under way"):
        backup.save(clone, file)
    assert not list(file.parent.iterdir())


def test_save_before_the_first_start_says_what_to_type(
    new_clone: Callable[[], Project], file: Path
) -> None:
    project = new_clone()
    with pytest.raises(DatabaseError, match="ml-pipeline db start"):
        backup.save(project, file)
    assert not project.postgres.exists()


def test_restore_of_a_stopped_clone_stops_its_database_again(running: Project, saved: Path) -> None:
    postgres.stop(running)
    backup.restore(running, saved)
    assert not postgres.is_running(running)
    postgres.start(running)
    assert remembered(running) == ["before", "password of before"]


def test_restore_into_a_clone_that_never_started_makes_what_it_needs(
    running: Project, saved: Path, new_clone: Callable[[], Project]
) -> None:
    other = new_clone()
    other.root.chmod(0o755)
    backup.restore(other, saved)
    postgres.start(other)
    assert remembered(other) == ["before", "password of before"]
    assert secret(other, "airflow_user_password") != secret(running, "airflow_user_password")
    postgres.stop(other)


def test_restore_when_the_stack_runs_is_refused(running: Project, saved: Path) -> None:
    with stack_record.lock(running), pytest.raises(StackError, match="ml-pipeline down"):
        backup.restore(running, saved)
    assert remembered(running)[:2] == ["before", "after"]


def test_restore_when_somebody_is_connected_is_refused(running: Project, saved: Path) -> None:
    import psycopg2

    from ml_pipeline.ops.postgres.urls import parse

    url = parse(secret(running, "results_db_url")).libpq()
    connection = psycopg2.connect(url, application_name="a notebook")
    try:
        with pytest.raises(BackupError, match=r"connected to results_db .*a notebook of ml_user"):
            backup.restore(running, saved)
    finally:
        connection.close()
    assert remembered(running)[:2] == ["before", "after"]


def test_restore_that_fails_at_the_last_database_changes_nothing(
    running: Project, saved: Path
) -> None:
    damaged = with_dump(saved, "results_db", lambda dump: dump[: len(dump) // 2])
    with pytest.raises(DatabaseError, match=r"pg_restore failed on results_db_restoring: .+"):
        backup.restore(running, damaged)
    assert remembered(running) == ["before", "after", "password of after"]
    assert databases(running) == DATABASES


def test_restore_when_the_secrets_cannot_be_written_puts_everything_back(
    running: Project, saved: Path
) -> None:
    """The second of two secrets fails, while the databases are changing places."""
    target = running.secrets / "admin_password"
    kept = target.read_text()
    target.unlink()
    target.mkdir()
    (target / "in the way").touch()
    secrets.write(running.secrets, "fernet_key", "another key")
    with pytest.raises((PipelineError, OSError)):
        backup.restore(running, saved)
    shutil.rmtree(target)
    secrets.write(running.secrets, "admin_password", kept)
    assert remembered(running) == ["before", "after", "password of after"]
    assert secret(running, "fernet_key") == "another key"
    assert databases(running) == DATABASES


def test_restore_when_the_databases_cannot_change_places_puts_the_secrets_back(
    running: Project, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody comes while the dumps are being read."""
    import psycopg2

    from ml_pipeline.ops.postgres.urls import parse

    fill, connections = backup._fill, []

    def fill_and_connect(*arguments: object) -> None:
        fill(*arguments)  # type: ignore[arg-type]
        url = parse(secret(running, "results_db_url")).libpq()
        connections.append(psycopg2.connect(url))

    monkeypatch.setattr(backup, "_fill", fill_and_connect)
    with pytest.raises(DatabaseError, match="accessed by other users"):
        backup.restore(running, saved)
    for connection in connections:
        connection.close()
    assert remembered(running) == ["before", "after", "password of after"]
    assert databases(running) == DATABASES

"""`ml-pipeline db` on a real cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ml_pipeline.cli.db import app
from ml_pipeline.errors import DatabaseError, PipelineError, StackError
from ml_pipeline.ops import postgres, stack_record
from ml_pipeline.ops.postgres.cluster import Cluster
from ml_pipeline.ops.project import Project
from tests.integration.conftest import MakeClone
from tests.integration.postgres.conftest import query

run = CliRunner().invoke


@pytest.fixture
def here(clone: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Make a clone the one that the command line belongs to."""
    monkeypatch.setattr(Project, "here", classmethod(lambda cls: clone))
    return clone


def test_start_and_stop_say_what_they_found(here: Project) -> None:
    first = run(app, ["start"]).output
    assert first == f"PostgreSQL is running on 127.0.0.1:{Cluster.of(here).port}.\n"
    assert "already running" in run(app, ["start"]).output
    assert run(app, ["stop"]).output == "PostgreSQL is stopped.\n"
    assert run(app, ["stop"]).output == "PostgreSQL is not running.\n"
    assert not postgres.is_ready(here)


@pytest.mark.parametrize(
    ("name", "database"),
    [("metadata", "airflow_db"), ("results", "results_db"), ("mlflow", "mlflow_db")],
)
def test_url_can_be_given_to_psql(here: Project, name: str, database: str) -> None:
    run(app, ["start"])
    url = run(app, ["url", name]).output.strip()
    assert url.startswith("postgresql://")
    assert query(url, "SELECT current_database()") == [(database,)]
    assert json.loads(run(app, ["url", name, "--json"]).output) == {"database": name, "url": url}


def test_start_and_stop_beside_a_stack_leave_the_database_to_it(here: Project) -> None:
    with stack_record.lock(here):
        assert isinstance(run(app, ["start"]).exception, StackError)
        postgres.start(here)
        assert "already running" in run(app, ["start"]).output
        assert isinstance(run(app, ["stop"]).exception, StackError)
    assert postgres.is_ready(here)


def test_backup_and_restore_say_what_they_hold_and_what_to_do_next(
    make_clone: MakeClone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    new = make_clone()
    monkeypatch.setattr(Project, "here", classmethod(lambda cls: new))
    file = tmp_path / "backup.zip"
    saved = run(app, ["backup", str(file)]).output
    assert saved.startswith(f"Backed up airflow_db, mlflow_db and results_db to {file} (")
    assert isinstance(run(app, ["backup", str(file)]).exception, PipelineError)
    assert "Backed up" in run(app, ["backup", str(file), "--force"]).output
    restored = run(app, ["restore", str(file)]).output
    assert "Restored airflow_db, mlflow_db and results_db, backed up 20" in restored
    assert restored.endswith("Start: ./start_airflow.sh\n")


def test_url_before_the_first_start_says_what_to_type(
    here: Project, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    empty = Project(tmp_path_factory.mktemp("empty"))
    monkeypatch.setattr(Project, "here", classmethod(lambda cls: empty))
    error = run(app, ["url"]).exception
    assert isinstance(error, DatabaseError)
    assert "ml-pipeline db start" in str(error)


def test_own_server_is_neither_started_nor_stopped(
    here: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ML_PIPELINE_DATABASE_URL", "postgresql://u:p@127.0.0.1:1/db")
    assert "not ours to stop" in run(app, ["stop"]).output

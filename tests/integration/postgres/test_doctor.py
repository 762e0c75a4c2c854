"""What the doctor says about databases, without starting or making anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ml_pipeline.cli import app
from ml_pipeline.ops import postgres
from ml_pipeline.ops.doctor import database
from ml_pipeline.ops.postgres import account, binaries, record
from ml_pipeline.ops.postgres.cluster import Cluster
from ml_pipeline.ops.project import Project
from tests.integration.postgres.conftest import NEEDS_ROOT, OwnServer
from tests.integration.postgres.test_cluster import listener


def test_check_postgres_before_the_first_start_finds_the_programs_and_makes_nothing(
    new_clone: Callable[[], Project],
) -> None:
    project = new_clone()
    check = database.check_postgres(project)
    assert check.is_fine
    assert check.found.startswith(f"18, {binaries.bundled_folders()[0]}, run by ")
    assert database.check_port(project).found == "picked at the first start"
    assert not list(project.root.iterdir())


def test_check_postgres_when_the_cluster_s_version_is_missing_lists_where_it_looked(
    clone: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "bundled_folders", lambda: [Path("/nowhere")])
    monkeypatch.setattr(binaries, "installed_folders", lambda path: [])
    check = database.check_postgres(clone)
    assert "/nowhere: no such folder" in check.remedy
    assert "Install PostgreSQL 18" in check.remedy


@NEEDS_ROOT
def test_check_postgres_when_nobody_may_run_it_for_root_says_so(
    new_clone: Callable[[], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "UNPRIVILEGED_NAMES", ("no-such-user",))
    assert "refuses to run as root" in database.check_postgres(new_clone()).remedy


def test_check_port_tells_ours_from_free_and_taken(clone: Project) -> None:
    port = Cluster.of(clone).port
    assert port is not None
    assert database.check_port(clone).found == f"{port} is free"
    with listener(port):
        assert "another is picked" in database.check_port(clone).found
    postgres.start(clone)
    assert "this clone's server" in database.check_port(clone).found
    record.update(clone, port=Cluster.of(clone).port)


def test_check_postgres_of_a_user_s_server_says_that_it_answers_or_why_not(
    new_clone: Callable[[], Project], own_server: OwnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(postgres.URL_VARIABLE, own_server.url_of("maker").psycopg2())
    project = new_clone()
    assert database.check_postgres(project).found == (
        f"your own server at {own_server.admin.place} answers: {own_server.binaries.major}"
    )
    assert database.check_port(project).found == "your own server's"
    monkeypatch.setenv(postgres.URL_VARIABLE, own_server.url_of("nobody").psycopg2())
    assert "does not accept the password" in database.check_postgres(project).remedy


def test_check_postgres_when_the_url_is_none_says_what_is_expected(
    new_clone: Callable[[], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(postgres.URL_VARIABLE, "mysql://u:secret@host/db")
    check = database.check_postgres(new_clone())
    assert "postgresql://user:password@host" in check.remedy
    assert "secret" not in check.remedy + check.found


def test_doctor_prints_every_check_and_fails_with_any(
    clone: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Project, "here", classmethod(lambda cls: clone))
    monkeypatch.setattr("ml_pipeline.ops.doctor.clone.sourced", lambda project, env: dict(env))
    result = CliRunner().invoke(app, ["doctor", "--json"])
    checks = {check["name"]: check for check in json.loads(result.stdout)}
    assert set(checks) == {
        "Python",
        "disk",
        "memory",
        "open files",
        "processes",
        "locale",
        "folder",
        "path length",
        "port",
        "PostgreSQL",
        "database port",
        "fork safety",
        "programs",
        "Airflow variables",
    }
    assert not checks["programs"]["is_fine"]  # this test runs in another clone's environment
    assert result.exit_code == 1

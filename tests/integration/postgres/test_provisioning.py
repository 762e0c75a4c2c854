"""Roles, databases and URLs: on the embedded server and on one that the user brings."""

from __future__ import annotations

import re
from dataclasses import replace

import psycopg2
import pytest

from ml_pipeline.errors import DatabaseError
from ml_pipeline.ops import postgres
from ml_pipeline.ops.postgres.urls import parse
from ml_pipeline.ops.project import Project
from tests.integration.conftest import MakeClone
from tests.integration.postgres.conftest import (
    ADMIN_PASSWORD,
    URL_SECRETS,
    NewClone,
    OwnServer,
    Use,
    assert_nothing_is_made,
    query,
    secret,
    superuser_url,
)
from tests.unit.docs.documents import document


def test_each_role_owns_its_databases(project: Project) -> None:
    owners = query(
        superuser_url(project),
        "SELECT datname, pg_get_userbyid(datdba) FROM pg_database WHERE datname ~ '_db$'",
    )
    assert dict(owners) == {
        "airflow_db": "airflow_user",
        "mlflow_db": "ml_user",
        "results_db": "ml_user",
    }


@pytest.mark.parametrize("name", ["sql_alchemy_conn", "mlflow_db_url", "results_db_url"])
def test_each_url_lets_its_role_make_tables(project: Project, name: str) -> None:
    query(secret(project, name), "CREATE TABLE probe (id int)")
    query(secret(project, name), "DROP TABLE probe")


def test_pipeline_role_may_not_enter_the_metadata(project: Project) -> None:
    url = parse(secret(project, "results_db_url"))
    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        query(replace(url, database="airflow_db"), "SELECT 1")


def test_no_role_is_more_than_it_needs(project: Project) -> None:
    rows = query(
        superuser_url(project),
        "SELECT count(*) FROM pg_roles WHERE rolname IN ('airflow_user', 'ml_user') "
        "AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication)",
    )
    assert rows == [(0,)]


def test_provision_twice_changes_nothing(project: Project) -> None:
    before = {file.name: file.stat().st_mtime_ns for file in project.secrets.iterdir()}
    postgres.provision(project)
    assert {file.name: file.stat().st_mtime_ns for file in project.secrets.iterdir()} == before


@pytest.mark.parametrize("lost", ["sql_alchemy_conn", "airflow_user_password", "ml_user_password"])
def test_provision_after_an_interruption_completes(clone: Project, lost: str) -> None:
    postgres.start(clone)
    (clone.secrets / lost).unlink()
    postgres.provision(clone)
    for name in ("sql_alchemy_conn", "mlflow_db_url", "results_db_url"):
        assert query(secret(clone, name), "SELECT 1") == [(1,)]


def test_provision_when_the_embedded_server_is_down_says_how_to_start_it(
    make_clone: MakeClone,
) -> None:
    clone = make_clone()
    (clone.secrets / "sql_alchemy_conn").unlink()
    with pytest.raises(DatabaseError, match="ml-pipeline db start"):
        postgres.provision(clone)


@pytest.mark.parametrize("role", ["administrator", "maker"])
def test_own_server_whose_role_may_create_is_provisioned(
    own_server: OwnServer, new_clone: NewClone, use: Use, role: str
) -> None:
    project = new_clone()
    use(own_server.url_of(role))
    postgres.provision(project)
    assert own_server.databases() == {"airflow_db", "mlflow_db", "results_db"}
    assert not postgres.is_embedded(project)
    assert postgres.is_ready(project)
    for name in ("sql_alchemy_conn", "mlflow_db_url", "results_db_url"):
        query(secret(project, name), "CREATE TABLE probe (id int)")


def test_own_server_is_remembered_without_the_variable(
    own_server: OwnServer, new_clone: NewClone, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = new_clone()
    use(own_server.url_of("maker"))
    postgres.provision(project)
    monkeypatch.delenv("ML_PIPELINE_DATABASE_URL")
    assert not postgres.is_embedded(project)
    postgres.prepare(project)
    postgres.start(project)
    assert not project.postgres.exists()
    assert postgres.is_ready(project)


def test_own_server_never_sees_a_password_in_a_statement(
    own_server: OwnServer, new_clone: NewClone, use: Use
) -> None:
    project = new_clone()
    use(own_server.url_of("maker"))
    postgres.provision(project)
    log = own_server.log()
    assert "CREATE ROLE airflow_user" in log
    assert secret(project, "airflow_user_password") not in log
    assert secret(project, "ml_user_password") not in log


def test_own_server_leaves_its_role_no_membership(
    own_server: OwnServer, new_clone: NewClone, use: Use
) -> None:
    use(own_server.url_of("maker"))
    postgres.provision(new_clone())
    rows = own_server.run(
        "SELECT count(*) FROM pg_auth_members WHERE member = 'maker'::regrole "
        "AND grantor = 'maker'::regrole"
    )
    assert rows == [(0,)]


def test_own_server_whose_role_may_not_create_gets_sql_for_its_administrator(
    own_server: OwnServer, new_clone: NewClone, use: Use
) -> None:
    project = new_clone()
    use(own_server.url_of("limited"))
    with pytest.raises(DatabaseError) as refusal:
        postgres.provision(project)
    assert_nothing_is_made(own_server, project)
    message = str(refusal.value)
    passwords = [file.read_text() for file in project.secrets.glob("*_password")]
    assert not [text for text in (*passwords, ADMIN_PASSWORD) if text in message]
    for statement in message.split("\n\n")[1].strip().splitlines():
        own_server.run(statement)
    postgres.provision(project)
    assert query(secret(project, "sql_alchemy_conn"), "SELECT 1") == [(1,)]
    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        query(replace(parse(secret(project, "results_db_url")), database="airflow_db"), "SELECT 1")


def test_the_page_on_deployment_shows_the_sql_that_the_administrator_gets(
    own_server: OwnServer, new_clone: NewClone, use: Use
) -> None:
    use(own_server.url_of("limited"))
    with pytest.raises(DatabaseError) as refusal:
        postgres.provision(new_clone())
    given = str(refusal.value).split("\n\n")[1].strip()
    shown = document("docs/deployment.md").blocks("sql")[0].strip()
    assert re.sub(r"'SCRAM-SHA-256\$[^']*'", "'SCRAM-SHA-256$…'", given) == shown


def test_own_server_that_another_clone_uses_is_left_alone(
    own_server: OwnServer, new_clone: NewClone, use: Use
) -> None:
    first, second = new_clone(), new_clone()
    use(own_server.url_of("administrator"))
    postgres.provision(first)
    for _ in range(2):
        with pytest.raises(DatabaseError, match="another clone may be at work there"):
            postgres.provision(second)
    assert not (second.secrets / "sql_alchemy_conn").exists()
    assert query(secret(first, "sql_alchemy_conn"), "SELECT 1") == [(1,)]


def test_own_server_with_a_foreign_database_of_the_same_name_is_left_alone(
    own_server: OwnServer, new_clone: NewClone, use: Use
) -> None:
    own_server.run("CREATE DATABASE results_db")
    use(own_server.url_of("administrator"))
    with pytest.raises(DatabaseError, match=r"results_db exists .* belongs to the role admin"):
        postgres.provision(new_clone())
    assert own_server.roles() == set()
    assert own_server.databases() == {"results_db"}


@pytest.mark.parametrize("role", ["administrator", "maker"])
def test_own_server_that_keeps_the_new_roles_out_is_left_as_it_was(
    own_server: OwnServer, new_clone: NewClone, use: Use, role: str
) -> None:
    project = new_clone()
    rules = own_server.data / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"host all ml_user 127.0.0.1/32 reject\n{before}")
    own_server.control("reload")
    try:
        use(own_server.url_of(role))
        with pytest.raises(DatabaseError, match=r"ml_user.*pg_hba\.conf"):
            postgres.provision(project)
        assert_nothing_is_made(own_server, project)
    finally:
        rules.write_text(before)
        own_server.control("reload")


def test_change_from_the_embedded_to_an_own_server_moves_every_url(
    make_clone: MakeClone, own_server: OwnServer, use: Use
) -> None:
    clone = make_clone()
    use(own_server.url_of("maker"))
    postgres.provision(clone)
    for name in URL_SECRETS:
        assert own_server.admin.place in secret(clone, name)

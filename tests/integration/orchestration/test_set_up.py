"""What the first start sets up in Airflow's database, and what is asked of its tables later."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import pytest

from ml_pipeline.ops import airflow_setup, secrets, task_states
from ml_pipeline.ops.postgres.urls import parse
from ml_pipeline.ops.project import Project
from tests.integration.orchestration.conftest import Played

pytestmark = pytest.mark.timeout(900)  # the first test waits for all scenarios
HERE = socket.gethostname()
PID = 4_000_000  # no process of this machine


@contextmanager
def metadata(project: Project) -> Iterator[Any]:
    """Yield a cursor in Airflow's own database."""
    url = secrets.read(project.secrets, "sql_alchemy_conn")
    assert url is not None
    connection = psycopg2.connect(parse(url).libpq())
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def test_set_up_reports_each_step_and_remembers_that_it_was_done(played: Played) -> None:
    done = played["set up"]

    assert (done["status"], done["is_current"]) == (0, True)
    assert done["steps"][0] == "migrate"
    assert len(done["steps"]) == 3


def test_set_up_makes_one_user_the_administrator_with_a_hashed_password(played: Played) -> None:
    with metadata(played.project) as cursor:
        cursor.execute(
            "SELECT username, active, ab_role.name, password FROM ab_user "
            "JOIN ab_user_role ON user_id = ab_user.id JOIN ab_role ON role_id = ab_role.id"
        )
        ((name, is_active, role, password),) = cursor.fetchall()

    assert (name, is_active, role) == ("admin", True, "Admin")
    assert secrets.read(played.project.secrets, "admin_password") not in password


@pytest.mark.parametrize("database", ["results_db", "mlflow_db"])
def test_set_up_stores_each_connection_encrypted(played: Played, database: str) -> None:
    with metadata(played.project) as cursor:
        query = "SELECT login, password, is_encrypted, schema FROM connection WHERE conn_id = %s"
        cursor.execute(query, (database,))
        ((login, password, is_encrypted, schema),) = cursor.fetchall()

    url = secrets.read(played.project.secrets, f"{database}_url")
    assert url is not None
    assert (login, is_encrypted, schema) == ("ml_user", True, database)
    assert parse(url).password not in password


@pytest.mark.parametrize("name", ["admin_password", "results_db_url", "mlflow_db_url"])
def test_set_up_is_done_again_when_a_secret_has_changed(played: Played, name: str) -> None:
    folder = played.project.secrets
    before = secrets.read(folder, name)
    assert before is not None
    try:
        secrets.write(folder, name, before + "x")
        assert not airflow_setup.is_current(played.project)
    finally:
        secrets.write(folder, name, before)

    assert airflow_setup.is_current(played.project)


@pytest.fixture
def first_task(played: Played) -> Iterator[Any]:
    """Yield a function that changes the row of one finished task; it is put right afterwards."""
    where = "WHERE task_id = 'load_data' AND dag_id = %s AND run_id = %s"
    run = played["whole"]
    with metadata(played.project) as cursor:

        def change(assignment: str, *values: Any) -> None:
            statement = f"UPDATE task_instance SET {assignment} {where}"
            cursor.execute(statement, (*values, run["dag_id"], run["run_id"]))
            assert cursor.rowcount == 1

        yield change
        change("state = 'success', pid = NULL, hostname = %s", HERE)


def test_running_tasks_of_this_machine_are_named_with_their_process(
    played: Played, first_task: Any
) -> None:
    change = first_task
    moment = "2026-01-02T03:04:05+00"
    change("state = 'running', pid = %s, hostname = %s, start_date = %s", PID, HERE, moment)

    (task,) = task_states.running(played.project)

    assert task.name == f"breast_cancer_ml_pipeline.load_data {played['whole']['run_id']}"
    assert (task.pid, task.started_at) == (PID, 1767323045.0)


def test_running_tasks_of_another_machine_are_not_ours(played: Played, first_task: Any) -> None:
    first_task("state = 'running', pid = %s, hostname = 'elsewhere'", PID)

    assert task_states.running(played.project) == []


def test_queued_tasks_count_once_they_wait_for_long(played: Played, first_task: Any) -> None:
    first_task("state = 'queued', queued_dttm = now() - interval '10 minutes'")

    assert task_states.count_queued(played.project, since=0, seconds=300) == 1
    assert task_states.count_queued(played.project, since=0, seconds=900) == 0


def test_queued_tasks_of_an_earlier_scheduler_do_not_count(played: Played, first_task: Any) -> None:
    first_task("state = 'queued', queued_dttm = now() - interval '10 minutes'")
    now = time.time()

    assert task_states.count_queued(played.project, since=now - 900, seconds=300) == 1
    assert task_states.count_queued(played.project, since=now - 400, seconds=300) == 0


def test_tasks_are_none_while_no_database_answers(tmp_path: Any) -> None:
    project = Project(tmp_path)
    assert task_states.running(project) == []

    secrets.write(project.secrets, "sql_alchemy_conn", "postgresql://a:b@127.0.0.1:1/none")

    assert task_states.running(project) == []
    assert task_states.count_queued(project, since=0, seconds=0) == 0

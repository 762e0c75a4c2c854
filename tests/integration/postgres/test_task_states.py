"""What PostgreSQL says about tasks, held against the processes that there are."""

from __future__ import annotations

import os
import socket
import time

import pytest

from ml_pipeline.ops import postgres, task_states
from ml_pipeline.ops.inspection import Trouble, lost_tasks
from ml_pipeline.ops.project import Project
from tests.integration.postgres.conftest import query, secret

# As much of Airflow's table as the questions are about.
TABLE = """
CREATE TABLE task_instance (
    dag_id text, task_id text, run_id text, pid integer, hostname text, state text,
    start_date timestamptz, queued_dttm timestamptz)
"""
NO_PID = 2**22 + 1  # above Linux's and macOS's largest


@pytest.fixture
def clone_with_tasks(clone: Project) -> Project:
    """A running clone with the table, empty."""
    postgres.start(clone)
    url = secret(clone, "sql_alchemy_conn")
    query(url, "DROP TABLE IF EXISTS task_instance")
    query(url, TABLE)
    return clone


def insert(clone: Project, state: str, pid: int = 0, queued_seconds_ago: float = 0) -> None:
    values = f"'d', 't', 'r', {pid or 'NULL'}, '{socket.gethostname()}', '{state}', now()"
    queued = f"now() - make_interval(secs => {queued_seconds_ago})"
    query(
        secret(clone, "sql_alchemy_conn"), f"INSERT INTO task_instance VALUES ({values}, {queued})"
    )


def test_queued_tasks_count_when_this_scheduler_gave_them_out_long_ago(
    clone_with_tasks: Project,
) -> None:
    insert(clone_with_tasks, "queued", queued_seconds_ago=30)
    insert(clone_with_tasks, "queued", queued_seconds_ago=5)
    insert(clone_with_tasks, "running", pid=1, queued_seconds_ago=30)
    started_at = time.time() - 60
    assert task_states.count_queued(clone_with_tasks, started_at, 20) == 1


def test_queued_tasks_of_an_earlier_scheduler_do_not_count(clone_with_tasks: Project) -> None:
    insert(clone_with_tasks, "queued", queued_seconds_ago=90)
    started_at = time.time() - 60
    assert task_states.count_queued(clone_with_tasks, started_at, 20) == 0


def test_task_is_lost_when_it_runs_without_a_process(clone_with_tasks: Project) -> None:
    insert(clone_with_tasks, "running", pid=NO_PID)
    insert(clone_with_tasks, "running", pid=os.getpid())
    insert(clone_with_tasks, "success", pid=NO_PID)
    [lost] = lost_tasks(clone_with_tasks)
    assert (lost.trouble, lost.pid, lost.name) == (Trouble.LOST_TASK, NO_PID, "d.t r")


def test_tasks_when_the_database_does_not_answer_are_none(clone_with_tasks: Project) -> None:
    insert(clone_with_tasks, "running", pid=NO_PID)
    insert(clone_with_tasks, "queued", queued_seconds_ago=30)
    postgres.stop(clone_with_tasks)
    assert list(lost_tasks(clone_with_tasks)) == []
    assert task_states.count_queued(clone_with_tasks, 0, 20) == 0

"""What PostgreSQL says about tasks, to be held against the processes that there are."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any

from ml_pipeline.errors import DatabaseError
from ml_pipeline.ops import secrets
from ml_pipeline.ops.project import Project

RUNNING = """
SELECT dag_id, task_id, run_id, pid, extract(epoch FROM start_date)
FROM task_instance
WHERE state = 'running' AND pid IS NOT NULL AND hostname IN (%s, %s)
"""
QUEUED = """
SELECT count(*) FROM task_instance
WHERE state = 'queued'
    AND queued_dttm BETWEEN to_timestamp(%s) AND now() - make_interval(secs => %s)
"""


@dataclass(frozen=True)
class RunningTask:
    """A task that runs, if PostgreSQL is right.

    Parameters
    ----------
    name
        DAG, task and run, for people.
    pid
        Of its process on this machine.
    started_at
        In seconds since the epoch.
    """

    name: str
    pid: int
    started_at: float


def running(project: Project) -> list[RunningTask]:
    """Return the tasks that run on this machine, none while the database does not answer."""
    rows = _query(project, RUNNING, socket.getfqdn(), socket.gethostname())
    return [
        RunningTask(f"{dag_id}.{task_id} {run_id}", pid, float(started_at))
        for dag_id, task_id, run_id, pid, started_at in rows
    ]


def count_queued(project: Project, since: float, seconds: float) -> int:
    """Return how many tasks were given to the executor after `since`, over `seconds` ago.

    What an earlier scheduler gave to its own executor is for the next one to find and to give anew.
    """
    rows = _query(project, QUEUED, since, seconds)
    return int(rows[0][0]) if rows else 0


def _query(project: Project, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    from psycopg2 import Error

    from ml_pipeline.ops.postgres import urls
    from ml_pipeline.ops.postgres.connections import connected

    url = secrets.read(project.secrets, "sql_alchemy_conn")
    if url is None:
        return []
    try:
        with connected(urls.parse(url), 2) as connection, connection.cursor() as cursor:
            cursor.execute(query, parameters)
            return list(cursor.fetchall())
    except (DatabaseError, Error):
        return []

"""A DAG that commits rows for some seconds, and notes outside the database what was committed.

Copied into the `dags/` of a clone that is to be struck. A row whose commit was acknowledged must be
there whatever happens to PostgreSQL; a run that ends in success must have written every row.
"""

from __future__ import annotations

import os
import time
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG, chain, get_current_context, task

PARTS = 3
ROWS = 12
PAUSE_SECONDS = 0.4
TABLE = """
CREATE TABLE IF NOT EXISTS fault_probe (
    run_id text, part integer, number integer, PRIMARY KEY (run_id, part, number))
"""
INSERT = "INSERT INTO fault_probe VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"


@task
def write_rows(part: int) -> None:
    """Commit one row after the other; a second try finds the first one's rows."""
    run_id = get_current_context()["run_id"]
    for number in range(ROWS):
        _commit_row(run_id, part, number)
        _acknowledge(run_id, part, number)
        time.sleep(PAUSE_SECONDS)


def _commit_row(run_id: str, part: int, number: int) -> None:
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    connection = PostgresHook(postgres_conn_id="results_db").get_conn()
    with closing(connection), connection, connection.cursor() as cursor:
        cursor.execute(TABLE)
        cursor.execute(INSERT, (run_id, part, number))


def _acknowledge(run_id: str, part: int, number: int) -> None:
    ledger = Path(os.environ["ML_PIPELINE_HOME"]) / "airflow_home" / "run" / "fault_probe.txt"
    with ledger.open("a") as file:
        file.write(f"{run_id} {part} {number}\n")


with DAG(
    dag_id="fault_probe",
    schedule=None,
    start_date=datetime(2024, 1, 1),
    catchup=False,
    is_paused_upon_creation=False,
    # As the product's DAG.
    default_args={"retries": 2, "retry_delay": timedelta(seconds=5)},
):
    tasks = [write_rows.override(task_id=f"write_part_{part}")(part) for part in range(PARTS)]
    chain(*tasks)

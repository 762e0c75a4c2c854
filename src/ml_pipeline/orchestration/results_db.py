"""The tables of `results_db`: runs, metrics, predictions, and the checksums that loading trusts.

Every write replaces what the same run wrote before, in one transaction: a task that is tried again
leaves each row once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk.exceptions import AirflowFailException

if TYPE_CHECKING:
    import pandas as pd

    from ml_pipeline.storage import Run

CONNECTION = "results_db"
TABLES_LOCK = 20241124  # two first runs at once must not both create the tables

TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    dag_id text, run_id text, created_at timestamptz NOT NULL, model text NOT NULL,
    random_state bigint NOT NULL, params jsonb NOT NULL, document jsonb NOT NULL,
    folder text NOT NULL, PRIMARY KEY (dag_id, run_id));
CREATE TABLE IF NOT EXISTS metrics (
    dag_id text, run_id text, protocol text, metric text, value double precision,
    sd double precision, low double precision, high double precision,
    PRIMARY KEY (dag_id, run_id, protocol, metric));
CREATE TABLE IF NOT EXISTS predictions (
    dag_id text, run_id text, row_number integer, row_id text, y_true text NOT NULL,
    y_pred text NOT NULL, score double precision, PRIMARY KEY (dag_id, run_id, row_number));
CREATE TABLE IF NOT EXISTS models (
    dag_id text, run_id text, uri text NOT NULL, sha256 text NOT NULL, joblib_sha256 text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (dag_id, run_id));
"""


def record_model(run: Run, reference: dict[str, Any]) -> None:
    """Record the checksums of the model files that this run has just written."""
    row = (reference["uri"], reference["sha256"], reference["joblib_sha256"])
    with transaction() as cursor:
        _replace(cursor, "models", run, "uri, sha256, joblib_sha256", [row])


def recorded_reference(run: Run, reference: dict[str, Any]) -> dict[str, Any]:
    """Return the reference with the recorded checksums, whatever the reference itself says.

    Raises
    ------
    AirflowFailException
        When no model of this run is recorded.
    """
    query = "SELECT sha256, joblib_sha256 FROM models WHERE dag_id = %s AND run_id = %s"
    with transaction() as cursor:
        cursor.execute(query, (run.dag_id, run.run_id))
        row = cursor.fetchone()
    if row is None:
        raise AirflowFailException(
            f"No model of run {run.run_id} is recorded in results_db. Clear train_model to train it"
        )
    return {**reference, "sha256": row[0], "joblib_sha256": row[1]}


def recorded_checksum(dag_id: str, run_id: str) -> str | None:
    """Return the SHA-256 on record for a run's model file, or None."""
    query = "SELECT sha256 FROM models WHERE dag_id = %s AND run_id = %s"
    with transaction() as cursor:
        cursor.execute(query, (dag_id, run_id))
        row = cursor.fetchone()
    return row[0] if row else None


def record_run(run: Run, summary: dict[str, Any], predictions: pd.DataFrame) -> None:
    """Write a run's document, metrics and predictions, in place of an earlier attempt's."""
    from ml_pipeline.documents import COLUMNS, metrics_rows

    document = summary["metrics"]
    row = (
        document["created_at"],
        document["model"],
        document["random_state"],
        json.dumps(summary["params"]),
        json.dumps(document),
        summary["run"],
    )
    columns = "created_at, model, random_state, params, document, folder"
    with transaction() as cursor:
        _replace(cursor, "runs", run, columns, [row])
        _replace(cursor, "metrics", run, ", ".join(COLUMNS), list(metrics_rows(document)))
        _replace(
            cursor,
            "predictions",
            run,
            "row_number, row_id, y_true, y_pred, score",
            _predictions(predictions),
        )


def _predictions(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    return [
        (number, str(row.row_id), str(row.y_true), str(row.y_pred), row.score)
        for number, row in enumerate(frame.itertuples(index=False))
    ]


@contextmanager
def transaction(tables: str = TABLES) -> Iterator[Any]:
    """Yield a cursor on tables that exist; commit at the end, or leave everything as it was."""
    with connected() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (TABLES_LOCK,))
        cursor.execute(tables)
        yield cursor


@contextmanager
def connected() -> Iterator[Any]:
    """Yield a cursor; commit at the end, or leave everything as it was."""
    hook = PostgresHook(postgres_conn_id=CONNECTION)
    with closing(hook.get_conn()) as connection, connection, connection.cursor() as cursor:
        yield cursor


def _replace(cursor: Any, table: str, run: Run, columns: str, rows: list[tuple[Any, ...]]) -> None:
    cursor.execute(
        f"DELETE FROM {table} WHERE dag_id = %s AND run_id = %s",
        (run.dag_id, run.run_id),
    )
    places = ", ".join(["%s"] * (2 + len(rows[0])))
    cursor.executemany(
        f"INSERT INTO {table} (dag_id, run_id, {columns}) VALUES ({places})",
        [(run.dag_id, run.run_id, *row) for row in rows],
    )

"""What a fault may not lose: committed rows, DAG runs, and results that are whole or absent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from ml_pipeline.errors import DatabaseError
from ml_pipeline.ops import secrets
from ml_pipeline.ops.postgres import urls
from ml_pipeline.ops.postgres.connections import connected
from ml_pipeline.storage import MANIFEST, REPLACED_SUFFIX, STAGING_SUFFIX
from tests.running_clone import DAG_ID, Clone

FINISHED = {"success", "failed"}
PROBE = "fault_probe"
PROBE_ROWS = 3 * 12  # what probe_dag.py writes
PREDICTIONS = 114  # a fifth of the 569 rows
Row = tuple[object, ...]


class Ledger:
    """Reads, past Airflow, what is stored in a clone's databases and folders."""

    def __init__(self, clone: Clone) -> None:
        self._project = clone.project
        self._acknowledged = clone.project.run / "fault_probe.txt"

    def acknowledged(self, run_id: str) -> set[Row]:
        """Return the rows, as part and number, whose commit PostgreSQL has acknowledged."""
        text = self._acknowledged.read_text() if self._acknowledged.exists() else ""
        lines = [line.rsplit(" ", 2) for line in text.splitlines()]
        return {(int(part), int(number)) for run, part, number in lines if run == run_id}

    def runs(self) -> dict[tuple[str, str], str]:
        """Return the state of every DAG run, by DAG and run; none while nobody answers."""
        query = "SELECT dag_id, run_id, state FROM dag_run"
        try:
            rows = self._query("sql_alchemy_conn", query)
        except DatabaseError:
            return {}
        return {(str(dag_id), str(run_id)): str(state) for dag_id, run_id, state in rows}

    def complaints(self, run: tuple[str, str], state: str) -> Iterator[str]:
        """Yield what is lost or half there after a run has ended in `state`."""
        dag_id, run_id = run
        yield from self._complaints_of_results(run)
        if dag_id == PROBE:
            yield from self._complaints_of_probe(run_id, state)
        elif state == "success":
            count = "SELECT count(*) FROM predictions WHERE dag_id = %s AND run_id = %s"
            [(rows,)] = self._query("results_db_url", count, DAG_ID, run_id)
            if rows != PREDICTIONS:
                yield f"{rows} predictions of {PREDICTIONS} are stored"

    def _complaints_of_probe(self, run_id: str, state: str) -> Iterator[str]:
        query = "SELECT part, number FROM fault_probe WHERE run_id = %s"
        stored = set(self._query("results_db_url", query, run_id))
        if lost := self.acknowledged(run_id) - stored:
            yield f"{len(lost)} committed rows are lost"
        if state == "success" and len(stored) != PROBE_ROWS:
            yield f"success with {len(stored)} rows of {PROBE_ROWS}"

    def _complaints_of_results(self, run: tuple[str, str]) -> Iterator[str]:
        results = self._project.root / "results"
        for folder in results.iterdir() if results.is_dir() else []:
            if folder.name.endswith(REPLACED_SUFFIX):
                yield f"{folder.name} was left behind"
            elif not folder.is_symlink() and not folder.name.endswith(STAGING_SUFFIX):
                yield from _complaints_of_folder(folder)

    def _query(self, secret: str, query: str, *parameters: object) -> list[Row]:
        from psycopg2 import Error

        url = secrets.read(self._project.secrets, secret)
        assert url is not None
        try:
            with connected(urls.parse(url), 2) as connection, connection.cursor() as cursor:
                cursor.execute(query, parameters)
                return list(cursor.fetchall())
        except Error as error:
            raise DatabaseError(str(error)) from error


def _complaints_of_folder(folder: Path) -> Iterator[str]:
    try:
        files = json.loads((folder / MANIFEST).read_text())["files"]
    except (OSError, ValueError, KeyError) as error:
        yield f"results/{folder.name} has no manifest: {error}"
        return
    for name, facts in files.items():
        file = folder / name
        content = file.read_bytes() if file.exists() else b""
        if hashlib.sha256(content).hexdigest() != facts["sha256"]:
            yield f"results/{folder.name}/{name} is not whole"

"""What the databases know about runs: which still run, and which are the newest."""

from __future__ import annotations

from dataclasses import dataclass

from ml_pipeline.ops import secrets
from ml_pipeline.ops.postgres import lending, provisioning
from ml_pipeline.ops.postgres.tables import rows
from ml_pipeline.ops.project import Project

UNFINISHED = "SELECT dag_id, run_id FROM dag_run WHERE state IN ('queued', 'running')"
# Each DAG's newest model, and its newest finished run: a later one may have failed before the end.
NEWEST = {
    "models": "SELECT DISTINCT ON (dag_id) dag_id, run_id FROM models "
    "ORDER BY dag_id, recorded_at DESC",
    "runs": "SELECT DISTINCT ON (dag_id) dag_id, run_id FROM runs ORDER BY dag_id, created_at DESC",
}
Run = tuple[str | None, str | None]  # None: the run of no DAG


@dataclass(frozen=True)
class KnownRuns:
    """Runs as pairs of DAG id and run id.

    Parameters
    ----------
    unfinished
        Those that run, or are to run.
    newest
        Those that `results_db` names as the newest of their DAG.
    """

    unfinished: frozenset[Run] = frozenset()
    newest: frozenset[Run] = frozenset()


def read(project: Project) -> KnownRuns:
    """Ask the databases; nothing is known where none were made yet.

    Raises
    ------
    DatabaseError
        When they do not answer: who does not know what runs must not remove anything.
    """
    if secrets.read(project.secrets, "sql_alchemy_conn") is None:
        return KnownRuns()
    with lending.lent(project):
        urls = provisioning.owner_urls(project)
        unfinished = rows(urls["airflow_db"], "dag_run", UNFINISHED)
        newest = [rows(urls["results_db"], table, query) for table, query in NEWEST.items()]
    return KnownRuns(frozenset(unfinished), frozenset(row for found in newest for row in found))

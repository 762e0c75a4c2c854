"""What the databases know about runs: which still run, and whose model is in use."""

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
# Runs whose model is champion or challenger, or was champion: a rollback goes back to it.
REGISTERED = """
WITH used AS (SELECT name, version FROM registered_model_aliases
              UNION SELECT name, version FROM model_version_tags WHERE key = 'promoted at')
SELECT dag.value, run.value FROM used
JOIN model_version_tags dag
    ON (dag.name, dag.version, dag.key) = (used.name, used.version, 'dag_id')
JOIN model_version_tags run
    ON (run.name, run.version, run.key) = (used.name, used.version, 'run_id')
"""
Run = tuple[str, str]


@dataclass(frozen=True)
class KnownRuns:
    """Runs as pairs of DAG id and run id.

    Parameters
    ----------
    unfinished
        Those that run, or are to run.
    in_use
        Those whose model `results_db` names as the newest of its DAG, or that the model registry
        in `mlflow_db` has in use.
    """

    unfinished: frozenset[Run] = frozenset()
    in_use: frozenset[Run] = frozenset()


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
        newest.append(rows(urls["mlflow_db"], "registered_model_aliases", REGISTERED))
    return KnownRuns(frozenset(unfinished), frozenset(row for found in newest for row in found))

"""`up` runs the pipeline once: what it decides by outlasts Airflow's own record of runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from ml_pipeline.cli.first_run import DAG_ID, run_once
from ml_pipeline.cli.progress import Progress
from ml_pipeline.errors import StackError
from ml_pipeline.ops import postgres
from ml_pipeline.ops.project import Project
from ml_pipeline.ops.stack_record import StackRecord
from tests.integration.conftest import results_tables
from tests.integration.postgres.conftest import query, secret

NOBODY_LISTENS = StackRecord(1, 0.0, "up", "127.0.0.1", 1)
DROP_TABLES = "DROP TABLE IF EXISTS runs, metrics, predictions, models"


@pytest.fixture
def results(clone: Project) -> Iterator[str]:
    """A running clone's `results_db`, without tables."""
    postgres.start(clone)
    url = secret(clone, "results_db_url")
    query(url, DROP_TABLES)
    example = clone.root / "config" / "breast_cancer.yaml"
    example.parent.mkdir(exist_ok=True)
    example.touch()
    yield url
    shutil.rmtree(example.parent)
    query(url, DROP_TABLES)


def test_pipeline_whose_results_are_recorded_is_not_run_again_though_airflow_forgot_it(
    clone: Project, results: str
) -> None:
    query(results, results_tables())
    columns = "dag_id, run_id, created_at, model, random_state, params, document, folder"
    values = f"'{DAG_ID}', 'forgotten', '2024-01-01', 'm', 1, '{{}}', '{{}}', 'forgotten'"
    query(results, f"INSERT INTO runs ({columns}) VALUES ({values})")

    assert run_once(clone, NOBODY_LISTENS, Progress())


def test_pipeline_without_results_is_asked_of_airflow(clone: Project, results: str) -> None:
    with pytest.raises(StackError, match="does not answer"):
        run_once(clone, NOBODY_LISTENS, Progress())

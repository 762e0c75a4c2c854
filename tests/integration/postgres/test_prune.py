"""What the databases say about runs keeps their logs and results."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from ml_pipeline import storage
from ml_pipeline.errors import DatabaseError
from ml_pipeline.ops import postgres, prune
from ml_pipeline.ops.project import Project
from ml_pipeline.ops.prune import known_runs
from tests.integration.conftest import results_tables
from tests.integration.postgres.conftest import query, secret

DROP_TABLES = "DROP TABLE IF EXISTS runs, metrics, predictions, models"
OLD = time.time() - 90 * 86400


@pytest.fixture
def clone_with_runs(clone: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A running clone with one old run in each state, whose files are all old."""
    monkeypatch.setenv("ML_PIPELINE_RESULTS", str(clone.root / "results"))
    postgres.start(clone)
    metadata, results = secret(clone, "sql_alchemy_conn"), secret(clone, "results_db_url")
    query(metadata, "DROP TABLE IF EXISTS dag_run")
    query(metadata, "CREATE TABLE dag_run (dag_id text, run_id text, state text)")
    for state in ("queued", "running", "success", "failed"):
        query(metadata, f"INSERT INTO dag_run VALUES ('d', '{state}', '{state}')")
        make_old(clone.logs / "dag_id=d" / f"run_id={state}" / "task_id=t" / "attempt=1.log")
        make_old(clone.root / "results" / f"{state}.partial" / "model.skops")
    query(results, DROP_TABLES)
    query(results, results_tables())
    return clone


def make_old(path: Path, text: str = "x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    for each in (path, *path.parents[:3]):
        os.utime(each, (OLD, OLD))


def record(clone: Project, run_id: str, dag_id: str, day: int, *, has_ended: bool = True) -> None:
    """Record a trained model, and the run when it went on to its end; publish its folder."""
    url = secret(clone, "results_db_url")
    folder = storage.folder_name(run_id, dag_id)
    query(
        url,
        "INSERT INTO models (dag_id, run_id, uri, sha256, joblib_sha256, recorded_at) VALUES "
        f"('{dag_id}', '{run_id}', '{folder}/model.skops', '', '', '2024-01-{day:02}')",
    )
    if has_ended:
        query(
            url,
            "INSERT INTO runs VALUES "
            f"('{dag_id}', '{run_id}', '2024-01-{day:02}', 'm', 1, '{{}}', '{{}}', '{folder}')",
        )
        manifest = json.dumps({"dag_id": dag_id, "run_id": run_id})
        make_old(clone.root / "results" / folder / storage.MANIFEST, manifest)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_prune_keeps_the_logs_and_staged_files_of_unfinished_runs(
    clone_with_runs: Project,
) -> None:
    prune.prune(clone_with_runs, 30)
    assert names(clone_with_runs.logs / "dag_id=d") == {"run_id=queued", "run_id=running"}
    assert names(clone_with_runs.root / "results") == {"queued.partial", "running.partial"}


def test_prune_of_a_stopped_clone_asks_its_database_all_the_same(
    clone_with_runs: Project,
) -> None:
    postgres.stop(clone_with_runs)
    prune.prune(clone_with_runs, 30)
    assert not postgres.is_running(clone_with_runs)
    assert names(clone_with_runs.logs / "dag_id=d") == {"run_id=queued", "run_id=running"}


def test_prune_keeps_the_results_whose_model_is_the_newest_of_its_dag(
    clone_with_runs: Project,
) -> None:
    record(clone_with_runs, "manual__2024-01-01T00:00:00+00:00", "one", 1)
    record(clone_with_runs, "manual__2024-01-02T00:00:00+00:00", "one", 2)
    record(clone_with_runs, "failed-after-training", "one", 3, has_ended=False)
    record(clone_with_runs, "only", "two", 1)
    superseded = {("one", f"manual__2024-01-0{day}T00:00:00+00:00") for day in (1, 2)}
    prune.prune(clone_with_runs, 30, superseded=frozenset({*superseded, ("two", "only")}))
    kept = storage.folder_name("manual__2024-01-02T00:00:00+00:00", "one")
    assert names(clone_with_runs.root / "results") == {
        "queued.partial",
        "running.partial",
        kept,
        "only",
    }


def test_prune_keeps_what_a_scoring_at_work_has_staged(clone_with_runs: Project) -> None:
    metadata = secret(clone_with_runs, "sql_alchemy_conn")
    query(metadata, "INSERT INTO dag_run VALUES ('cancer_scoring', 'long', 'running')")
    scored = clone_with_runs.root / "results" / "scoring"
    for problem in ("cancer", "wine"):
        make_old(scored / problem / "2024-01-01.partial" / "predictions.csv")
    prune.prune(clone_with_runs, 30)
    assert names(scored / "cancer") == {"2024-01-01.partial"}
    assert names(scored / "wine") == set()


def test_prune_when_the_database_does_not_answer_removes_nothing(
    clone_with_runs: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(postgres.URL_VARIABLE, "postgresql://u:p@127.0.0.1:1/db")
    with pytest.raises(DatabaseError, match="No PostgreSQL answers"):
        prune.prune(clone_with_runs, 30)
    assert len(names(clone_with_runs.logs / "dag_id=d")) == 4


def test_known_runs_before_the_tables_are_made_are_none(clone: Project) -> None:
    postgres.start(clone)
    query(secret(clone, "sql_alchemy_conn"), "DROP TABLE IF EXISTS dag_run")
    query(secret(clone, "results_db_url"), DROP_TABLES)
    assert known_runs.read(clone) == known_runs.KnownRuns()

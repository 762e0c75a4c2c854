"""Loading a model that the database vouches for, on a real PostgreSQL."""

from __future__ import annotations

import doctest
import json
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

import ml_pipeline
from ml_pipeline import loading
from ml_pipeline.errors import DatabaseError, PipelineError
from ml_pipeline.ops import postgres
from ml_pipeline.ops.project import Project
from ml_pipeline.registry import model_files
from ml_pipeline.registry.model_files import ModelRefused
from tests.integration.conftest import results_tables
from tests.integration.postgres.conftest import query, secret
from tests.unit.docs.documents import document

FEATURES = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b"])
DAG = "loans_ml_pipeline"
numbers = count()
Train = Callable[..., Path]


@pytest.fixture
def here(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The clone that the caller's package belongs to; its database runs."""
    monkeypatch.setattr(Project, "here", classmethod(lambda cls: project))
    query(secret(project, "results_db_url"), results_tables())
    return project


@pytest.fixture
def train(here: Project, tmp_path: Path) -> Train:
    """Train a model as a run does: its files in the run's folder, their checksums on record."""

    def one(dag_id: str | None = DAG, folder: Path | None = None) -> Path:
        folder = folder or tmp_path / "results" / f"run-{next(numbers)}"
        folder.mkdir(parents=True)
        labels = FEATURES["a"].rank() > 20 + next(numbers) % 20
        checksums = model_files.write_model(
            Pipeline([("model", LogisticRegression())]).fit(FEATURES, labels), folder
        )
        model_files.write_manifest(folder, dag_id=dag_id, run_id=folder.name)
        if dag_id:
            record(here, dag_id, folder.name, checksums)
        return folder

    return one


def record(project: Project, dag_id: str, run: str, checksums: dict[str, str]) -> None:
    row = (dag_id, run, f"{run}/model.skops", *checksums.values())
    query(
        secret(project, "results_db_url"),
        f"INSERT INTO models (dag_id, run_id, uri, sha256, joblib_sha256) VALUES {row}",
    )


def refusal(path: Path, error: type[PipelineError] = ModelRefused, **options: str) -> str:
    with pytest.raises(error) as caught:
        ml_pipeline.load_model(path, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("format", ["skops", "joblib"])
def test_a_recorded_model_is_loaded(train: Train, format: loading.Format) -> None:
    folder = train()

    assert ml_pipeline.load_model(folder, format=format).predict(FEATURES).shape == (60,)
    assert ml_pipeline.load_model(folder / f"model.{format}", format=format)


def test_the_example_of_the_docstring_runs(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = train()
    (folder.parent / "latest").symlink_to(folder.name)
    monkeypatch.chdir(tmp_path)
    (example,) = doctest.DocTestFinder().find(
        loading.load_model,
        "load_model",
        globs={"load_model": ml_pipeline.load_model, "features": FEATURES},
    )

    assert doctest.DocTestRunner().run(example) == (0, 2)


def test_what_the_page_shows_runs(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = train()
    (folder.parent / "latest").symlink_to(folder.name)
    monkeypatch.chdir(tmp_path)
    with_record, with_checksum = document("docs/loading.md").blocks("python")
    names = {"rows": FEATURES}

    exec(with_record, names)
    assert names["model"].predict(FEATURES).shape == (60,)

    monkeypatch.chdir(folder)
    checksum = model_files.sha256(Path("model.skops").read_bytes())
    exec(with_checksum.replace("…", checksum), names | {"ml_pipeline": ml_pipeline})


@pytest.mark.parametrize("format", ["skops", "joblib"])
def test_a_file_that_was_changed_with_its_manifest_is_refused(train: Train, format: str) -> None:
    folder, other = train(), train()
    for name in (f"model.{format}", "manifest.json"):
        shutil.copy(other / name, folder / name)

    assert "changed or replaced after training" in refusal(folder, format=format)


def test_another_run_s_model_in_this_run_s_folder_is_refused(train: Train) -> None:
    folder, other = train(), train()
    shutil.rmtree(folder)
    shutil.copytree(other, folder)

    assert "changed or replaced after training" in refusal(folder)


def test_a_manifest_that_names_another_run_lends_it_no_record(train: Train, here: Project) -> None:
    folder, other = train(), train()
    query(secret(here, "results_db_url"), f"DELETE FROM models WHERE run_id = '{folder.name}'")
    shutil.copy(other / "manifest.json", folder)

    assert "has no record of" in refusal(folder)


def test_of_two_dags_with_runs_of_one_name_each_has_its_own_record(
    train: Train, tmp_path: Path
) -> None:
    one = train("one_ml_pipeline")
    other = train("other_ml_pipeline", tmp_path / "elsewhere" / one.name)

    assert ml_pipeline.load_model(one) and ml_pipeline.load_model(other)
    shutil.copy(one / "model.skops", other)
    assert "changed or replaced" in refusal(other)


def test_a_model_without_a_record_is_refused_and_the_remedy_works(
    train: Train, tmp_path: Path
) -> None:
    moved = train().rename(tmp_path / "moved")

    assert "results_db has no record of moved/model.skops" in refusal(moved)
    checksum = model_files.sha256((moved / "model.skops").read_bytes())
    assert ml_pipeline.load_model(moved, expected_sha256=checksum)


def test_what_the_command_made_is_refused_with_its_own_reason(train: Train) -> None:
    assert "`ml-pipeline run` made it" in refusal(train(None))


def test_a_caller_s_checksum_is_asked_instead_of_the_record(train: Train) -> None:
    assert "changed or replaced" in refusal(train(), expected_sha256="0" * 64)


def test_another_scikit_learn_is_refused_before_the_database_is_asked(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = train()
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["versions"]["scikit-learn"] = "1.0.2"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    monkeypatch.setenv(postgres.URL_VARIABLE, "postgresql://u:p@127.0.0.1:1/db")

    assert "pip install scikit-learn==1.0.2" in refusal(folder)


def test_a_database_that_does_not_answer_is_named_with_the_way_round_it(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = train()
    monkeypatch.setenv(postgres.URL_VARIABLE, "postgresql://u:p@127.0.0.1:1/db")

    text = refusal(folder, DatabaseError)

    assert text.startswith(f"{folder / 'model.skops'}: the record of its checksum cannot be read")
    assert "No PostgreSQL answers at 127.0.0.1:1" in text
    assert text.endswith("passes expected_sha256=")


def test_a_clone_that_was_never_started_has_no_record(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = train()
    monkeypatch.setattr(Project, "here", classmethod(lambda cls: Project(tmp_path / "new")))

    assert "There is no database yet" in refusal(folder, DatabaseError)


def test_a_stopped_database_is_started_for_the_question_and_stopped_again(
    train: Train, clone: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = train()
    monkeypatch.setattr(Project, "here", classmethod(lambda cls: clone))

    assert "has no record" in refusal(folder)
    assert not postgres.is_running(clone)

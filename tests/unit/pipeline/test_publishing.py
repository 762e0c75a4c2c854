"""Steps that are repeated, and failures: a run is published whole or not at all."""

import copy
import hashlib
import json
import shutil
from uuid import uuid4

import pytest

from ml_pipeline import pipeline
from ml_pipeline.errors import DataError
from ml_pipeline.registry.model_files import ModelRefused, load_model
from ml_pipeline.storage import Run, StorageError, results_root
from tests.unit.pipeline.runs import chosen

RUN_ID = "manual__2025-11-24T02:02:00+00:00"


@pytest.fixture(scope="module")
def taken(config, tmp_path_factory):
    """Take the earlier steps once; return their results root and the inputs of the later ones."""
    root = tmp_path_factory.mktemp("taken") / "results"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ML_PIPELINE_RESULTS", str(root))
        run = Run(results_root(config), RUN_ID, "a_dag")
        frame = pipeline.validate_data(pipeline.load_data(config), config)
        parts = pipeline.preprocess_data(frame, config)
        choice = chosen(parts["train"], config)
        reference = pipeline.train_model(parts["train"], choice, config, run)
        judged = pipeline.evaluate_model(parts, choice, reference, config)
    return root, parts, choice, reference, judged


@pytest.fixture
def steps(results, config, taken):
    """Return the inputs of the later steps, for a run whose model is trained."""
    root, *inputs = taken
    shutil.copytree(root, results)
    return Run(results_root(config), RUN_ID, "a_dag"), *copy.deepcopy(inputs)


def test_a_reference_holds_relative_uri_and_checksums(steps, results):
    run, _, _, reference, _ = steps

    assert reference["uri"] == f"{run.name}/model.skops"
    staged = (run.staging / "model.skops").read_bytes()
    assert reference["sha256"] == hashlib.sha256(staged).hexdigest()


def test_nothing_is_published_before_results_are_saved(steps, results):
    run, *_ = steps

    assert [path.name for path in results.iterdir()] == [run.name + ".partial"]


def test_saving_twice_replaces_the_run_and_keeps_its_model(steps, config):
    run, _, _, reference, judged = steps
    pipeline.save_results(judged, reference, config, run)
    before = (run.folder / "model.skops").read_bytes()

    pipeline.save_results(judged, reference, config, run)

    assert (run.folder / "model.skops").read_bytes() == before
    assert not run.staging.exists()
    assert len(list(run.folder.iterdir())) == 16


def test_evaluating_again_after_publication_finds_the_published_model(steps, config):
    run, parts, choice, reference, judged = steps
    pipeline.save_results(judged, reference, config, run)

    again = pipeline.evaluate_model(parts, choice, reference, config)

    assert again["holdout"] == judged["holdout"]


def test_training_again_leaves_the_published_run_until_the_new_one_is_whole(steps, config):
    run, parts, choice, reference, judged = steps
    pipeline.save_results(judged, reference, config, run)

    newer = pipeline.train_model(parts["train"], choice | {"chosen": "svc"}, config, run)

    assert load_model(run.folder / "model.skops", reference["sha256"])
    pipeline.save_results(judged, newer, config, run)
    assert load_model(run.folder / "model.skops", newer["sha256"])


def test_a_death_right_after_the_exchange_is_healed_by_the_next_attempt(steps, config):
    run, _, _, reference, judged = steps
    pipeline.save_results(judged, reference, config, run)
    run.staging.mkdir()
    (run.staging / "model.skops").write_bytes(b"an earlier attempt's model")

    pipeline.save_results(judged, reference, config, run)

    assert load_model(run.folder / "model.skops", reference["sha256"])
    assert not run.staging.exists()


@pytest.mark.parametrize("name", ["model.skops", "model.joblib"])
def test_a_staged_model_that_was_changed_is_never_published(steps, config, name):
    run, _, _, reference, judged = steps
    (run.staging / name).write_bytes(b"changed")

    with pytest.raises(ModelRefused, match="the file was changed or replaced after training"):
        pipeline.save_results(judged, reference, config, run)

    assert not run.folder.exists()


def test_a_staged_model_that_was_changed_is_not_judged(steps, config):
    run, parts, choice, reference, _ = steps
    (run.staging / "model.skops").write_bytes(b"changed")

    with pytest.raises(ModelRefused, match="the file was changed or replaced after training"):
        pipeline.evaluate_model(parts, choice, reference, config)


def test_a_model_that_is_gone_is_refused(steps, config):
    run, parts, choice, reference, _ = steps
    shutil.rmtree(run.staging)

    with pytest.raises(ModelRefused, match="no such model file"):
        pipeline.evaluate_model(parts, choice, reference, config)


def test_bad_data_leaves_nothing_behind(results, config, tmp_path):
    (tmp_path / "bad.csv").write_text("1,M\n")
    tree = config.model_dump()
    tree["data"]["path"] = str(tmp_path / "bad.csv")

    with pytest.raises(DataError, match="line 1: 2 fields where 32 are expected"):
        pipeline.run_pipeline(config.validated(tree, config.source), "r")

    assert not results.exists()


def test_a_failing_step_leaves_no_staging_folder(results, config, monkeypatch):
    def fail(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "evaluate_model", fail)
    with pytest.raises(KeyboardInterrupt):
        pipeline.run_pipeline(config, "r")

    assert list(results.iterdir()) == []


def test_a_place_that_cannot_be_written_is_one_clear_line(config, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ML_PIPELINE_RESULTS", str(tmp_path / "file"))

    with pytest.raises(StorageError, match="cannot write results below"):
        pipeline.run_pipeline(config, "r")


def test_the_whole_run_works_on_object_storage(config, monkeypatch):
    monkeypatch.setenv("ML_PIPELINE_RESULTS", f"memory://{uuid4()}/results")

    document = pipeline.run_pipeline(config, RUN_ID)

    root = results_root(config)
    latest = json.loads((root / "latest.json").read_text())["run"]
    assert json.loads((root / latest / "metrics.json").read_text()) == document
    assert (document["run_id"], document["dag_id"]) == (RUN_ID, None)
    assert {path.name for path in root.iterdir()} == {latest, "latest.json"}


def test_each_step_is_reported_in_order(results, config):
    from contextlib import contextmanager

    seen = []

    @contextmanager
    def step(name):
        seen.append(name)
        yield

    pipeline.run_pipeline(config, "r", step)

    assert seen == [
        "load_data",
        "validate_data",
        "preprocess_data",
        "cross_validate",
        "select_model",
        "train_model",
        "evaluate_model",
        "save_results",
    ]

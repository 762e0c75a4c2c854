"""The six steps together: the contract of the results folder, determinism, repeated steps."""

import copy
import csv
import hashlib
import json
import math
import os
import shutil
import subprocess
from pathlib import Path
from uuid import uuid4

import pandas as pd
import pyarrow as pa
import pytest

from ml_pipeline import pipeline
from ml_pipeline.config import MODELS, load
from ml_pipeline.errors import DataError
from ml_pipeline.ml.metrics import METRICS
from ml_pipeline.ops.project import ENVIRONMENT_SCRIPT
from ml_pipeline.registry.model_files import ModelRefused, load_model
from ml_pipeline.storage import Run, StorageError, results_root

SHIPPED = Path(__file__).parents[2] / "config" / "breast_cancer.yaml"
PICTURES = (
    "roc",
    "precision_recall",
    "calibration",
    "threshold",
    "confusion_matrix",
    "candidates",
    "importance",
)
RUN_ID = "manual__2025-11-24T02:02:00+00:00"


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Send results to a folder of the test."""
    monkeypatch.setenv("ML_PIPELINE_RESULTS", str(tmp_path / "my results"))
    return tmp_path / "my results"


@pytest.fixture(scope="module")
def config():
    """Return the shipped problem under a quick protocol."""
    shipped = load(SHIPPED)
    tree = shipped.model_dump() | {
        "candidates": ["logistic_regression", "k_nearest_neighbors", "svc"],
        "selection": {"protocol": "quick"},
    }
    return shipped.validated(tree, shipped.source)


@pytest.fixture(scope="module")
def typed(tmp_path_factory):
    """Type `ml-pipeline run` once, on the shipped problem as it is; return where and its output."""
    root = tmp_path_factory.mktemp("results")
    done = subprocess.run(
        ["bash", "-c", '. "$0" && ml-pipeline run', SHIPPED.parents[1] / ENVIRONMENT_SCRIPT],
        env={**os.environ, "ML_PIPELINE_RESULTS": str(root)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return root / "latest", done.stdout


@pytest.fixture(scope="module")
def whole(typed):
    """Return the results folder of the shipped problem, and its document."""
    folder, _ = typed
    return folder, json.loads((folder / "metrics.json").read_text())


def figures(document):
    return document["holdout"], document["cross_validation"]


# The results folder


def test_the_command_prints_the_figures_and_where_they_lie(typed):
    folder, printed = typed

    assert "roc_auc" in printed
    assert f"Results: {folder.resolve()}\n" in printed


def test_the_folder_holds_what_the_contract_names(whole):
    folder, _ = whole

    assert {file.name for file in folder.iterdir()} == {
        "metrics.json",
        "metrics.csv",
        "profile.json",
        "predictions.csv",
        "model.skops",
        "model.joblib",
        "manifest.json",
        "report.html",
        "model_card.md",
        *(f"{name}.png" for name in PICTURES),
    }


def test_the_report_shows_the_runs_own_figures(whole):
    folder, document = whole
    page, card = ((folder / name).read_text() for name in ("report.html", "model_card.md"))

    assert f"{document['holdout']['accuracy']['value']:.3f}" in page
    assert document["dataset"]["sha256"] in page
    assert "worst texture" in page
    assert "no medical device" in card.split("## Limits")[1]


def test_the_metrics_document_has_the_contracts_keys(whole):
    folder, document = whole

    assert list(document) == [
        "run_id",
        "dag_id",
        "created_at",
        "dataset",
        "target",
        "positive_class",
        "model",
        "random_state",
        "holdout",
        "cross_validation",
        "nested",
        "threshold",
        "selection",
        "confusion_matrix",
        "groups",
        "versions",
    ]
    assert (document["run_id"], document["dag_id"]) == (folder.resolve().name, None)
    assert (document["target"], document["positive_class"]) == ("diagnosis", "M")
    assert tuple(document["holdout"]) == METRICS
    assert list(document["cross_validation"]) == [*METRICS, "folds", "repeats"]


def test_the_data_set_is_named_by_path_and_checksum(whole):
    content = (SHIPPED.parents[1] / "data" / "wdbc.data").read_bytes()

    assert whole[1]["dataset"] == {
        "path": "data/wdbc.data",
        "sha256": hashlib.sha256(content).hexdigest(),
        "rows": 569,
        "features": 30,
    }


def test_the_chosen_model_is_as_good_as_promised(whole):
    folded, nested = whole[1]["cross_validation"], whole[1]["nested"]

    assert (folded["folds"], folded["repeats"]) == (10, 3)
    assert (nested["folds"], nested["repeats"]) == (10, 1)
    for figures in (folded, nested):
        assert figures["accuracy"]["mean"] >= 0.97
        assert figures["roc_auc"]["mean"] >= 0.99


def test_every_candidate_is_told_with_its_figures_and_the_reason_of_its_fate(whole):
    selection = whole[1]["selection"]

    assert (selection["metric"], selection["protocol"]) == ("roc_auc", "standard")
    assert [one["name"] for one in selection["candidates"]] == list(MODELS)
    chosen = [one["name"] for one in selection["candidates"] if one["chosen"]]
    assert chosen == [whole[1]["model"]] == ["logistic_regression"]
    assert all("standard error" in one["reason"] for one in selection["candidates"])


def test_the_confusion_matrix_gives_the_holdout_accuracy_again(whole):
    matrix = whole[1]["confusion_matrix"]

    assert matrix["labels"] == ["B", "M"]
    (right, _), (_, positive) = matrix["counts"]
    assert (right + positive) / 114 == whole[1]["holdout"]["accuracy"]["value"]


def test_the_manifest_vouches_for_every_other_file_and_records_the_params(whole):
    folder, _ = whole
    manifest = json.loads((folder / "manifest.json").read_text())

    assert {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in manifest["files"]
    } == {name: entry["sha256"] for name, entry in manifest["files"].items()}
    assert len(manifest["files"]) == 15
    assert manifest["params"] == {
        "random_state": 42,
        "test_size": 0.2,
        "model": "logistic_regression",
        "model_parameters": {},
    }


def test_the_csv_tells_the_same_figures(whole):
    folder, document = whole
    with (folder / "metrics.csv").open() as file:
        rows = {(row["protocol"], row["metric"]): row for row in csv.DictReader(file)}

    assert len(rows) == 3 * len(METRICS)
    for metric in METRICS:
        held_out, folded = (part[metric] for part in figures(document))
        assert float(rows["holdout", metric]["value"]) == held_out["value"]
        assert float(rows["cross_validation", metric]["value"]) == folded["mean"]
        assert float(rows["cross_validation", metric]["sd"]) == folded["sd"]
        assert float(rows["cross_validation", metric]["high"]) == folded["high"]
        assert float(rows["nested", metric]["value"]) == (document["nested"][metric]["mean"])


def test_the_predictions_give_the_holdout_accuracy_again(whole):
    folder, document = whole
    predictions = pd.read_csv(folder / "predictions.csv")

    assert len(predictions) == 114
    accuracy = (predictions["y_true"] == predictions["y_pred"]).mean()
    assert accuracy == document["holdout"]["accuracy"]["value"]


def test_the_saved_model_gives_the_saved_scores_to_the_last_digit(whole):
    folder, _ = whole
    config = load(SHIPPED)
    frame = pipeline.validate_data(pipeline.load_data(config), config)
    test = pipeline.preprocess_data(frame, config)["test"]
    manifest = json.loads((folder / "manifest.json").read_text())

    model = load_model(folder / "model.skops", manifest["files"]["model.skops"]["sha256"])

    saved = pd.read_csv(folder / "predictions.csv")
    scores = model.predict_proba(test[test.columns[2:]])[:, 1]
    assert scores.tolist() == saved["score"].tolist()


# Determinism


@pytest.fixture(scope="module")
def one(config, tmp_path_factory):
    """Return the results folder and the document of one run."""
    root = tmp_path_factory.mktemp("one")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ML_PIPELINE_RESULTS", str(root))
        return root / "one", pipeline.run_pipeline(config, "one")


def test_two_runs_give_the_same_figures_and_predictions_to_the_last_digit(results, config, one):
    folder, document = one
    two = pipeline.run_pipeline(config, "two")

    assert figures(document) == figures(two)
    predictions = [(run / "predictions.csv").read_bytes() for run in (folder, results / "two")]
    assert predictions[0] == predictions[1]


def test_another_seed_gives_other_figures(results, config, one):
    other = config.with_params(random_state=43)

    assert figures(one[1]) != figures(pipeline.run_pipeline(other, "two"))


def test_params_are_used_and_recorded(results, config):
    used = config.with_params(random_state=7, test_size=0.3, model="k_nearest_neighbors")

    document = pipeline.run_pipeline(used, "r")

    manifest = json.loads((results / "r" / "manifest.json").read_text())
    assert json.loads((results / "r" / "metrics.json").read_text()) == document
    assert (document["model"], document["random_state"]) == ("k_nearest_neighbors", 7)
    assert (manifest["params"]["test_size"], manifest["params"]["random_state"]) == (0.3, 7)
    assert len(pd.read_csv(results / "r" / "predictions.csv")) == math.ceil(569 * 0.3)


def chosen(train, config):
    """Return the choice between the candidates, tried one after the other."""
    names = [one.name for one in config.candidates]
    return pipeline.select_model([pipeline.cross_validate(train, config, n) for n in names], config)


def through_arrow(frame):
    return pa.Table.from_pandas(frame).to_pandas()


def test_frames_that_travel_as_arrow_give_the_same_figures_to_the_last_digit(results, config, one):
    run = Run(results_root(config), "travelled", "a_dag")
    frame = through_arrow(pipeline.load_data(config))
    frame = through_arrow(pipeline.validate_data(frame, config))
    parts = pipeline.preprocess_data(frame, config)
    parts = {name: through_arrow(part) for name, part in parts.items()}
    choice = chosen(parts["train"], config)
    choice["out_of_fold"] = through_arrow(choice["out_of_fold"])
    reference = pipeline.train_model(parts["train"], choice, config, run)
    reference = json.loads(json.dumps(reference))
    judged = pipeline.evaluate_model(parts, choice, reference, config)
    judged["out_of_fold"] = through_arrow(judged["out_of_fold"])
    judged["predictions"] = through_arrow(judged["predictions"])

    summary = json.loads(json.dumps(pipeline.save_results(judged, reference, config, run)))

    assert figures(summary["metrics"]) == figures(one[1])
    assert summary["metrics"]["dag_id"] == "a_dag"


def test_a_frame_that_lost_its_attributes_has_the_checksum_of_the_file(results, config):
    frame = pipeline.load_data(config)
    checksum = frame.attrs.pop("sha256")
    parts = pipeline.preprocess_data(pipeline.validate_data(frame, config), config)
    run = Run(results_root(config), "r")
    choice = chosen(parts["train"], config)
    reference = pipeline.train_model(parts["train"], choice, config, run)

    judged = pipeline.evaluate_model(parts, choice, reference, config)

    assert judged["dataset"]["sha256"] == checksum


# Steps that are repeated, and failures


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

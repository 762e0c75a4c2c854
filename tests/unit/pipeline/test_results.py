"""What a run leaves in its results folder: the contract."""

import csv
import hashlib
import json
import os
import subprocess

import pandas as pd
import pytest

from ml_pipeline import pipeline
from ml_pipeline.config import MODELS, load
from ml_pipeline.ml.metrics import METRICS
from ml_pipeline.ops.project import ENVIRONMENT_SCRIPT
from ml_pipeline.registry.model_files import load_model
from tests.unit.pipeline.runs import SHIPPED, figures

PICTURES = (
    "roc",
    "precision_recall",
    "calibration",
    "threshold",
    "confusion_matrix",
    "candidates",
    "importance",
)


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
    for estimates in (folded, nested):
        assert estimates["accuracy"]["mean"] >= 0.97
        assert estimates["roc_auc"]["mean"] >= 0.99


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

"""A run's figures come in one order, whatever order PostgreSQL gives their keys back in."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from ml_pipeline import pipeline
from ml_pipeline.cli.tables import metrics_table
from ml_pipeline.config import load
from ml_pipeline.documents import in_order
from ml_pipeline.ml.metrics import METRICS
from ml_pipeline.storage import Run, results_root

SHIPPED = Path(__file__).parents[2] / "config" / "breast_cancer.yaml"


def through_jsonb(value):
    """Return the document as PostgreSQL keeps it: keys by length, then by their bytes."""
    if not isinstance(value, dict):
        return value
    keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
    return {key: through_jsonb(value[key]) for key in keys}


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Return the shipped problem under a quick protocol, with parameters of its own."""
    monkeypatch.setenv("ML_PIPELINE_RESULTS", str(tmp_path / "results"))
    shipped = load(SHIPPED)
    tree = shipped.model_dump() | {
        "candidates": [
            {"name": "logistic_regression", "parameters": {"tol": 0.001, "C": 0.5}},
            "k_nearest_neighbors",
        ],
        "selection": {"folds": 3, "repeats": 1},
    }
    return shipped.validated(tree, shipped.source)


@pytest.fixture
def steps(config):
    """Return a run and the outcomes of its steps before the last, as they leave the tasks."""
    run = Run(results_root(config), "r")
    frame = pipeline.validate_data(pipeline.load_data(config), config)
    parts = pipeline.preprocess_data(frame, config)
    names = [one.name for one in config.candidates]
    outcomes = [pipeline.cross_validate(parts["train"], config, name) for name in names]
    choice = pipeline.select_model(outcomes, config)
    reference = pipeline.train_model(parts["train"], choice, config, run)
    evaluation = pipeline.evaluate_model(parts, choice, reference, config)
    return run, evaluation, reference


def test_files_are_the_same_when_their_figures_passed_through_postgresql(steps, config):
    run, evaluation, reference = steps
    pipeline.save_results(evaluation, reference, config, run)
    files = ("metrics.json", "metrics.csv", "manifest.json", "predictions.csv")
    here = {name: (run.folder / name).read_text() for name in files}

    summary = pipeline.save_results(
        through_jsonb(evaluation), through_jsonb(reference), config, run
    )

    there = {name: (run.folder / name).read_text() for name in files}
    created_at = [json.loads(text["metrics.json"])["created_at"] for text in (here, there)]
    assert there["metrics.json"] == here["metrics.json"].replace(*created_at)
    assert there["metrics.csv"] == here["metrics.csv"]
    assert there["predictions.csv"] == here["predictions.csv"]
    manifests = [json.loads(text["manifest.json"]) for text in (here, there)]
    assert json.dumps(manifests[0]["params"]) == json.dumps(manifests[1]["params"])
    assert list(summary["params"]["model_parameters"]) == ["C", "tol"]


def test_metrics_stand_in_the_order_that_the_code_names(steps, config):
    run, evaluation, reference = steps

    document = pipeline.save_results(through_jsonb(evaluation), reference, config, run)["metrics"]

    assert tuple(document["holdout"]) == METRICS
    assert list(document["cross_validation"]) == [*METRICS, "folds", "repeats"]
    assert list(document["holdout"]["f1"]) == ["value", "low", "high"]
    assert list(document["dataset"]) == ["path", "sha256", "rows", "features"]


def test_the_table_has_its_rows_in_the_order_that_the_code_names(steps, config):
    run, evaluation, reference = steps
    document = pipeline.save_results(evaluation, reference, config, run)["metrics"]
    printed = io.StringIO()

    Console(file=printed, width=80).print(metrics_table(through_jsonb(document)))

    words = [line.strip("│ ").split(" ")[0] for line in printed.getvalue().splitlines()]
    assert tuple(word for word in words if word in METRICS) == METRICS
    assert "…" not in printed.getvalue()


def test_keys_that_no_order_names_follow_by_name():
    assert list(in_order({"zeta": 1, 2: 0, "alpha": 2, "f1": 3})) == ["f1", 2, "alpha", "zeta"]

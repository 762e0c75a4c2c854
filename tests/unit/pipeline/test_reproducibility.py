"""The same input gives the same figures, whichever way the frames have come."""

import json
import math

import pandas as pd
import pyarrow as pa
import pytest

from ml_pipeline import pipeline
from ml_pipeline.storage import Run, results_root
from tests.unit.pipeline.runs import chosen, figures


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

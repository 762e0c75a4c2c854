"""A model file is loaded only if it is the recorded one and holds only what the code trusts."""

import hashlib
import json
import os

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from ml_pipeline.config import MODELS, ProblemConfig
from ml_pipeline.config.selection import ESTIMATORS
from ml_pipeline.errors import PipelineError
from ml_pipeline.ml.training import fit_pipeline
from ml_pipeline.registry.model_files import (
    ModelRefused,
    load_model,
    versions,
    write_manifest,
    write_model,
)


def digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def fitted(tmp_path, name="logistic_regression", selection=None, estimator=None, **parameters):
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(generator.normal(size=(60, 2)), columns=["a", "b"])
    frame["y"] = np.where(frame["a"] + generator.normal(size=60) > 0, "M", "B")
    return fitted_to(frame, tmp_path, name, selection, estimator, **parameters)


def fitted_to(frame, tmp_path, name, selection=None, estimator=None, **parameters):
    tree = {
        "data": {"path": "x"},
        "target": {"column": "y", "positive": "M"},
        "candidates": [{"name": name, "estimator": estimator, "parameters": parameters}],
        "selection": selection or {},
    }
    config = ProblemConfig.validated(tree, tmp_path / "small.yaml")
    return fit_pipeline(frame, config, config.candidates[0]), frame.drop(columns="y")


@pytest.mark.parametrize("name", MODELS)
def test_every_model_on_offer_comes_back_with_the_same_probabilities(tmp_path, name):
    model, features = fitted(tmp_path, name)

    checksums = write_model(model, tmp_path)
    loaded = load_model(tmp_path / "model.skops", checksums["model.skops"])

    np.testing.assert_array_equal(loaded.predict_proba(features), model.predict_proba(features))
    assert list(loaded.classes_) == ["B", "M"]


@pytest.mark.parametrize("name", MODELS)
def test_every_model_comes_back_when_its_features_are_sparse(tmp_path, name):
    towns = [f"town {place % 30}" for place in range(90)]
    frame = pd.DataFrame({"town": towns, "y": np.where(np.arange(90) % 30 < 10, "M", "B")})
    model, features = fitted_to(frame, tmp_path, name)

    checksums = write_model(model, tmp_path)
    loaded = load_model(tmp_path / "model.skops", checksums["model.skops"])

    np.testing.assert_array_equal(loaded.predict_proba(features), model.predict_proba(features))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("path", ESTIMATORS)
def test_every_estimator_that_may_be_named_comes_back_the_same(tmp_path, path):
    model, features = fitted(tmp_path, "x", estimator=path)

    checksums = write_model(model, tmp_path)
    loaded = load_model(tmp_path / "model.skops", checksums["model.skops"])

    np.testing.assert_array_equal(loaded.predict_proba(features), model.predict_proba(features))


@pytest.mark.parametrize("calibration", ["none", "sigmoid", "isotonic"])
def test_threshold_and_calibration_come_back_with_their_model(tmp_path, calibration):
    aim = {"maximize": "recall", "at_least": {"specificity": 0.9}}
    model, features = fitted(tmp_path, selection={"threshold": aim, "calibration": calibration})

    checksums = write_model(model, tmp_path)
    loaded = load_model(tmp_path / "model.skops", checksums["model.skops"])

    np.testing.assert_array_equal(loaded.predict(features), model.predict(features))
    decided = loaded.predict_proba(features)[:, 1] >= model["model"].threshold_
    np.testing.assert_array_equal(loaded.predict(features) == "M", decided)


@pytest.mark.parametrize("algorithm", ["auto", "kd_tree", "ball_tree", "brute"])
@pytest.mark.parametrize(
    "metric", [{}, {"p": 3}, {"metric": "manhattan"}, {"metric": "chebyshev"}], ids=str
)
def test_neighbours_come_back_whatever_finds_them(tmp_path, algorithm, metric):
    parameters = {"algorithm": algorithm} | metric
    model, features = fitted(tmp_path, "k_nearest_neighbors", **parameters)

    checksums = write_model(model, tmp_path)
    loaded = load_model(tmp_path / "model.skops", checksums["model.skops"])

    np.testing.assert_array_equal(loaded.predict(features), model.predict(features))


def test_the_joblib_file_holds_the_same_model(tmp_path):
    model, features = fitted(tmp_path)
    write_model(model, tmp_path)

    loaded = joblib.load(tmp_path / "model.joblib")

    np.testing.assert_array_equal(loaded.predict_proba(features), model.predict_proba(features))


def test_the_manifest_tells_checksums_sizes_and_versions(tmp_path):
    checksums = write_model(fitted(tmp_path)[0], tmp_path)

    manifest = json.loads((tmp_path / "manifest.json").read_text())

    assert set(manifest["files"]) == {"model.skops", "model.joblib"}
    for name, entry in manifest["files"].items():
        assert entry["sha256"] == checksums[name] == digest(tmp_path / name)
        assert entry["bytes"] == (tmp_path / name).stat().st_size
    assert manifest["versions"] == versions()
    assert {"python", "scikit-learn", "numpy", "skops"} <= set(manifest["versions"])


def test_a_manifest_written_again_does_not_list_itself(tmp_path):
    (tmp_path / "a.txt").write_text("a")

    write_manifest(tmp_path)
    manifest = write_manifest(tmp_path, run_id="r")

    assert list(manifest["files"]) == ["a.txt"]
    assert manifest["run_id"] == "r"


def test_a_changed_file_is_refused_even_when_its_manifest_was_changed_with_it(tmp_path):
    recorded = write_model(fitted(tmp_path)[0], tmp_path)["model.skops"]
    write_model(fitted(tmp_path, "random_forest")[0], tmp_path)

    with pytest.raises(ModelRefused, match="changed or replaced after training"):
        load_model(tmp_path / "model.skops", recorded)


def test_one_flipped_bit_is_refused(tmp_path):
    recorded = write_model(fitted(tmp_path)[0], tmp_path)["model.skops"]
    content = bytearray((tmp_path / "model.skops").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "model.skops").write_bytes(content)

    with pytest.raises(ModelRefused, match="SHA-256"):
        load_model(tmp_path / "model.skops", recorded)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ModelRefused, match="no such model file"):
        load_model(tmp_path / "model.skops", "0" * 64)


def test_a_type_that_is_not_on_the_allow_list_is_refused_by_name_and_not_run(tmp_path):
    ran = tmp_path / "ran"
    model = Pipeline([("run", FunctionTransformer(os.system)), ("model", LogisticRegression())])
    file = tmp_path / "model.skops"
    file.write_bytes(skops.io.dumps(model.set_params(run__kw_args={"command": f"touch {ran}"})))

    with pytest.raises(ModelRefused, match=r"not on the allow-list: posix\.system"):
        load_model(file, digest(file))
    assert not ran.exists()


def test_a_pickle_under_the_name_of_a_skops_file_is_refused_and_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    file = tmp_path / "model.skops"
    joblib.dump(Trap(), file)

    with pytest.raises(ModelRefused) as caught:
        load_model(file, digest(file))

    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_an_unreadable_model_is_answered_with_the_version_that_made_it(tmp_path):
    write_model(fitted(tmp_path)[0], tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["versions"]["scikit-learn"] = "0.1"
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    file = tmp_path / "model.skops"
    file.write_bytes(b"no zip")

    with pytest.raises(ModelRefused, match=r"made with scikit-learn 0\.1, here is"):
        load_model(file, digest(file))


def test_a_refusal_is_a_users_error():
    assert issubclass(ModelRefused, PipelineError)

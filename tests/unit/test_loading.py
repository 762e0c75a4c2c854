"""Loading a model by path where the caller vouches for it: files, formats, versions."""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from upath import UPath

import ml_pipeline
from ml_pipeline.registry import model_files
from ml_pipeline.registry.compatibility import OtherVersionsWarning
from ml_pipeline.registry.model_files import ModelRefused

FEATURES = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b"])
MODEL = Pipeline([("model", LogisticRegression())]).fit(FEATURES, FEATURES["a"] > 0)
EXPECTED = MODEL.predict_proba(FEATURES)


def digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture
def run(tmp_path):
    """A run's folder, to which `latest` leads."""
    folder = tmp_path / "results of mine" / "run-1"
    folder.mkdir(parents=True)
    model_files.write_model(MODEL, folder)
    (folder.parent / "latest").symlink_to("run-1", target_is_directory=True)
    return folder


def load(path, **options):
    """Load with the checksum of the file as it lies there."""
    suffix = options.get("format", "skops")
    folder = path if path.is_dir() else path.parent
    return ml_pipeline.load_model(
        path, expected_sha256=digest(folder / f"model.{suffix}"), **options
    )


def made_with(run, **versions):
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["versions"] |= versions
    (run / "manifest.json").write_text(json.dumps(manifest))


def predictions(model):
    return model.predict_proba(FEATURES)


# What a path may be


@pytest.mark.parametrize("path", ["run-1", "run-1/model.skops", "latest", "latest/model.skops"])
def test_a_folder_its_model_file_and_latest_lead_to_the_same_model(run, path):
    np.testing.assert_array_equal(predictions(load(run.parent / path)), EXPECTED)


@pytest.mark.parametrize("spelling", [str, Path.as_uri, UPath])
def test_a_path_may_be_text_a_url_or_a_path(run, spelling):
    checksum = digest(run / "model.skops")

    model = ml_pipeline.load_model(spelling(run), expected_sha256=checksum.upper())

    np.testing.assert_array_equal(predictions(model), EXPECTED)


def test_a_relative_path_and_the_home_folder_are_understood(run, monkeypatch):
    checksum = digest(run / "model.skops")
    monkeypatch.chdir(run.parent)
    monkeypatch.setenv("HOME", str(run.parent))

    for path in ("latest", "~/run-1"):
        assert ml_pipeline.load_model(path, expected_sha256=checksum)


def test_latest_in_object_storage_is_the_run_that_its_pointer_names(run):
    root = UPath("memory://loading/results")
    for file in run.iterdir():
        (root / "run-1" / file.name).write_bytes(file.read_bytes())
    (root / "latest.json").write_text(json.dumps({"run": "run-1"}))

    for path in ("latest", "run-1", "run-1/model.skops"):
        model = ml_pipeline.load_model(
            str(root / path), expected_sha256=digest(run / "model.skops")
        )
        np.testing.assert_array_equal(predictions(model), EXPECTED)


def test_joblib_is_loaded_when_it_is_asked_for(run):
    for path in (run, run / "model.joblib"):
        np.testing.assert_array_equal(predictions(load(path, format="joblib")), EXPECTED)


# Refusals


def refusal(path, **options):
    with pytest.raises(ModelRefused) as caught:
        ml_pipeline.load_model(path, **{"expected_sha256": "0" * 64} | options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_joblib_file_is_not_loaded_unless_it_is_asked_for(run):
    assert 'pass format="joblib"' in refusal(run / "model.joblib")
    assert "name model.joblib" in refusal(run / "model.skops", format="joblib")


def test_a_changed_joblib_file_is_refused_before_it_runs(run):
    (run / "model.joblib").write_bytes(b"cos\nmkdir\n(S'" + bytes(run / "ran") + b"'\ntR.")

    assert "changed or replaced" in refusal(run, format="joblib")
    assert not (run / "ran").exists()


def test_a_joblib_file_that_cannot_be_read_is_refused(run):
    (run / "model.joblib").write_bytes(b"no pickle")

    text = refusal(run, format="joblib", expected_sha256=digest(run / "model.joblib"))

    assert text.startswith(str(run / "model.joblib"))


def test_a_changed_file_is_refused(run):
    assert "changed or replaced after training" in refusal(run)


@pytest.mark.parametrize("path", ["absent", "absent/model.skops", ""])
def test_a_missing_file_is_refused_by_its_place(run, path):
    place = run.parent / path
    wanted = place if path.endswith(".skops") else place / "model.skops"

    assert refusal(place) == (
        f"{wanted}: no such model file. Name a run's folder, such as results/latest"
    )


def test_a_store_that_is_not_known_is_refused():
    assert "nowhere" in refusal("nowhere://bucket/run")


@pytest.mark.parametrize("checksum", ["", "abc", "g" * 64])
def test_a_checksum_that_is_none_is_refused(run, checksum):
    assert "Must be 64 hexadecimal digits" in refusal(run, expected_sha256=checksum)


def test_an_unknown_format_is_refused(run):
    assert "Got 'onnx'. Must be one of 'skops', 'joblib'" in refusal(run, format="onnx")


def test_a_file_that_may_not_be_read_is_refused(run):
    (run / "manifest.json").unlink()
    (run / "manifest.json").mkdir()

    assert "cannot be read: Is a directory" in refusal(run)


# Versions


def test_the_versions_of_today_pass_without_a_word(run):
    with warnings.catch_warnings():
        warnings.simplefilter("error", OtherVersionsWarning)
        load(run)


@pytest.mark.parametrize("format", ["skops", "joblib"])
def test_another_scikit_learn_is_refused_with_the_remedy(run, format):
    made_with(run, **{"scikit-learn": "1.0.2"})

    assert "pip install scikit-learn==1.0.2" in refusal(run, format=format)


@pytest.mark.parametrize("library", ["numpy", "pandas", "scipy", "skops"])
def test_another_version_of_what_matters_less_is_a_warning(run, library):
    made_with(run, **{library: "0.1"})

    with pytest.warns(OtherVersionsWarning, match=rf"made with {library} 0\.1 \(here") as caught:
        load(run)
    assert caught[0].filename == __file__


def test_another_python_is_of_no_account(run):
    made_with(run, python="3.0")

    with warnings.catch_warnings():
        warnings.simplefilter("error", OtherVersionsWarning)
        load(run)


def test_a_file_without_its_manifest_is_loaded_with_a_warning(run):
    (run / "manifest.json").unlink()

    with pytest.warns(OtherVersionsWarning, match=r"no manifest\.json beside it"):
        load(run)


@pytest.mark.parametrize("text", ["{", "[]x", "7", '{"versions": 7}'])
def test_a_spoilt_manifest_is_refused(run, text):
    (run / "manifest.json").write_text(text)

    assert "is no manifest" in refusal(run)

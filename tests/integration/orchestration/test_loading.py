"""A model that the real DAG has trained, loaded from outside Airflow by its path."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pandas as pd
import pytest

import ml_pipeline
from ml_pipeline.config import load
from ml_pipeline.loading import Format
from ml_pipeline.ml import preprocessing, validation
from ml_pipeline.ml.dataset import read_table
from ml_pipeline.ops.project import Project

pytestmark = pytest.mark.timeout(900)  # the first test waits for all scenarios


@pytest.mark.parametrize("format", get_args(Format))
def test_the_model_of_a_run_gives_the_predictions_that_the_run_published(
    played, monkeypatch, format
):
    monkeypatch.setattr(Project, "here", classmethod(lambda cls: played.project))
    config = load(played.project.root / "config" / "breast_cancer.yaml")
    frame = validation.validate(read_table(config), config)
    test = preprocessing.split(preprocessing.clean(frame), config)["test"]
    published = pd.read_csv(played.folder("whole") / "predictions.csv")

    model = ml_pipeline.load_model(played.folder("whole"), format=format)

    scores = model.predict_proba(test[validation.feature_names(test, config)])[:, 1]
    np.testing.assert_allclose(scores, published["score"], rtol=1e-12)

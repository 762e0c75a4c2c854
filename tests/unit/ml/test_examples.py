"""The examples in the docstrings of what `ml_pipeline.ml` offers to a notebook."""

from __future__ import annotations

import doctest

import pandas as pd
import pytest

from ml_pipeline import ml
from ml_pipeline.config import ProblemConfig, load

from .conftest import SHIPPED

QUICK = {
    "selection": {"protocol": "quick"},
    "candidates": ["logistic_regression", "k_nearest_neighbors"],
}


@pytest.fixture(scope="module")
def names():
    """What stands in the examples: the offered functions, and what the earlier steps returned."""
    shipped = load(SHIPPED)
    config = ProblemConfig.validated(shipped.model_dump() | QUICK, shipped.source)
    offered = {name: getattr(ml, name) for name in ml.__all__}
    frame = ml.validate(ml.read_table(config), config)
    train, test = ml.split(ml.clean(frame), config).values()
    model = ml.fit_pipeline(train, config, config.candidate("logistic_regression"))
    return offered | {
        "pd": pd,
        "config": config,
        "frame": frame,
        "train": train,
        "test": test,
        "model": model,
        "predictions": ml.predict(model, test, config),
    }


@pytest.mark.parametrize("name", ml.__all__)
def test_the_example_of_a_step_runs(name, names, capsys):
    (example,) = doctest.DocTestFinder(recurse=False).find(getattr(ml, name), name, globs=names)

    failed, tried = doctest.DocTestRunner().run(example)

    assert tried
    assert not failed, capsys.readouterr().out

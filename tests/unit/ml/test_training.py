"""The models on offer and how they are fitted."""

import warnings

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from ml_pipeline.config import MODELS
from ml_pipeline.errors import ConfigError
from ml_pipeline.ml import training
from ml_pipeline.ml.candidates import RECIPES
from ml_pipeline.ml.preprocessing import split
from ml_pipeline.ml.training import check_parameters


def with_model(config, name, **parameters):
    only = {"candidates": [{"name": name, "parameters": parameters}]}
    return config.validated(config.model_dump() | only, config.source)


def fit_pipeline(frame, config):
    return training.fit_pipeline(frame, config, config.candidates[0])


def build_pipeline(config, frame):
    return training.build_pipeline(config.candidates[0], config, frame)


def test_the_models_offered_are_those_that_a_configuration_may_name():
    assert set(RECIPES) == set(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_each_model_learns_gives_probabilities_and_warns_of_nothing(small, rows, name):
    config = small.with_params(model=name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = fit_pipeline(rows, config)

    probability = model.predict_proba(rows[["a", "b", "noise"]])

    assert list(model.classes_) == ["B", "M"]
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    assert (model.predict(rows[["a", "b", "noise"]]) == rows["y"]).mean() > 0.7


@pytest.mark.parametrize("name", MODELS)
def test_a_second_fit_gives_the_same_probabilities_to_the_last_bit(wdbc, name):
    config, frame = wdbc
    config = config.with_params(model=name)
    features = frame[frame.columns[2:]]

    one, other = (fit_pipeline(frame, config).predict_proba(features) for _ in range(2))

    np.testing.assert_array_equal(one, other)


def test_the_number_of_cores_changes_no_bit(problem):
    # So many rows that BLAS, left alone, would sum in as many parts as there are cores.
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(20_000, 30)))
    frame = frame.add_prefix("f").assign(y=np.where(frame[0] + frame[1] > 0, "M", "B"))
    config = problem("")

    def coefficients(cores):
        with threadpool_limits(cores):
            return fit_pipeline(frame, config)["model"].coef_

    np.testing.assert_array_equal(coefficients(1), coefficients(2))


def test_the_scaler_has_seen_the_training_rows_and_no_other(wdbc):
    config, frame = wdbc
    train = split(frame, config)["train"]

    columns = fit_pipeline(train, config)["columns"]
    scaler = columns.named_transformers_["numeric"]["scale"]

    np.testing.assert_allclose(scaler.mean_, train[frame.columns[2:]].mean(), rtol=1e-12)
    assert scaler.n_samples_seen_ == len(train)


def test_parameters_of_the_configuration_reach_the_estimator(small, rows):
    logistic = build_pipeline(with_model(small, "logistic_regression", C=0.5), rows)
    calibrated = build_pipeline(with_model(small, "svc", C=3), rows)

    assert logistic["model"].C == 0.5
    assert calibrated["model"].estimator["model"].C == 3


def test_the_seed_of_the_split_seeds_the_model(small, rows):
    config = small.with_params(random_state=7, model="random_forest")

    assert build_pipeline(config, rows)["model"].random_state == 7


def test_an_unknown_parameter_is_answered_with_those_that_the_model_has(small, rows):
    with pytest.raises(ConfigError) as caught:
        build_pipeline(with_model(small, "svc", gama=1), rows)

    assert "small.yaml: parameters of svc: Got 'gama'. Must be one of C, " in str(caught.value)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("logistic_regression", {"C": -1}),
        ("svc", {"C": "many"}),
        ("random_forest", {"max_depth": 0}),
        ("hist_gradient_boosting", {"learning_rate": None}),
        ("k_nearest_neighbors", {"weights": "heavy"}),
    ],
)
def test_a_value_that_the_model_refuses_is_named_without_any_data(small, rows, name, parameters):
    config = with_model(small, name, **parameters)

    for attempt in (lambda: check_parameters(config), lambda: fit_pipeline(rows, config)):
        with pytest.raises(ConfigError) as caught:
            attempt()
        message = str(caught.value)
        assert f"small.yaml: parameters of {name}: " in message
        assert next(iter(parameters)) in message
        assert "\n" not in message


@pytest.mark.parametrize("name", MODELS)
def test_the_default_parameters_pass_their_check(small, name):
    check_parameters(small.with_params(model=name))

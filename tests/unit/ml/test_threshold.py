"""A threshold is chosen for a stated aim, on rows that the model has not seen."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from ml_pipeline.ml.threshold import AimedThresholdClassifier, aimed_threshold

Y_TRUE = np.array([0, 0, 1, 0, 0, 1, 1, 0, 1, 1], dtype=bool)
Y_SCORE = np.arange(10) / 10 + 0.05


def test_without_a_floor_the_metric_alone_decides():
    assert aimed_threshold(Y_TRUE, Y_SCORE, "recall", {}) < Y_SCORE[2]
    assert aimed_threshold(Y_TRUE, Y_SCORE, "specificity", {}) > Y_SCORE[7]


@pytest.mark.parametrize(
    ("floor", "expected"), [(0.2, (0.05, 0.25)), (0.8, (0.45, 0.55)), (1.0, (0.75, 0.85))]
)
def test_recall_is_as_high_as_the_floor_of_specificity_lets_it_be(floor, expected):
    threshold = aimed_threshold(Y_TRUE, Y_SCORE, "recall", {"specificity": floor})

    assert expected[0] < threshold < expected[1]


def test_where_floors_contradict_each_other_the_smallest_miss_is_taken():
    floors = {"specificity": 1.0, "recall": 1.0}

    threshold = aimed_threshold(Y_TRUE, Y_SCORE, "accuracy", floors)

    decided = threshold <= Y_SCORE
    missed = 2 - decided[Y_TRUE].mean() - (~decided[~Y_TRUE]).mean()
    assert missed == pytest.approx(0.4)


@pytest.fixture
def sample():
    generator = np.random.default_rng(0)
    y = np.where(np.arange(400) % 3 == 0, "M", "B")
    return (y == "M")[:, None] * 1.5 + generator.normal(size=(400, 2)), y


def aimed(**parameters):
    given = {"maximize": "recall", "at_least": {"specificity": 0.95}, "random_state": 0}
    return AimedThresholdClassifier(LogisticRegression(), positive="M", **given | parameters)


def test_the_prediction_follows_the_threshold_and_the_probability_stays(sample):
    features, y = sample

    model = aimed().fit(features, y)

    probability = model.predict_proba(features)[:, 1]
    np.testing.assert_array_equal(model.predict(features) == "M", probability >= model.threshold_)
    plain = LogisticRegression().fit(features, y).predict_proba(features)[:, 1]
    np.testing.assert_array_equal(probability, plain)
    assert (model.predict(features)[y == "B"] == "B").mean() >= 0.93


def test_a_clone_is_fitted_to_the_same_threshold_to_the_last_bit(sample):
    features, y = sample
    model = aimed().fit(features, y)

    assert clone(model).fit(features, y).threshold_ == model.threshold_


def test_another_aim_gives_another_threshold(sample):
    one, other = aimed().fit(*sample), aimed(at_least={"specificity": 0.5}).fit(*sample)

    assert one.threshold_ > other.threshold_

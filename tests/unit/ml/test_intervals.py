"""Intervals against published figures, reference formulas and simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from ml_pipeline.ml import intervals as module
from ml_pipeline.ml.intervals import corrected_t, wilson
from ml_pipeline.ml.metrics import score


@pytest.mark.parametrize(
    ("successes", "trials", "expected"),
    [
        # Newcombe (1998), Statistics in Medicine 17, table I, method 3
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
        # the formula by hand
        (557, 569, (0.9635, 0.9879)),
    ],
)
def test_wilson_gives_the_published_limits(successes, trials, expected):
    assert wilson(successes, trials) == pytest.approx(expected, abs=6e-5)


@settings(deadline=None)
@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_contains_the_proportion_and_stays_within_bounds(counts):
    successes, trials = counts

    low, high = wilson(successes, trials)

    assert 0 <= low <= successes / trials + 1e-12
    assert successes / trials - 1e-12 <= high <= 1


def test_wilson_of_nothing_says_nothing():
    assert wilson(0, 0) == (0, 1)


def rows(n=200, seed=0):
    generator = np.random.default_rng(seed)
    y_true = np.arange(n) % 3 == 0
    y_score = 1 / (1 + np.exp(-(y_true * 2 - 1 + generator.normal(size=n))))
    return y_true, y_score >= 0.5, y_score


def bootstrap(y_true, y_pred, y_score, seed):
    return module.bootstrap(y_true, lambda weights: score(y_true, y_pred, y_score, weights), seed)


def test_the_bootstrap_is_the_same_for_the_same_seed_and_another_for_another():
    assert bootstrap(*rows(), 1) == bootstrap(*rows(), 1)
    assert bootstrap(*rows(), 1) != bootstrap(*rows(), 2)


def test_the_bootstrap_agrees_with_resampling_rows_one_by_one():
    y_true, y_pred, y_score = rows()
    generator = np.random.default_rng(5)
    classes = [np.flatnonzero(y_true), np.flatnonzero(~y_true)]
    values = []
    for _ in range(1000):
        drawn = np.concatenate([generator.choice(one, len(one)) for one in classes])
        values.append(roc_auc_score(y_true[drawn], y_score[drawn]))

    interval = bootstrap(y_true, y_pred, y_score, 1)["roc_auc"]

    assert interval == pytest.approx(np.quantile(values, [0.025, 0.975]), abs=0.008)


def test_each_class_keeps_its_size_so_that_accuracy_lies_between_recall_and_specificity():
    y_true, _, y_score = rows()
    everything_positive = np.ones_like(y_true)

    intervals = bootstrap(y_true, everything_positive, y_score, 1)

    # Only the class sizes decide here; an unstratified draw would spread them.
    assert intervals["accuracy"] == pytest.approx((y_true.mean(), y_true.mean()))


def test_many_rows_are_resampled_in_blocks_of_bounded_memory(monkeypatch):
    monkeypatch.setattr(module, "LARGEST_BLOCK", 10 * 200)
    in_blocks = bootstrap(*rows(), 1)["roc_auc"]
    monkeypatch.undo()

    assert in_blocks == pytest.approx(bootstrap(*rows(), 1)["roc_auc"], abs=0.006)


def test_so_many_rows_are_resampled_less_often(monkeypatch):
    def drawn(n_rows):
        seen = []

        def compute(weights):
            seen.append(len(weights))
            return {"accuracy": weights.mean(axis=1)}

        module.bootstrap(np.arange(n_rows) % 2, compute, 1)
        return sum(seen)

    monkeypatch.setattr(module, "MANY_ROWS", 300)

    assert (drawn(299), drawn(300)) == (2000, 200)


def test_the_corrected_interval_follows_nadeau_and_bengio():
    scores = np.array([0.90, 0.92, 0.94, 0.96, 0.98])
    error = math.sqrt((1 / 5 + 20 / 80) * np.var(scores, ddof=1))
    expected = stats.t.interval(0.95, df=4, loc=scores.mean(), scale=error)

    assert corrected_t(scores, n_train=80, n_test=20, bounds=(0, 2)) == pytest.approx(expected)


def test_the_corrected_interval_is_cut_to_what_the_metric_can_be():
    scores = np.array([0.7, 1.0, 1.0])

    low, high = corrected_t(scores, n_train=80, n_test=20)

    assert (low > 0, high) == (True, 1)


def test_more_repeats_do_not_shrink_the_corrected_interval_to_nothing():
    generator = np.random.default_rng(0)
    many = generator.normal(0.9, 0.02, 100_000)

    low, high = corrected_t(many, n_train=90, n_test=10)

    assert high - low == pytest.approx(2 * 1.96 * 0.02 * math.sqrt(1 / 9), rel=0.01)

"""The corrected resampled t-test against its formula, and each way that the rule can end."""

import math

import numpy as np
import pytest
from scipy import stats

from ml_pipeline.ml.comparison import (
    Evidence,
    PairedTest,
    Rule,
    as_document,
    corrected_resampled_t,
    decide,
    no_skill,
)
from ml_pipeline.ml.metrics import oriented

RULE = Rule("roc_auc", margin=0.01, alpha=0.05, no_skill=0.5)
GOOD = Evidence(0.90, 0.88, 0.92, "a")
NO_HARM = PairedTest(0.0, -0.002, 0.001, 100)


def test_p_value_is_that_of_nadeau_and_bengio():
    differences = np.random.default_rng(0).normal(0.0, 0.02, 100)

    test = corrected_resampled_t(differences, 0.1, margin=0.01, alpha=0.05)

    error = math.sqrt((1 / 100 + 0.1 / 0.9) * differences.var(ddof=1))
    expected = 1 - stats.t.cdf((differences.mean() + 0.01) / error, 99)
    assert test.p_value == pytest.approx(expected)
    assert test.mean == pytest.approx(differences.mean())


def test_correction_makes_the_test_more_careful_than_a_plain_t_test():
    differences = np.random.default_rng(1).normal(0.0, 0.02, 100)

    test = corrected_resampled_t(differences, 0.1, margin=0.01, alpha=0.05)

    plain = stats.ttest_1samp(differences, -0.01, alternative="greater").pvalue
    assert test.p_value > 10 * plain


@pytest.mark.parametrize("margin", [0.001, 0.01, 0.05])
def test_harm_is_excluded_exactly_when_the_lower_end_lies_above_the_margin(margin):
    differences = np.random.default_rng(2).normal(0.0, 0.02, 30)

    test = corrected_resampled_t(differences, 0.1, margin, alpha=0.05)

    assert (test.p_value < 0.05) == (test.low > -margin)


def test_equal_folds_show_no_difference_and_no_harm():
    assert corrected_resampled_t([0.0] * 10, 0.1, 0.01, 0.05) == PairedTest(0.0, 0.0, 0.0, 10)


def test_constant_harm_is_not_excluded():
    assert corrected_resampled_t([-0.02] * 10, 0.1, 0.01, 0.05).p_value == 1


def test_one_fold_excludes_nothing_and_is_still_json():
    test = corrected_resampled_t([0.1], 0.1, 0.01, 0.05)

    assert test.p_value == 1
    assert as_document(test)["low"] is None


def test_first_model_with_skill_becomes_champion():
    assert decide(GOOD, None, None, RULE).verdict == "champion"


def test_model_that_may_be_guessing_is_refused():
    shuffled = Evidence(0.51, 0.45, 0.57, "a")

    decision = decide(shuffled, None, None, RULE)

    assert decision.verdict == "refused"
    assert "0.5100 [0.4500, 0.5700]" in decision.reason


def test_model_far_below_the_champion_is_refused_though_the_folds_show_no_difference():
    """Both recipes do equally badly on spoiled labels: the paired test alone cannot see it."""
    spoiled = Evidence(0.70, 0.65, 0.75, "b")

    assert decide(spoiled, GOOD, NO_HARM, RULE).verdict == "refused"


def test_equal_model_on_the_same_data_is_challenger_with_the_figures():
    decision = decide(GOOD, GOOD, NO_HARM, RULE)

    assert decision.verdict == "challenger"
    assert "p = 0.001 over 100 folds" in decision.reason


def test_equal_model_on_other_data_takes_over():
    newer = Evidence(0.90, 0.88, 0.92, "b")

    assert decide(newer, GOOD, NO_HARM, RULE).verdict == "champion"


def test_better_model_takes_over():
    better = PairedTest(0.003, -0.001, 0.0001, 100)

    assert decide(GOOD, GOOD, better, RULE).verdict == "champion"


def test_better_model_whose_harm_is_possible_is_challenger():
    noisy = PairedTest(0.003, -0.02, 0.2, 100)

    assert decide(GOOD, GOOD, noisy, RULE).verdict == "challenger"


def test_model_that_could_not_be_compared_is_challenger():
    assert decide(GOOD, GOOD, None, RULE).verdict == "challenger"


def test_less_is_better_for_the_brier_score():
    rule = Rule("brier_score", 0.01, 0.05, no_skill=0.24)

    assert oriented("brier_score", 0.1) > oriented("brier_score", 0.2)
    assert decide(Evidence(0.2, 0.15, 0.25, "a"), None, None, rule).verdict == "refused"
    assert decide(Evidence(0.02, 0.01, 0.03, "a"), None, None, rule).verdict == "champion"
    worse = Evidence(0.05, 0.04, 0.06, "a")
    assert decide(worse, Evidence(0.02, 0.01, 0.03, "a"), NO_HARM, rule).verdict == "refused"


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("accuracy", 0.75),
        ("balanced_accuracy", 0.5),
        ("roc_auc", 0.5),
        ("average_precision", 0.25),
        ("matthews_corrcoef", 0.0),
        ("f1", 0.4),
        ("brier_score", 0.1875),
        ("recall", None),
    ],
)
def test_no_skill_is_what_a_dummy_reaches(metric, value):
    assert no_skill(metric, {"yes": 25, "no": 75}, "yes") == (
        value if value is None else pytest.approx(value)
    )

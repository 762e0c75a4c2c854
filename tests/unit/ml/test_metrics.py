"""Every metric equals scikit-learn's, under any weighting, with ties and without."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn import metrics as sk

from ml_pipeline.ml.metrics import METRICS, decision_curve, score, score_classes

REFERENCES = {
    "accuracy": lambda t, p, s, w: sk.accuracy_score(t, p, sample_weight=w),
    "balanced_accuracy": lambda t, p, s, w: sk.balanced_accuracy_score(t, p, sample_weight=w),
    "precision": lambda t, p, s, w: sk.precision_score(t, p, sample_weight=w, zero_division=0),
    "recall": lambda t, p, s, w: sk.recall_score(t, p, sample_weight=w),
    "specificity": lambda t, p, s, w: sk.recall_score(t, p, sample_weight=w, pos_label=0),
    "f1": lambda t, p, s, w: sk.f1_score(t, p, sample_weight=w),
    "matthews_corrcoef": lambda t, p, s, w: sk.matthews_corrcoef(t, p, sample_weight=w),
    "roc_auc": lambda t, p, s, w: sk.roc_auc_score(t, s, sample_weight=w),
    "average_precision": lambda t, p, s, w: sk.average_precision_score(t, s, sample_weight=w),
    "brier_score": lambda t, p, s, w: sk.brier_score_loss(t, s, sample_weight=w),
    "expected_calibration_error": lambda t, p, s, w: calibration_error(t, s, w),
    "recall_at_specificity_95": lambda t, p, s, w: recall_at(t, s, w, 0.95),
    "recall_at_specificity_98": lambda t, p, s, w: recall_at(t, s, w, 0.98),
}


def calibration_error(y_true, y_score, weights):
    """Return the mean over the rows of what their bin is off: bins of a tenth."""
    bins = np.minimum(np.floor(y_score * 10), 9)
    off = [
        weights[bins == one].sum()
        * abs(
            np.average(y_score[bins == one], weights=weights[bins == one])
            - np.average(y_true[bins == one], weights=weights[bins == one])
        )
        for one in set(bins)
        if weights[bins == one].sum()
    ]
    return sum(off) / weights.sum()


def recall_at(y_true, y_score, weights, specificity):
    false, true, _ = sk.roc_curve(y_true, y_score, sample_weight=weights, drop_intermediate=False)
    return true[false <= 1 - specificity + 1e-9].max()


@st.composite
def judged_rows(draw):
    n = draw(st.integers(2, 30))
    y_true = draw(arrays.arrays(bool, n))
    y_true[:2] = [True, False]
    # Tenths give ties.
    y_score = draw(arrays.arrays(float, n, elements=st.integers(0, 10).map(lambda x: x / 10)))
    weights = draw(arrays.arrays(float, (3, n), elements=st.integers(0, 3).map(float)))
    weights[:, :2] = np.maximum(weights[:, :2], 1)
    return y_true, y_score >= draw(st.sampled_from([0.0, 0.3, 0.5, 1.1])), y_score, weights


@settings(max_examples=60, deadline=None)
@given(judged_rows())
def test_each_metric_equals_scikit_learns_under_each_weighting(rows):
    y_true, y_pred, y_score, weights = rows

    computed = score(y_true, y_pred, y_score, weights)

    assert tuple(sorted(computed)) == tuple(sorted(METRICS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for metric, reference in REFERENCES.items():
            expected = [reference(y_true, y_pred, y_score, w) for w in weights]
            np.testing.assert_allclose(computed[metric], expected, atol=1e-12, err_msg=metric)


def test_without_weights_each_row_counts_once():
    y_true = np.array([True, True, False, False])
    y_pred = np.array([True, False, False, True])
    y_score = np.array([0.9, 0.4, 0.2, 0.6])

    computed = score(y_true, y_pred, y_score)

    assert computed["accuracy"] == [0.5]
    assert computed["roc_auc"] == [0.75]


@pytest.mark.parametrize("metric", ["precision", "f1", "matthews_corrcoef"])
def test_without_a_predicted_positive_the_quotient_is_zero_not_nan(metric):
    y_true = np.array([True, False])

    computed = score(y_true, np.array([False, False]), np.array([0.2, 0.1]))

    assert computed[metric] == [0]


@st.composite
def judged_rows_of_three_classes(draw):
    n = draw(st.integers(6, 30))
    y_true = draw(arrays.arrays(int, n, elements=st.integers(0, 2)))
    y_true[:6] = [0, 1, 2, 0, 1, 2]
    raw = draw(arrays.arrays(float, (n, 3), elements=st.integers(1, 9).map(float)))
    weights = draw(arrays.arrays(float, (2, n), elements=st.integers(0, 3).map(float)))
    weights[:, :6] = np.maximum(weights[:, :6], 1)
    probability = raw / raw.sum(axis=1, keepdims=True)
    return y_true, probability.argmax(axis=1), probability, weights


MACRO = {"average": "macro", "zero_division": 0}
OF_CLASSES = {
    "accuracy": lambda t, p, s, w: sk.accuracy_score(t, p, sample_weight=w),
    "balanced_accuracy": lambda t, p, s, w: sk.balanced_accuracy_score(t, p, sample_weight=w),
    "precision": lambda t, p, s, w: sk.precision_score(t, p, sample_weight=w, **MACRO),
    "recall": lambda t, p, s, w: sk.recall_score(t, p, sample_weight=w, **MACRO),
    "f1": lambda t, p, s, w: sk.f1_score(t, p, sample_weight=w, **MACRO),
    "matthews_corrcoef": lambda t, p, s, w: sk.matthews_corrcoef(t, p, sample_weight=w),
    "roc_auc": lambda t, p, s, w: np.mean(
        [sk.roc_auc_score(t == k, s[:, k], sample_weight=w) for k in range(3)]
    ),
    "average_precision": lambda t, p, s, w: np.mean(
        [sk.average_precision_score(t == k, s[:, k], sample_weight=w) for k in range(3)]
    ),
    "brier_score": lambda t, p, s, w: sk.brier_score_loss(t, s, sample_weight=w, labels=[0, 1, 2]),
    "expected_calibration_error": lambda t, p, s, w: calibration_error(t == p, s.max(axis=1), w),
}


@settings(max_examples=60, deadline=None)
@given(judged_rows_of_three_classes())
def test_each_metric_of_three_classes_equals_scikit_learns_under_each_weighting(rows):
    y_true, y_pred, probability, weights = rows

    computed = score_classes(y_true, y_pred, probability, weights)

    assert tuple(computed) == METRICS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for metric, reference in OF_CLASSES.items():
            expected = [reference(y_true, y_pred, probability, w) for w in weights]
            np.testing.assert_allclose(computed[metric], expected, atol=1e-9, err_msg=metric)


def test_the_area_under_the_curve_of_three_classes_is_scikit_learns_macro_one_versus_rest():
    generator = np.random.default_rng(0)
    y_true, probability = generator.integers(3, size=90), generator.dirichlet([1, 1, 1], size=90)

    computed = score_classes(y_true, probability.argmax(axis=1), probability)

    expected = sk.roc_auc_score(y_true, probability, multi_class="ovr", average="macro")
    assert computed["roc_auc"] == pytest.approx(expected, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(judged_rows())
def test_the_curve_gives_at_each_threshold_what_deciding_there_gives(rows):
    y_true, _, y_score, _ = rows

    thresholds, values = decision_curve(y_true, y_score)

    assert len(thresholds) == len(set(y_score)) + 1
    for place, threshold in enumerate(thresholds):
        decided = score(y_true, y_score >= threshold, y_score)
        for metric, each in values.items():
            assert each[place] == pytest.approx(decided[metric][0], abs=1e-12)

"""Every metric equals scikit-learn's, under any weighting, with ties and without."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn import metrics as sk

from ml_pipeline.ml.metrics import METRICS, score

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
}


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

"""The curves equal scikit-learn's, and a band holds the folds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import precision_score, recall_score, roc_auc_score, roc_curve

from ml_pipeline.reporting import curves
from ml_pipeline.reporting.curves import GRID, Scored


@pytest.fixture
def rows():
    generator = np.random.default_rng(0)
    y_true = generator.random(200) < 0.4
    return Scored(y_true, np.clip(0.3 * y_true + 0.7 * generator.random(200), 0, 1))


@pytest.fixture
def out_of_fold(rows):
    table = pd.DataFrame({"y_true": np.where(rows.y_true, "M", "B"), "score": rows.score})
    return table.assign(repeat=0, fold=np.arange(200) % 4)


def test_area_below_the_roc_curve_is_scikit_learns(rows):
    assert np.trapezoid(curves.roc(rows), GRID) == pytest.approx(roc_auc_score(*rows), abs=0.005)


def test_roc_takes_the_highest_recall_where_the_curve_is_vertical(rows):
    false_positives, true_positives, _ = roc_curve(*rows)

    assert curves.roc(rows)[0] == true_positives[false_positives == 0].max()


def test_precision_at_a_recall_is_that_of_a_threshold_which_reaches_it(rows):
    precision = curves.precision_recall(rows)

    for recall in (0.25, 0.5, 1.0):
        reached = [
            precision_score(rows.y_true, rows.score >= threshold)
            for threshold in rows.score
            if recall_score(rows.y_true, rows.score >= threshold) >= recall
        ]
        assert precision[np.searchsorted(GRID, recall)] in reached


@pytest.mark.parametrize("threshold", [0.25, 0.5, 0.75])
def test_figures_by_threshold_are_scikit_learns(rows, threshold):
    place, y_pred = np.searchsorted(GRID, threshold), rows.score >= threshold

    assert curves.recall_by_threshold(rows)[place] == pytest.approx(
        recall_score(rows.y_true, y_pred)
    )
    assert curves.specificity_by_threshold(rows)[place] == pytest.approx(
        recall_score(~rows.y_true, ~y_pred)
    )
    assert curves.precision_by_threshold(rows)[place] == pytest.approx(
        precision_score(rows.y_true, y_pred)
    )


def test_precision_is_undefined_where_nothing_is_predicted():
    rows = Scored(np.array([True, False]), np.array([0.4, 0.2]))

    precision = curves.precision_by_threshold(rows)

    assert np.isnan(precision[-1])
    assert precision[0] == 0.5


def test_a_band_holds_the_mean_and_nine_in_ten_of_the_folds(out_of_fold):
    folds = curves.folds_of(out_of_fold, "M")

    band = curves.band(folds, curves.roc)

    assert len(folds) == 4
    assert (band.low <= band.mean + 1e-9).all()
    assert (band.mean <= band.high + 1e-9).all()


def test_a_fold_without_one_of_the_classes_is_left_out(out_of_fold):
    out_of_fold.loc[out_of_fold["fold"] == 2, "y_true"] = "B"

    assert len(curves.folds_of(out_of_fold, "M")) == 3


def test_each_of_several_classes_has_its_own_score():
    table = pd.DataFrame({"y_true": ["a", "b"], "score": [0.9, 0.8], "score_a": [0.9, 0.2]})

    assert curves.scored(table, "a").score.tolist() == [0.9, 0.2]


def test_reliability_compares_promise_and_outcome_with_an_interval():
    rows = Scored(np.arange(100) < 30, np.full(100, 0.25))

    table = curves.reliability(rows)

    assert table.loc[0, ["promised", "observed", "rows"]].tolist() == [0.25, 0.3, 100]
    assert 0.21 < table.loc[0, "low"] < 0.3 < table.loc[0, "high"] < 0.4


def test_reliability_counts_a_row_once_however_often_the_folds_repeat():
    rows = Scored(np.arange(100) < 30, np.full(100, 0.25))
    thrice = Scored(np.tile(rows.y_true, 3), np.tile(rows.score, 3))

    pd.testing.assert_frame_equal(curves.reliability(thrice, repeats=3), curves.reliability(rows))

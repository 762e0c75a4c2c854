"""More than two classes, groups of rows, class weights and calibration: from rows to figures."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine
from sklearn.metrics import confusion_matrix as reference_confusion
from sklearn.metrics import roc_auc_score

from ml_pipeline.ml import evaluation
from ml_pipeline.ml.metrics import METRICS
from ml_pipeline.ml.selection import choose, try_candidate
from ml_pipeline.ml.training import build_pipeline, fit_pipeline

TREE = {
    "data": {"path": "wine.csv"},
    "target": {"column": "y"},
    "candidates": ["logistic_regression"],
    "selection": {"protocol": "quick"},
}


@pytest.fixture
def wine(small):
    """Return a problem with three classes and its rows."""
    frame = load_wine(as_frame=True).frame
    frame["y"] = "class " + frame.pop("target").astype(str)
    return small.validated(TREE, small.source), frame


def changed(config, **sections):
    return config.validated(config.model_dump() | sections, config.source)


def test_three_classes_get_a_score_each_and_the_figures_of_scikit_learn(wine):
    config, frame = wine
    model = fit_pipeline(frame, config, config.candidates[0])

    table = evaluation.predict(model, frame, config)
    figures = evaluation.holdout(table, config)

    each = ["score_class 0", "score_class 1", "score_class 2"]
    assert list(table.columns) == ["row_id", "y_true", "y_pred", "score", *each]
    np.testing.assert_array_equal(table["score"], table[each].max(axis=1))
    expected = roc_auc_score(table["y_true"], table[each], multi_class="ovr", average="macro")
    assert figures["roc_auc"]["value"] == pytest.approx(expected)
    assert tuple(figures) == METRICS
    for one in figures.values():
        assert one["low"] <= one["value"] + 1e-12
        assert one["value"] <= one["high"] + 1e-12


def test_three_classes_can_be_chosen_between_and_keep_their_scores(wine):
    config, frame = wine

    choice = choose([try_candidate(frame, config, "logistic_regression")], config)

    assert choice["cross_validation"]["accuracy"]["mean"] > 0.95
    columns = ["repeat", "fold", "row", "y_true"]
    assert list(choice["out_of_fold"].columns)[:4] == columns
    assert "score_class 2" in choice["out_of_fold"]


def test_the_confusion_matrix_is_scikit_learns(wine):
    config, frame = wine
    model = fit_pipeline(frame.iloc[::3], config, config.candidates[0])
    table = evaluation.predict(model, frame, config)

    matrix = evaluation.confusion_matrix(table)

    expected = reference_confusion(table["y_true"], table["y_pred"], labels=matrix["labels"])
    assert matrix["counts"] == expected.tolist()


def test_each_group_gets_its_own_figures_and_one_without_both_classes_none(small):
    table = pd.DataFrame(
        {"y_true": ["M", "B"] * 20, "y_pred": ["M", "B"] * 15 + ["B", "M"] * 5, "score": 0.5}
    )
    groups = pd.Series(["young"] * 20 + ["old"] * 12 + ["few"] * 8)
    table.loc[20:31, "y_true"] = "B"

    figures = evaluation.by_group(table, groups, small)

    assert list(figures) == ["young"]
    assert figures["young"]["accuracy"]["value"] == 1.0
    assert figures["young"]["accuracy"]["low"] < 1.0


def test_balanced_weights_raise_the_recall_of_a_rare_class(small, rows):
    rare = pd.concat([rows[rows["y"] == "B"], rows[rows["y"] == "M"].head(6)])
    plain = changed(small, candidates=["logistic_regression"])
    weighted = changed(plain, selection={"class_weight": "balanced"})

    def found(config):
        model = fit_pipeline(rare, config, config.candidates[0])
        return (evaluation.verdicts(model, rare, config)["y_pred"] == "M").sum()

    assert found(weighted) > found(plain)


def test_calibration_wraps_preprocessing_so_that_no_fold_sees_another(small, rows):
    config = changed(small, selection={"calibration": "isotonic"})

    model = build_pipeline(config.candidate("logistic_regression"), config, rows)["model"]

    assert (model.method, model.ensemble, model.cv) == ("isotonic", False, 5)
    assert [name for name, _ in model.estimator.steps] == ["columns", "model"]

"""Hold-out and cross-validation give scikit-learn's numbers, honestly."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, matthews_corrcoef, roc_auc_score
from sklearn.model_selection import RepeatedStratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ml_pipeline.ml import training
from ml_pipeline.ml.evaluation import holdout, predict
from ml_pipeline.ml.metrics import METRICS
from ml_pipeline.ml.preprocessing import split
from ml_pipeline.ml.selection import cross_validate as our_cross_validate
from ml_pipeline.ml.selection import summarize


def fit_pipeline(frame, config):
    return training.fit_pipeline(frame, config, config.candidate("logistic_regression"))


def cross_validation(frame, config):
    model = training.build_pipeline(config.candidate("logistic_regression"), config, frame)
    return summarize(our_cross_validate(model, frame, config).scores, len(frame), config)


@pytest.fixture(scope="module")
def folded(wdbc):
    config, frame = wdbc
    return cross_validation(frame, with_protocol(config, 10, 10))


@pytest.fixture(scope="module")
def predictions(wdbc):
    config, frame = wdbc
    parts = split(frame, config)
    return predict(fit_pipeline(parts["train"], config), parts["test"], config)


def test_breast_cancer_reaches_its_published_level_in_10x10_cross_validation(folded):
    assert folded["accuracy"]["mean"] >= 0.975
    assert folded["roc_auc"]["mean"] >= 0.994
    assert folded["recall_at_specificity_95"]["mean"] >= 0.97
    assert folded["brier_score"]["mean"] <= 0.020


def with_protocol(config, folds, repeats):
    protocol = {"selection": {"folds": folds, "repeats": repeats}}
    return config.validated(config.model_dump() | protocol, config.source)


def test_cross_validation_equals_scikit_learns_on_the_same_folds(wdbc):
    config, frame = wdbc
    folded = cross_validation(frame, with_protocol(config, 5, 3))
    reference = cross_validate(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        frame[frame.columns[2:]],
        frame["diagnosis"] == "M",
        scoring=["accuracy", "recall", "roc_auc"],
        cv=RepeatedStratifiedKFold(n_splits=5, n_repeats=3, random_state=42),
    )

    for metric in ("accuracy", "recall", "roc_auc"):
        scores = reference[f"test_{metric}"]
        assert folded[metric]["mean"] == pytest.approx(scores.mean(), abs=1e-12)
        assert folded[metric]["sd"] == pytest.approx(scores.std(ddof=1), abs=1e-12)


def test_every_metric_has_its_mean_within_its_interval(folded):
    for metric in METRICS:
        assert folded[metric]["low"] <= folded[metric]["mean"] <= folded[metric]["high"]


def test_shuffled_labels_score_no_better_than_chance(wdbc):
    config, frame = wdbc
    shuffled = np.random.default_rng(0).permutation(frame["diagnosis"])

    figures = cross_validation(frame.assign(diagnosis=shuffled), with_protocol(config, 10, 2))

    assert 0.4 < figures["roc_auc"]["mean"] < 0.6


def test_each_held_out_row_gets_one_verdict_with_its_id(wdbc, predictions):
    config, frame = wdbc
    test = split(frame, config)["test"]

    assert list(predictions.columns) == ["row_id", "y_true", "y_pred", "score"]
    assert predictions["row_id"].tolist() == test["id"].tolist()
    assert predictions["y_true"].tolist() == test["diagnosis"].tolist()
    assert set(predictions["y_pred"]) == {"M", "B"}
    assert predictions["score"].between(0, 1).all()


def test_the_score_is_the_probability_of_the_positive_class(wdbc, predictions):
    assert (predictions["score"][predictions["y_pred"] == "M"] >= 0.5).all()
    assert (predictions["score"][predictions["y_pred"] == "B"] <= 0.5).all()


def test_with_the_other_class_positive_the_scores_turn_round(wdbc, predictions):
    config, frame = wdbc
    other = config.validated(
        config.model_dump() | {"target": {"column": "diagnosis", "positive": "B"}}, config.source
    )
    parts = split(frame, other)

    turned = predict(fit_pipeline(parts["train"], other), parts["test"], other)

    np.testing.assert_allclose(turned["score"], 1 - predictions["score"], atol=1e-12)
    one, two = holdout(predictions, config), holdout(turned, other)
    assert two["recall"]["value"] == pytest.approx(one["specificity"]["value"])


@pytest.mark.parametrize(
    ("ids", "expected"),
    [([], ["7", "9"]), (["id"], ["p07", "p09"]), (["id", "y"], ["p07/B", "p09/M"])],
)
def test_a_row_is_named_by_its_ids_or_by_its_place_in_the_file(problem, rows, ids, expected):
    config = problem("", {"ids": ids, "exclude": []}, target={"column": "z", "positive": "1"})
    frame = rows.drop(columns=[name for name in ("id", "y") if name not in ids])
    frame["z"] = np.where(rows["y"] == "M", "1", "0")

    verdicts = predict(fit_pipeline(frame, config), frame.loc[[7, 9]], config)

    assert verdicts["row_id"].tolist() == expected


def test_the_holdout_values_are_scikit_learns(wdbc, predictions):
    config, _ = wdbc
    y_true, y_pred = predictions["y_true"] == "M", predictions["y_pred"] == "M"

    figures = holdout(predictions, config)

    assert tuple(figures) == METRICS
    assert figures["accuracy"]["value"] == accuracy_score(y_true, y_pred)
    assert figures["roc_auc"]["value"] == pytest.approx(roc_auc_score(y_true, predictions["score"]))
    assert figures["matthews_corrcoef"]["value"] == pytest.approx(matthews_corrcoef(y_true, y_pred))


def test_every_holdout_metric_lies_within_its_interval(wdbc, predictions):
    config, _ = wdbc

    for figures in holdout(predictions, config).values():
        assert figures["low"] <= figures["value"] <= figures["high"]


def test_proportions_get_wilsons_interval_which_stays_open_at_the_edge(wdbc):
    config, _ = wdbc
    perfect = pd.DataFrame(
        {"y_true": ["M"] * 20 + ["B"] * 30, "y_pred": ["M"] * 20 + ["B"] * 30}
    ).assign(score=[0.9] * 20 + [0.1] * 30)

    figures = holdout(perfect, config)

    assert figures["recall"] == {"value": 1, "low": pytest.approx(0.8389, abs=1e-4), "high": 1}
    assert figures["specificity"]["low"] == pytest.approx(0.8865, abs=1e-4)
    assert figures["accuracy"]["low"] == pytest.approx(0.9287, abs=1e-4)


def test_a_model_that_never_says_positive_gives_numbers_not_nan(wdbc):
    config, _ = wdbc
    timid = pd.DataFrame({"y_true": ["M", "B"] * 10, "y_pred": "B", "score": 0.1})

    figures = holdout(timid, config)

    assert figures["precision"] == {"value": 0, "low": 0, "high": 1}
    assert all(np.isfinite(list(one.values())).all() for one in figures.values())

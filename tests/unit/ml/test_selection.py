"""Candidates share their folds; the simplest that is as good as the best is chosen."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import RepeatedStratifiedKFold

from ml_pipeline.ml.intervals import corrected_error
from ml_pipeline.ml.metrics import METRICS
from ml_pipeline.ml.selection import choose, cross_validate, folds, try_candidate
from ml_pipeline.ml.training import build_model, capped, fit_pipeline

THREE = {"candidates": ["random_forest", "svc", "logistic_regression"]}


def changed(config, **sections):
    return config.validated(config.model_dump() | sections, config.source)


def outcome(name, scores, **more):
    return {
        "name": name,
        "estimator": name,
        "parameters": {},
        "scores": {metric: list(scores) for metric in METRICS},
        "inner": [],
        "out_of_fold": name,
        "available_rows": 100,
        "rows": 100,
        "seconds": 1.0,
    } | more


@pytest.fixture
def three(small):
    """Return a problem with three candidates on ten folds."""
    return changed(small, **THREE, selection={"protocol": "quick", "folds": 10})


SPREAD = np.tile([-0.02, 0.02], 5)
ERROR = corrected_error(0.9 + SPREAD, 90, 10)


@pytest.mark.parametrize(
    ("logistic", "svc", "forest", "expected"),
    [
        (0.90, 0.90 - 3 * ERROR, 0.90 - 3 * ERROR, "logistic_regression"),
        (0.90 - 0.9 * ERROR, 0.90, 0.90, "logistic_regression"),
        (0.90 - 1.1 * ERROR, 0.90 - 0.9 * ERROR, 0.90, "svc"),
        (0.90 - 1.1 * ERROR, 0.90 - 1.1 * ERROR, 0.90, "random_forest"),
    ],
)
def test_the_simplest_within_one_standard_error_of_the_best_is_chosen(
    three, logistic, svc, forest, expected
):
    means = {"random_forest": forest, "svc": svc, "logistic_regression": logistic}
    outcomes = [outcome(name, mean + SPREAD) for name, mean in means.items()]

    choice = choose(outcomes, three)

    assert choice["chosen"] == choice["out_of_fold"] == expected
    assert [one["chosen"] for one in choice["candidates"]] == [name == expected for name in means]
    assert choice["cross_validation"]["accuracy"]["mean"] == pytest.approx(means[expected])


def test_of_a_metric_where_less_is_better_the_least_is_the_best(small):
    config = changed(small, **THREE, selection={"metric": "brier_score", "folds": 10})
    outcomes = [
        outcome("random_forest", 0.1 + SPREAD / 10),
        outcome("svc", 0.3 + SPREAD / 10),
        outcome("logistic_regression", 0.2 + SPREAD / 10),
    ]
    for one in outcomes:
        one["inner"] = [one["scores"]["accuracy"][:3]] * 10

    assert choose(outcomes, config)["chosen"] == "random_forest"


def test_the_order_in_which_candidates_finish_changes_nothing(three):
    names = [one.name for one in three.candidates]
    outcomes = [outcome(name, 0.9 + SPREAD) for name in names]

    assert choose(outcomes, three) == choose(outcomes[::-1], three)


def test_folds_are_scikit_learns_and_the_same_for_every_candidate(three, rows):
    splitter = RepeatedStratifiedKFold(n_splits=5, n_repeats=2, random_state=42)

    ours = folds(rows, three, 5, 2)

    for (train, test), (expected_train, expected_test) in zip(
        ours, splitter.split(rows, rows["y"]), strict=True
    ):
        np.testing.assert_array_equal(train, expected_train)
        np.testing.assert_array_equal(test, expected_test)


def test_each_row_is_judged_once_in_each_repeat_by_a_model_that_has_not_seen_it(small, rows):
    config = changed(small, selection={"protocol": "quick", "folds": 4, "repeats": 2})
    rows = rows.set_index(rows.index + 1000)
    model = build_model(config.candidate("logistic_regression"), config, rows)

    found = cross_validate(model, rows, config)

    table = found.out_of_fold
    assert list(table.columns) == ["repeat", "fold", "row", "y_true", "score"]
    assert len(found.scores["roc_auc"]) == 8
    for _, repeat in table.groupby("repeat"):
        assert sorted(repeat["row"]) == list(rows.index)
    first = table[(table["repeat"] == 0) & (table["fold"] == 0)]
    seen = rows.drop(index=first["row"])
    fitted = fit_pipeline(seen, config, config.candidate("logistic_regression"))
    expected = fitted.predict_proba(rows.loc[first["row"], ["a", "b", "noise"]])[:, 1]
    np.testing.assert_array_equal(first["score"], expected)


def test_the_nested_estimate_judges_what_was_chosen_inside_each_outer_fold(small):
    config = changed(small, **THREE, selection={"folds": 2, "repeats": 1})
    low, high = [0.5, 0.51, 0.52], [0.9, 0.91, 0.92]
    outcomes = [
        outcome("random_forest", [0.7, 0.8], inner=[high, low]),
        outcome("svc", [0.3, 0.4], inner=[low, low]),
        outcome("logistic_regression", [0.5, 0.6], inner=[low, high]),
    ]

    nested = choose(outcomes, config)["nested"]

    # The forest in the first outer fold, the regression in the second.
    assert nested["roc_auc"]["mean"] == pytest.approx((0.7 + 0.6) / 2)
    assert nested["chosen"] == {"random_forest": 1, "svc": 0, "logistic_regression": 1}
    assert (nested["folds"], nested["repeats"]) == (2, 1)


def test_inner_folds_lie_in_the_training_part_of_their_outer_fold(small, rows):
    config = changed(
        small,
        candidates=["logistic_regression", "k_nearest_neighbors"],
        selection={"folds": 2, "repeats": 1},
    )
    frame = rows.assign(a=0.0, b=0.0)
    outer_test = folds(frame, config, 2, 1)[0][1]
    frame.loc[outer_test, "a"] = (frame.loc[outer_test, "y"] == "M") * 100.0

    tried = try_candidate(frame, config, "logistic_regression")

    # What only the outer test rows tell cannot help inside.
    assert max(tried["inner"][0]) < 0.9
    assert len(tried["inner"]) == 2


def test_one_candidate_alone_needs_no_inner_folds(small, rows):
    config = changed(small, candidates=["logistic_regression"], selection={"folds": 3})

    tried = try_candidate(rows, config, "logistic_regression")
    choice = choose([tried], config)

    assert tried["inner"] == []
    assert choice["nested"]["roc_auc"]["mean"] == pytest.approx(
        np.mean(tried["scores"]["roc_auc"][:3])
    )


def test_a_second_try_gives_the_same_to_the_last_bit(small, rows):
    one, other = (try_candidate(rows, small, "random_forest") for _ in range(2))

    assert one["scores"] == other["scores"]
    pd.testing.assert_frame_equal(one["out_of_fold"], other["out_of_fold"])


def test_a_cap_on_rows_counts_in_every_fold_and_is_told(small):
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(generator.normal(size=(600, 3)), columns=["a", "b", "noise"])
    frame["y"] = np.where(frame["a"] > 0, "M", "B")
    config = changed(
        small,
        data={"path": "rows.csv"},
        candidates=["svc"],
        selection={"protocol": "quick", "row_caps": {"svc": 100}},
    )

    tried = try_candidate(frame, config, "svc")

    assert (tried["rows"], tried["available_rows"]) == (100, 600)
    assert len(tried["out_of_fold"]) == 3 * 100
    part = capped(frame, config.candidate("svc"), config)
    assert abs((part["y"] == "M").mean() - (frame["y"] == "M").mean()) < 0.01


def test_a_grid_is_searched_inside_the_folds_and_its_find_is_trained(small, rows):
    grid = {"name": "logistic_regression", "grid": {"C": [1e-6, 1.0]}}
    config = changed(small, candidates=[grid])

    model = fit_pipeline(rows, config, config.candidates[0])
    tried = try_candidate(rows, config, "logistic_regression")

    assert model["model"].C == 1.0
    assert len(tried["scores"]["roc_auc"]) == 4

"""What a model loses when a feature is shuffled."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ml_pipeline.ml import importance, training


@pytest.fixture
def fitted(small, rows):
    return training.fit_pipeline(rows, small, small.candidate("logistic_regression"))


def test_what_separates_the_classes_matters_most_and_noise_least(fitted, small, rows):
    table = importance.permutation(fitted, rows, small)

    assert table.columns.tolist() == ["feature", "mean", "sd"]
    assert table["feature"].tolist() == ["a", "b", "noise"]
    assert table["mean"].iloc[0] > 0.1
    assert abs(table["mean"].iloc[-1]) < 0.05


def test_it_is_the_same_every_time(fitted, small, rows):
    first, second = (importance.permutation(fitted, rows, small) for _ in range(2))

    pd.testing.assert_frame_equal(first, second)


def test_a_loss_counts_as_one_also_where_less_is_better(problem, rows):
    config = problem(rows.to_csv(index=False), {"ids": ["id"]}, selection={"metric": "brier_score"})
    model = training.fit_pipeline(rows, config, config.candidate("logistic_regression"))

    assert importance.permutation(model, rows, config)["mean"].iloc[0] > 0


def test_many_rows_are_sampled_and_keep_their_classes(fitted, small, rows, monkeypatch):
    monkeypatch.setattr(importance, "MOST_ROWS", 30)

    assert importance._sampled(rows, small)["y"].value_counts().to_dict() == {"B": 20, "M": 10}
    assert len(importance.permutation(fitted, rows, small)) == 3


def test_more_features_than_time_allows_have_no_importance(fitted, small, rows):
    wide = pd.DataFrame(np.zeros((60, 301))).add_prefix("f")

    table = importance.permutation(fitted, pd.concat([rows[["id", "y"]], wide], axis=1), small)

    assert table.empty
    assert table.columns.tolist() == ["feature", "mean", "sd"]

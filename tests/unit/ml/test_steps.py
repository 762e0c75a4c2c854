"""The steps before a model: what the configuration asks for, learnt from training rows alone."""

import io
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from ml_pipeline.ml.dataset import read_table
from ml_pipeline.ml.preprocessing import build_steps
from ml_pipeline.ml.validation import feature_names, validate
from ml_pipeline.registry import model_files


@pytest.fixture
def mixed(problem, rows):
    """Return a function that gives a problem with every kind of feature, and its rows."""
    rows["a"] = rows["a"].where(rows.index % 7 > 0)
    rows["colour"] = np.where(
        rows.index % 5 == 0, None, np.array(["red", "blue", "teal"])[rows.index % 3 - 1]
    )
    rows["member"] = np.where(rows.index % 9 == 0, None, np.array(["yes", "no"])[rows.index % 2])
    rows["since"] = pd.date_range("2020-01-31", periods=60, freq="9D").where(rows.index % 8 > 0)

    def build(**preprocessing):
        data = {"ids": ["id"]}
        config = problem(rows.to_csv(index=False), data, preprocessing=preprocessing)
        return config, validate(read_table(config), config)

    return build


def transformed(config, frame, *, scaled=False, dense=True):
    steps = Pipeline(build_steps(config, frame, scaled=scaled, dense=dense))
    steps.set_output(transform="pandas" if dense else "default")
    return steps.fit_transform(frame[feature_names(frame, config)], frame["y"])


def test_every_kind_of_feature_becomes_numbers_without_gaps(mixed):
    numbers = transformed(*mixed())

    assert list(numbers.columns) == [
        *("a", "b", "noise", "member"),
        *("colour_blue", "colour_missing", "colour_red", "colour_teal"),
        *("since_year", "since_month", "since_day_of_week", "since_ordinal"),
    ]
    assert not numbers.isna().any().any()


def test_a_date_is_its_year_month_day_of_week_and_days_since_1970(mixed):
    numbers = transformed(*mixed())

    assert numbers.filter(like="since").iloc[1].tolist() == [2020, 2, 6, 18301]


def test_scaling_is_for_models_that_need_it(mixed):
    config, frame = mixed()

    assert abs(transformed(config, frame, scaled=True)["noise"].mean()) < 1e-9
    assert transformed(config, frame)["noise"].tolist() == frame["noise"].tolist()


def test_one_hot_columns_are_sparse_for_models_that_take_them(mixed, rows):
    rows["many"] = [f"level {n}" for n in rows.index // 2]

    assert hasattr(transformed(*mixed(), dense=False), "toarray")


@pytest.mark.parametrize(
    ("preprocessing", "check"),
    [
        ({"scaling": "minmax"}, lambda n: n["noise"].min() == 0 and n["noise"].max() == 1),
        ({"scaling": "robust"}, lambda n: abs(n["noise"].median()) < 1e-9),
        ({"scaling": "none"}, lambda n: abs(n["since_year"].mean()) > 2000),
        ({"power_transform": True}, lambda n: abs(n["a"].std(ddof=0) - 1) < 1e-9),
        ({"clip_outliers": 0.1, "scaling": "none"}, lambda n: n["noise"].value_counts().max() == 6),
        ({"polynomial_degree": 2}, lambda n: {"a b", "a^2"} <= set(n) and "member^2" not in n),
        ({"select_features": 3}, lambda n: n.shape[1] == 3 and "a" in n),
        ({"encoding": "ordinal"}, lambda n: "colour" in n),
        ({"encoding": "target"}, lambda n: "colour" in n),
        ({"imputation": {"numeric": "none"}}, lambda n: n["a"].isna().sum() == 9),
        ({"imputation": {"numeric": "mean"}}, lambda n: abs(n["a"].mean()) < 1e-9),
        (
            {"imputation": {"categorical": "most_frequent"}},
            lambda n: "colour_missing" not in n and "colour_red" in n,
        ),
    ],
    ids=lambda given: str(given) if isinstance(given, dict) else "then",
)
def test_a_choice_does_what_it_says(mixed, preprocessing, check):
    assert check(transformed(*mixed(**preprocessing), scaled=True))


ALL = [
    {},
    {"encoding": "target", "scaling": "robust", "power_transform": True, "clip_outliers": 0.01},
    {"encoding": "ordinal", "scaling": "minmax", "polynomial_degree": 2, "select_features": 5},
]


@pytest.mark.parametrize("preprocessing", ALL, ids=str)
def test_the_saved_model_takes_raw_columns_and_predicts_the_same(mixed, tmp_path, preprocessing):
    config, frame = mixed(**preprocessing)
    steps = build_steps(config, frame, scaled=True, dense=True)
    model = Pipeline([*steps, ("model", LogisticRegression())])
    model.fit(frame[feature_names(frame, config)], frame["y"])
    checksums = model_files.write_model(model, tmp_path)

    loaded = model_files.load_model(tmp_path / "model.skops", checksums["model.skops"])

    expected = model.predict_proba(frame)
    np.testing.assert_array_equal(loaded.predict_proba(frame), expected)
    np.testing.assert_array_equal(loaded.predict_proba(frame.assign(new=1)), expected)


@pytest.mark.parametrize("preprocessing", ALL, ids=str)
def test_what_training_never_saw_is_scored_without_a_word(mixed, preprocessing):
    config, frame = mixed(**preprocessing)
    steps = build_steps(config, frame, scaled=False, dense=True)
    model = Pipeline([*steps, ("model", HistGradientBoostingClassifier(max_iter=3))])
    model.fit(frame[feature_names(frame, config)], frame["y"])
    strange = frame.head(1).assign(a=np.nan, colour="mauve", member=np.nan, since=pd.NaT, b=1e6)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(model.predict_proba(strange)).all()


def test_the_steps_learn_from_the_rows_they_are_fitted_on_alone(mixed):
    config, frame = mixed()
    train = frame.head(30)
    steps = Pipeline(build_steps(config, frame, scaled=True, dense=True)).fit(train, train["y"])

    fitted = steps.named_steps["columns"].named_transformers_["numeric"]

    assert fitted.named_steps["impute"].statistics_[0] == train["a"].median()


def test_rare_categories_beyond_a_hundred_share_a_column(mixed, rows):
    rows["many"] = [f"level {n}" for n in rows.index]
    config, frame = mixed()
    twice = pd.concat([frame, frame.assign(many=frame["many"] + "b", y=frame["y"])])

    assert transformed(config, twice).filter(like="many_").shape[1] == 100


def test_a_model_survives_joblib_too(mixed):
    config, frame = mixed(clip_outliers=0.05)
    steps = Pipeline(build_steps(config, frame, scaled=True, dense=True)).fit(frame, frame["y"])
    file = io.BytesIO()

    joblib.dump(steps, file)

    np.testing.assert_array_equal(joblib.load(file).transform(frame), steps.transform(frame))

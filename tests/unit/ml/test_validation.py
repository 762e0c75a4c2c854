"""What the rows must satisfy before anything is fitted."""

import logging

import numpy as np
import pandas as pd
import pytest

from ml_pipeline.errors import DataError
from ml_pipeline.ml.dataset import read_table
from ml_pipeline.ml.validation import feature_names, validate


def refusal(frame, config):
    with pytest.raises(DataError) as caught:
        validate(frame, config)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(config.data_location)
    return message.removeprefix(config.data_location)


def test_good_rows_pass_with_features_as_floats(small):
    frame = validate(read_table(small), small)

    assert feature_names(frame, small) == ["a", "b", "noise"]
    assert set(frame[["a", "b", "noise"]].dtypes.astype(str)) == {"float64"}
    assert len(frame) == 60
    assert "sha256" in frame.attrs


def test_validation_leaves_its_input_alone(small, rows):
    rows["a"] = rows["a"].round().astype("int64")
    before = rows.copy()

    validate(rows, small)

    pd.testing.assert_frame_equal(rows, before)


def set_at(column, row, value):
    def change(frame):
        frame[column] = frame[column].astype(object)
        frame.loc[row, column] = value
        return frame

    return change


def keep_positives(count):
    def change(frame):
        return frame.drop(frame.index[frame["y"] == "M"][count:])

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_at("y", 6, None), ", column 'y', row 7: the target is missing"),
        (set_at("y", 6, "?"), ", column 'y': 3 label(s): 'B', 'M', '?'. Must be exactly two"),
        (lambda f: f.assign(y="M"), ", column 'y': 1 label(s): 'M'. Must be exactly two"),
        (
            lambda f: f.assign(y=f["y"].str.lower()),
            ", column 'y': no row has the positive label 'M'. `target.positive` must be one of",
        ),
        (keep_positives(9), ", column 'y': only 9 different row(s) with label 'M'. Must be at"),
        (set_at("a", 3, "n/a?"), ", column 'a', row 4: 'n/a?' is not a number. Mend it"),
        (set_at("a", 3, np.inf), ", column 'a', row 4: inf is not a finite number. Mend it"),
        (set_at("a", 3, -np.inf), ", column 'a', row 4: -inf is not a finite number"),
        (set_at("a", 3, np.nan), ", column 'a', row 4: the value is missing. Mend it"),
        (lambda f: f.assign(a=None), ", column 'a', row 1: the value is missing (and 59"),
        (
            lambda f: f.assign(a=pd.Timestamp("2024-01-01")),
            ", column 'a', row 1: '2024-01-01 00:00:00' is not a number (and 59 more rows)",
        ),
        (
            lambda f: f.drop(columns=["a", "b", "noise"]),
            ": no feature is left beside target and ids",
        ),
    ],
    ids=[
        "missing target",
        "third label",
        "one class",
        "unknown positive",
        "few of a class",
        "text in numbers",
        "infinite",
        "negative infinite",
        "missing value",
        "missing column",
        "date",
        "no feature",
    ],
)
def test_bad_rows_are_refused_with_column_and_row(small, rows, change, message):
    assert refusal(change(rows), small).startswith(message)


def test_repeated_rows_do_not_count_towards_a_class(small, rows):
    few = rows[rows["y"] == "M"].head(9)
    frame = pd.concat([rows[rows["y"] == "B"], few, few], ignore_index=True)

    assert "only 9 different row(s) with label 'M'" in refusal(frame, small)


def test_a_small_holdout_asks_for_more_rows_of_each_class(problem, rows):
    config = problem("", {"ids": ["id"]}, split={"test_size": 0.05})
    frame = pd.concat([rows[rows["y"] == "B"], rows[rows["y"] == "M"].head(19)])

    assert "Must be at least 20 for 2 folds and test_size 0.05" in refusal(frame, config)


def warnings_about(frame, config, caplog):
    with caplog.at_level(logging.WARNING, "ml_pipeline"):
        validate(frame, config)
    return caplog.messages


def test_repeated_rows_are_accepted_with_a_warning(small, rows, caplog):
    frame = pd.concat([rows, rows.head(2)], ignore_index=True)

    assert warnings_about(frame, small, caplog) == [
        "2 row(s) repeat an earlier row and will be dropped"
    ]


def test_ids_that_occur_twice_are_accepted_with_a_warning(small, rows, caplog):
    rows.loc[1, "id"] = rows.loc[0, "id"]

    assert warnings_about(rows, small, caplog) == [
        "1 row(s) share an id with an earlier row: the split does not group them"
    ]


def test_a_constant_feature_is_accepted_with_a_warning(small, rows, caplog):
    rows["noise"] = 1

    assert warnings_about(rows, small, caplog) == ["constant, hence of no use: 'noise'"]


def test_the_breast_cancer_data_pass_without_a_warning(wdbc, caplog):
    config, frame = wdbc

    assert warnings_about(frame, config, caplog) == []
    assert frame.shape == (569, 32)
    assert frame["diagnosis"].value_counts().to_dict() == {"B": 357, "M": 212}

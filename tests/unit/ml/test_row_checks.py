"""Rows to be scored against the training schema: the good are typed, the bad set aside with why."""

import json

import numpy as np
import pandas as pd
import pytest

from ml_pipeline.errors import DataError
from ml_pipeline.ml.dataset import read_chunks, read_table
from ml_pipeline.ml.validation import (
    check_rows,
    feature_names,
    report_of,
    training_schema,
    validate,
)


@pytest.fixture
def trained(problem, rows):
    """Return a problem with every kind of feature, its validated rows and their schema."""
    rows["colour"] = np.array(["red", "blue"])[rows.index % 2]
    rows["member"] = np.array(["yes", "no"])[rows.index % 2]
    rows["since"] = pd.date_range("2020-01-31", periods=60).strftime("%d.%m.%Y")
    config = problem(rows.to_csv(index=False), {"ids": ["id"], "missing_values": ["?"]})
    frame = validate(read_table(config), config)
    return config, frame, training_schema(report_of(frame))


def test_the_rows_of_training_are_good_and_typed_alike(trained):
    config, frame, schema = trained
    (chunk,) = read_chunks(config, config.data_location)

    good, bad = check_rows(chunk, schema)

    assert bad.empty
    names = feature_names(frame, config)
    pd.testing.assert_frame_equal(good[names], frame[names])
    assert good["id"].tolist() == frame["id"].tolist()
    assert good.attrs["outside"] == {}


@pytest.mark.parametrize(
    "write",
    [
        lambda rows: rows.to_csv(index=False, sep=";", decimal=","),
        lambda rows: rows.to_csv(index=False).replace("\n", "\r"),
        lambda rows: rows.to_csv(index=False).replace(",", ", "),
        lambda rows: rows.to_csv(index=False, sep="\t").encode("utf-16"),
    ],
    ids=["decimal comma", "carriage returns", "spaces", "utf-16"],
)
def test_however_a_file_is_written_its_rows_are_scored_as_they_were_learnt(problem, rows, write):
    rows["hour"] = [f"{10 + n % 3}:30" for n in rows.index]
    rows["member"] = np.array(["yes", "no"])[rows.index % 2]
    config = problem(write(rows), {"ids": ["id"]})
    frame = validate(read_table(config), config)
    schema = training_schema(report_of(frame))
    (chunk,) = read_chunks(config, config.data_location)

    good, bad = check_rows(chunk, schema)

    assert bad.empty
    names = feature_names(frame, config)
    pd.testing.assert_frame_equal(good[names], frame[names])
    assert schema["columns"]["hour"]["categories"] == ["10:30", "11:30", "12:30"]
    assert schema["columns"]["member"]["kind"] == "boolean"


def test_dates_of_a_database_are_dates_however_training_s_file_wrote_them(trained):
    config, frame, schema = trained
    (chunk,) = read_chunks(config, config.data_location)
    chunk["since"] = frame["since"].dt.date

    good, bad = check_rows(chunk, schema)

    assert bad.empty
    pd.testing.assert_series_equal(good["since"], frame["since"])


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("a", "much", "column 'a': 'much' is not a number"),
        ("a", "inf", "column 'a': inf is far outside what training saw"),
        ("a", "1e9", "column 'a': 1e+09 is far outside what training saw (-"),
        ("member", "perhaps", "column 'member': 'perhaps' is not true or false"),
        ("since", "yesterday", "column 'since': 'yesterday' is not a date"),
        ("y", "X", "column 'y': 'X' is a label that training never saw (['B', 'M'])"),
    ],
)
def test_a_row_that_breaks_the_schema_is_set_aside_with_its_reason(trained, column, value, reason):
    config, _, schema = trained
    (chunk,) = read_chunks(config, config.data_location)
    chunk.loc[7, column] = value

    good, bad = check_rows(chunk, schema)

    assert bad["row"].tolist() == [7]
    assert bad["reason"].iloc[0].startswith(reason)
    assert 7 not in good.index
    assert len(good) == 59


def test_a_row_with_several_faults_is_set_aside_once(trained):
    config, _, schema = trained
    (chunk,) = read_chunks(config, config.data_location)
    chunk.loc[7, ["a", "b", "member"]] = ["1e9", "x", "y?"]

    _, bad = check_rows(chunk, schema)

    assert len(bad) == 1


def test_missing_values_and_unknown_categories_are_good_and_counted(trained):
    config, _, schema = trained
    (chunk,) = read_chunks(config, config.data_location)
    chunk.loc[3, "a"] = "?"
    chunk.loc[4, "colour"] = "mauve"
    chunk.loc[5, "b"] = "9"
    chunk.loc[6, "since"] = "01.01.2031"

    good, bad = check_rows(chunk, schema)

    assert bad.empty
    assert np.isnan(good.loc[3, "a"])
    assert good.attrs["outside"] == {"b": 1, "colour": 1, "since": 1}


def test_rows_of_a_database_come_with_types_and_without_target(trained):
    config, frame, schema = trained
    stored = frame.drop(columns="y").assign(member=frame["member"] == 1).astype({"a": "object"})

    good, bad = check_rows(stored, schema)

    assert bad.empty
    names = feature_names(frame, config)
    pd.testing.assert_frame_equal(good[names], frame[names], check_dtype=False)


def test_whole_numbers_are_the_categories_that_training_read_as_text(problem, rows):
    rows["code"] = np.array([1, 2])[rows.index % 2]
    config = problem(rows.to_csv(index=False), {"ids": ["id"], "categorical": ["code"]})
    schema = training_schema(report_of(validate(read_table(config), config)))

    good, _ = check_rows(rows.astype({"code": "float64"}), schema)

    assert good["code"].tolist() == ["1", "2"] * 30
    assert "code" not in good.attrs["outside"]


def test_rows_without_a_column_of_the_model_are_refused(trained):
    _, frame, schema = trained

    with pytest.raises(DataError, match=r"have no column 'a' \(and 1 more\), which"):
        check_rows(frame.drop(columns=["a", "b"]), schema)


def test_the_schema_is_plain_json(trained):
    assert json.loads(json.dumps(trained[2], allow_nan=False)) == trained[2]

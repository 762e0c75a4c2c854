"""What the rows must satisfy before anything is fitted."""

import logging

import numpy as np
import pandas as pd
import pytest

from ml_pipeline.errors import DataError
from ml_pipeline.ml.dataset import read_table
from ml_pipeline.ml.preprocessing import clean, split
from ml_pipeline.ml.validation import feature_names, report_of, validate


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
        (lambda f: f.assign(y=None), ", column 'y': the target is missing in every row"),
        (set_at("y", 6, "?"), ", column 'y': 3 labels: 'B', 'M', '?'. Must be exactly two, or"),
        (lambda f: f.assign(y="M"), ", column 'y': 1 label: 'M'. Must be at least two"),
        (
            lambda f: f.assign(y=f["y"].str.lower()),
            ", column 'y': no row has the positive label 'M'. `target.positive` must be one of",
        ),
        (keep_positives(9), ", column 'y': only 9 different row(s) with label 'M'. Must be at"),
        (
            lambda f: f.assign(a=f["a"].astype("str").where(f.index % 10 > 0, "n/a?")),
            ", column 'a', row 1: 'n/a?' is not a number (and 5 more rows): 10% of the values. "
            "Mend it, name the text in `data.missing_values`, or the column in",
        ),
        (set_at("a", 3, np.inf), ", column 'a', row 4: inf is not a finite number. Mend it"),
        (set_at("a", 3, -np.inf), ", column 'a', row 4: -inf is not a finite number"),
        (
            lambda f: f.drop(columns=["a", "b", "noise"]),
            ": no feature is left beside target and ids",
        ),
        (
            lambda f: f.assign(a=1, b=None, noise=2),
            ": every feature is constant or missing",
        ),
        (
            lambda f: f.assign(y=f["id"].replace("p00", "M")),
            ", column 'y': 60 labels: 'M', 'p01',",
        ),
    ],
    ids=[
        "missing target",
        "all-missing target",
        "third label",
        "one class",
        "unknown positive",
        "few of a class",
        "text in numbers",
        "infinite",
        "negative infinite",
        "no feature",
        "nothing varies",
        "a label in every row",
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
    return [message.removeprefix(f"{config.data_location}: ") for message in caplog.messages]


def test_repeated_rows_are_accepted_with_a_warning(small, rows, caplog):
    frame = pd.concat([rows, rows.head(2)], ignore_index=True)

    assert warnings_about(frame, small, caplog) == [
        "2 row(s) repeat an earlier row and will be dropped (rows 61, 62)"
    ]


def test_ids_that_occur_twice_are_accepted_with_a_warning(small, rows, caplog):
    rows.loc[1, "id"] = rows.loc[0, "id"]

    assert warnings_about(rows, small, caplog) == [
        "column 'id' repeats an id: the split does not keep such rows together (row 2)"
    ]


def test_a_constant_feature_is_accepted_with_a_warning(small, rows, caplog):
    rows["noise"] = 1

    assert warnings_about(rows, small, caplog) == ["column 'noise' is constant and left out"]
    assert "noise" not in validate(rows, small)


def test_the_breast_cancer_data_pass_without_a_warning(wdbc):
    _, frame = wdbc

    assert report_of(frame)["findings"] == []
    assert frame.shape == (569, 32)
    assert frame["diagnosis"].value_counts().to_dict() == {"B": 357, "M": 212}


def findings(frame, config):
    return report_of(validate(frame, config))["findings"]


def test_a_byte_order_mark_is_accepted_with_a_warning(problem, rows):
    config = problem(b"\xef\xbb\xbf" + rows.to_csv(index=False).encode(), {"ids": ["id"]})

    (finding,) = findings(read_table(config), config)

    assert "byte order mark" in finding["message"]


def test_an_empty_feature_is_accepted_with_a_warning(small, rows):
    (finding,) = findings(rows.assign(noise=None), small)

    assert finding["message"] == "column 'noise' is missing in every row and left out"


def test_stray_text_among_numbers_is_named_with_its_rows_and_counts_as_missing(small, rows):
    frame = set_at("a", 6, "n/a?")(set_at("a", 3, "n/a?")(rows))

    checked = validate(frame, small)

    assert report_of(checked)["findings"] == [
        {
            "level": "warning",
            "column": "a",
            "message": "column 'a' has 'n/a?', which is not a number and counts as missing "
            "(rows 4, 7)",
            "rows": [4, 7],
        }
    ]
    assert np.flatnonzero(checked["a"].isna()).tolist() == [3, 6]


def test_numbers_with_a_unit_are_accepted_as_text_with_a_warning(small, rows):
    found = findings(rows.assign(price=[f"{1000 + n // 2:,} €" for n in rows.index]), small)

    assert [finding["message"] for finding in found] == [
        "column 'price' is taken for text; write its numbers plainly, not '1,000 €'"
    ]


def test_a_text_of_many_values_is_accepted_with_a_warning(problem, rows):
    frame = pd.concat([rows] * 4, ignore_index=True)
    frame["text"] = [f"word {chr(97 + n % 26)}{n // 26 % 5}" for n in frame.index]
    frame["a"] += frame.index
    config = problem(frame.to_csv(index=False))

    messages = [finding["message"] for finding in findings(frame.drop(columns="id"), config)]

    assert messages == ["column 'text' has 130 categories; the rare ones are put together"]


def test_dates_that_may_be_read_two_ways_are_accepted_with_a_warning(small, rows):
    frame = rows.assign(day=[f"{n % 12 + 1:02d}/{n % 7 + 1:02d}/2024" for n in rows.index])

    (finding,) = findings(frame, small)

    assert "may have day and month the other way round" in finding["message"]


def test_missing_values_categories_booleans_and_dates_are_ordinary(problem, rows):
    rows["a"] = rows["a"].where(rows.index % 7 > 0)
    rows["colour"] = np.where(rows.index % 5 == 0, None, np.array(["red", "blue"])[rows.index % 2])
    rows["member"] = np.array(["yes", "no"])[rows.index % 2]
    rows["since"] = pd.date_range("2020-01-31", periods=60, freq="9D").strftime("%d.%m.%Y")
    config = problem(rows.to_csv(index=False), {"ids": ["id"]})

    frame = validate(read_table(config), config)

    kinds = {row["column"]: row["kind"] for row in report_of(frame)["quality"]}
    assert (kinds["colour"], kinds["member"], kinds["since"]) == ("categorical", "boolean", "dates")
    assert frame["since"].iloc[0] == pd.Timestamp("2020-01-31")
    assert frame["member"].tolist() == [1.0, 0.0] * 30
    assert frame["a"].isna().sum() == 9
    assert findings(read_table(config), config) == []


def test_more_than_two_labels_are_fine_without_a_positive_one(problem, rows):
    rows["y"] = np.array(["u", "v", "w"])[rows.index % 3]
    config = problem(rows.to_csv(index=False), {"ids": ["id"]}, target={"column": "y"})

    assert report_of(validate(read_table(config), config))["classes"] == {"u": 20, "v": 20, "w": 20}


def test_two_labels_need_a_positive_one(problem, rows):
    config = problem(rows.to_csv(index=False), {"ids": ["id"]}, target={"column": "y"})

    assert "`target.positive` must be one of 'B', 'M'" in refusal(read_table(config), config)


def test_the_group_is_no_feature_unless_its_kind_is_given(problem, rows):
    aside = problem(rows.to_csv(index=False), {"ids": ["id"], "group": "b"})
    given = problem(rows.to_csv(index=False), {"ids": ["id"], "group": "b", "numeric": ["b"]})

    assert "b" not in feature_names(validate(read_table(aside), aside), aside)
    assert "b" in feature_names(validate(read_table(given), given), given)


@pytest.mark.parametrize(
    ("late", "is_suspect"),
    [
        (lambda f: f.index % 3 + f["noise"] / 1000, True),
        (lambda f: (f.index % 3 == 0) + f["noise"] / 1000, False),
    ],
    ids=["tells all three apart", "tells one from the others"],
)
def test_of_more_labels_all_must_be_told_apart_to_be_suspected(problem, rows, late, is_suspect):
    frame = rows.assign(y=np.array(["u", "v", "w"])[rows.index % 3], a=rows["noise"] ** 2, b=0.5)
    config = problem("", {"ids": ["id"]}, target={"column": "y"})

    found = findings(frame.assign(late=late(rows), b=np.arange(60) % 7), config)

    assert [finding["column"] for finding in found] == (["late"] if is_suspect else [])


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (lambda f: f["y"].map({"M": "malignant", "B": "benign"}), "is the target in other words"),
        (lambda f: (f["y"] == "M") + f["noise"] / 100, "alone tells the labels apart: is it known"),
        (lambda f: range(1000, 1060), "has another value in every row: an id?"),
        (lambda f: f["id"], "has another value in every row: an id?"),
        (
            lambda f: np.where(f["y"] == "M", np.array(["u", "v"])[f.index % 2], "w"),
            "alone tells the labels apart",
        ),
    ],
    ids=["copy", "separates", "running number", "id", "categories"],
)
def test_a_leakage_suspect_is_accepted_with_a_warning(small, rows, column, message):
    (finding,) = findings(rows.assign(late=column(rows)), small)

    assert finding["message"].startswith(f"column 'late' {message}")


def test_the_report_is_plain_json_and_says_what_the_columns_are_like(small, rows):
    rows.loc[0, "a"] = 1000
    rows.loc[1, "b"] = None

    report = report_of(validate(rows, small))

    quality = {row["column"]: row for row in report["quality"]}
    assert (report["rows"], report["duplicates"], report["classes"]) == (60, 0, {"B": 40, "M": 20})
    assert (quality["a"]["outliers"], quality["a"]["high"]) == (2, 1000.0)
    assert quality["a"]["skew"] > 5
    assert quality["b"]["missing"] == 1


def test_the_report_is_logged_as_a_table(small, rows, caplog):
    with caplog.at_level(logging.INFO, "ml_pipeline"):
        validate(rows, small)

    table = caplog.messages[-1]
    assert "60 rows (0 repeated), 3 columns; classes: B 40, M 20" in table
    assert all(name in table for name in ("missing", "outliers", "skew", "noise"))


def test_the_report_survives_splitting(small, rows):
    parts = split(clean(validate(rows, small)), small)

    assert report_of(parts["train"]) == report_of(parts["test"]) == report_of(validate(rows, small))
    assert report_of(rows) == {}

"""What a column is taken for, and its values as that."""

import numpy as np
import pandas as pd
import pytest

from ml_pipeline.ml.kinds import as_feature, inferred_kind, looks_like_numbers

NUMBERS = [str(n / 4) for n in range(100)]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2, 3], "numeric"),
        ([1.5, None], "numeric"),
        ([True, False], "boolean"),
        (["true", "FALSE", None], "boolean"),
        (["Y", "n"], "boolean"),
        (["yes", "no", "perhaps"], "categorical"),
        (["yes"], "categorical"),
        (["1", " 2.5 ", "1e-3"], "numeric"),
        (["1", "None", "3"], "numeric"),
        ([*NUMBERS, "much", "more"], "numeric"),
        ([*NUMBERS, *["-"] * 40], "numeric"),
        (["0", "1", "2", "3+"] * 9, "categorical"),
        ([*NUMBERS, *[f"A {n}" for n in range(30)]], "categorical"),
        (["red", "blue", None], "categorical"),
        (["2024-01-31", "2024-02-29T10:00:00"], "dates"),
        (["31.01.2024", "29.2.2024"], "dates"),
        (["1/31/24", "2/29/24"], "dates"),
        (["01/31/2024 01:05:00 PM"], "dates"),
        (["31-Jan-2024", "29-Feb-2024"], "dates"),
        (["10:30", "11:45"], "categorical"),
        (pd.date_range("2024-01-01", periods=3, tz="Europe/Berlin"), "dates"),
    ],
    ids=str,
)
def test_a_column_is_taken_for_what_its_values_look_like(values, kind):
    column = pd.Series(values)

    assert as_feature(column).kind == kind
    assert kind == inferred_kind(column) or column.dtype == "object"


def test_a_time_zone_is_turned_to_utc():
    column = pd.Series(pd.to_datetime(["2024-01-01T00:30:00+01:00"]).tz_convert("Europe/Berlin"))

    assert as_feature(column).values.tolist() == [pd.Timestamp("2023-12-31T23:30:00")]


@pytest.mark.parametrize(
    ("values", "is_ambiguous", "first"),
    [
        (["01/02/2024", "03/04/2024"], True, "2024-01-02"),
        (["01/02/2024", "03/14/2024"], False, "2024-01-02"),
        (["01/02/2024", "14/03/2024"], False, "2024-02-01"),
        (["01.02.2024", "03.04.2024"], False, "2024-02-01"),
    ],
)
def test_day_and_month_are_told_apart_where_a_value_tells(values, is_ambiguous, first):
    feature = as_feature(pd.Series(values))

    assert feature.is_ambiguous is is_ambiguous
    assert feature.values.iloc[0] == pd.Timestamp(first)


def test_a_date_format_that_is_given_is_believed():
    feature = as_feature(pd.Series(["01/02/2024"]), "dates", "%d/%m/%Y")

    assert feature.values.iloc[0] == pd.Timestamp("2024-02-01")


def test_what_is_not_of_the_kind_is_stray_and_missing():
    feature = as_feature(pd.Series(["1", "x", None, "2"]), "numeric")

    assert feature.is_stray.tolist() == [False, True, False, False]
    assert np.isnan(feature.values[1])


def test_compact_dates_are_dates_when_declared():
    feature = as_feature(pd.Series(["20240131", "20240229"]), "dates")

    assert feature.values.iloc[1] == pd.Timestamp("2024-02-29")


def test_whole_numbers_that_are_categories_have_no_fraction():
    assert as_feature(pd.Series([1.0, None]), "categorical").values.iloc[0] == "1"


@pytest.mark.parametrize("form", ["{:,} km", "${:,.2f}", "{}%", "{:,}"])
def test_numbers_with_a_unit_are_recognised_among_text(form):
    column = pd.Series([form.format(n * 1001) for n in range(50)])

    feature = as_feature(column)

    assert feature.kind == "categorical"
    assert looks_like_numbers(feature) is ("km" not in form)

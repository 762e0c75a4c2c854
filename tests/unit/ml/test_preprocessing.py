"""Cleaning and splitting learn nothing and lose nothing."""

import pandas as pd
import pytest

from ml_pipeline.ml.preprocessing import clean, split


def test_a_repeated_row_is_dropped_so_that_no_twin_crosses_the_split(rows):
    frame = pd.concat([rows, rows.head(5)], ignore_index=True)

    pd.testing.assert_frame_equal(clean(frame), rows)


def test_rows_that_differ_only_in_their_id_are_kept(rows):
    frame = pd.concat([rows, rows.head(1).assign(id="other")], ignore_index=True)

    assert len(clean(frame)) == 61


def test_every_row_lies_on_exactly_one_side_unchanged(small, rows):
    parts = split(rows, small)

    together = pd.concat([parts["train"], parts["test"]]).sort_index()
    pd.testing.assert_frame_equal(together, rows)
    assert not set(parts["train"]["id"]) & set(parts["test"]["id"])


@pytest.mark.parametrize(("test_size", "expected"), [(0.05, 29), (0.2, 114), (0.5, 285)])
def test_the_holdout_has_its_share_of_rows_and_of_each_class(wdbc, test_size, expected):
    config, frame = wdbc

    test = split(frame, config.with_params(test_size=test_size))["test"]

    assert len(test) == expected
    assert abs((test["diagnosis"] == "M").mean() - 212 / 569) < 1 / expected


def test_the_same_seed_gives_the_same_rows_and_another_others(wdbc):
    config, frame = wdbc

    one, again = split(frame, config)["test"], split(frame, config)["test"]
    other = split(frame, config.with_params(random_state=43))["test"]

    pd.testing.assert_frame_equal(one, again)
    assert set(one["id"]) != set(other["id"])


def test_both_parts_carry_the_checksum_of_the_file(wdbc):
    config, frame = wdbc

    parts = split(clean(frame), config)

    assert parts["train"].attrs == parts["test"].attrs == frame.attrs

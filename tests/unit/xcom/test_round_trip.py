"""The same value comes back, to the last bit: whatever Hypothesis can think of."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings

from ml_pipeline.xcom import arrow_file, codec
from tests.unit.xcom.passing import through_file
from tests.unit.xcom.strategies import arrays, data_frames, series

thorough = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def assert_same_frame(given_frame: pd.DataFrame, returned: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(
        given_frame, returned, check_exact=True, check_freq=True, check_flags=True
    )
    assert given_frame.index.identical(returned.index)
    assert given_frame.columns.identical(returned.columns)
    assert repr(returned.attrs) == repr(given_frame.attrs)
    for number in range(given_frame.shape[1]):
        assert_same_cells(given_frame.iloc[:, number], returned.iloc[:, number])


def assert_same_cells(before: pd.Series, after: pd.Series) -> None:
    """What pandas' own comparison lets pass: 1 for True, None for NaN, -0.0 for 0.0."""
    if before.dtype == object:
        assert [type(cell) for cell in before] == [type(cell) for cell in after]
    if before.dtype.kind in "fc":
        assert np.array_equal(np.signbit(np.real(before)), np.signbit(np.real(after)))


@thorough
@given(data_frames())
def test_a_frame_comes_back_as_it_was(frame):
    assert_same_frame(frame, through_file(frame))


@thorough
@given(series())
def test_a_series_comes_back_as_it_was(values):
    returned = through_file(values)

    pd.testing.assert_series_equal(
        values, returned, check_exact=True, check_freq=True, check_flags=True
    )
    assert values.index.identical(returned.index)
    assert (type(returned.name), repr(returned.attrs)) == (type(values.name), repr(values.attrs))
    assert_same_cells(values, returned)


@thorough
@given(arrays())
def test_an_array_comes_back_as_it_was(array):
    returned = through_file(array)

    assert type(returned) is np.ndarray
    assert (returned.dtype, returned.shape) == (array.dtype, array.shape)
    assert returned.tobytes() == array.tobytes()
    assert returned.flags.writeable


@pytest.mark.parametrize(
    "scalar",
    [
        np.complex128(1 + 2j),
        np.datetime64("2024-02-29"),
        np.datetime64("NaT"),
        np.timedelta64(3, "h"),
        np.bytes_(b"x"),
    ],
)
def test_a_numpy_scalar_comes_back_as_it_was(scalar):
    returned = through_file(scalar)

    assert (type(returned), returned.dtype) == (type(scalar), scalar.dtype)
    assert returned.tobytes() == scalar.tobytes()


def test_an_array_of_records_comes_back_as_it_was():
    dtype = np.dtype([("id", "i4"), ("point", "<f8", (2,))], align=True)
    array = np.zeros(3, dtype)
    array["point"] = np.arange(6).reshape(3, 2)

    returned = through_file(array)

    assert returned.dtype == dtype
    assert np.array_equal(returned, array)


def test_an_array_of_texts_as_objects_comes_back_as_it_was():
    array = np.array([["a", None], ["b", "c"]], dtype=object)

    assert through_file(array).tolist() == array.tolist()


def test_an_arrow_table_comes_back_with_its_metadata_and_chunks_of_dictionaries():
    schema = pa.schema(
        {"n": pa.int64(), "c": pa.dictionary(pa.int8(), pa.string())}, {"made": "by me"}
    )
    pieces = [
        pa.table({"n": [1, None], "c": pa.array(names).dictionary_encode().cast(schema.types[1])})
        for names in (["a", "b"], ["c", "a"])
    ]
    table = pa.concat_tables(pieces).replace_schema_metadata({"made": "by me"})

    returned = through_file(table)

    assert returned.schema.equals(schema, check_metadata=True)
    assert returned.to_pylist() == table.to_pylist()


def test_an_arrow_record_batch_comes_back_as_one():
    batch = pa.record_batch({"n": [1, None], "s": ["x", "y"]})

    returned = through_file(batch)

    assert type(returned) is pa.RecordBatch
    assert returned.equals(batch, check_metadata=True)


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_a_frame_without_columns_keeps_its_rows(rows):
    assert_same_frame(
        pd.DataFrame(index=range(rows)), through_file(pd.DataFrame(index=range(rows)))
    )


def test_the_columns_of_a_pivot_table_come_back_as_they_were():
    sales = pd.DataFrame(
        {"day": pd.date_range("2024-01-01", periods=4), "shop": list("abab"), "sold": range(4)}
    )
    pivot = sales.pivot_table("sold", "shop", pd.cut(sales["sold"], 2), observed=False)

    assert_same_frame(pivot, through_file(pivot))


def test_missing_values_of_several_kinds_in_one_column_keep_their_kind():
    frame = pd.DataFrame({"x": pd.Series([None, np.nan, pd.NA, pd.NaT, "text"], dtype=object)})

    assert [repr(cell) for cell in through_file(frame)["x"]] == [repr(cell) for cell in frame["x"]]


def test_a_slice_stores_its_own_rows_alone():
    frame = pd.DataFrame({"x": np.arange(100_000), "s": ["text"] * 100_000})
    part = frame.iloc[10:20]

    assert arrow_file.size(codec.encode(part)) < 5_000
    assert_same_frame(part, through_file(part))


def test_attrs_keep_arrays_tuples_and_keys_of_any_type():
    frame = pd.DataFrame({"x": [1]})
    frame.attrs = {
        "sha256": "ab",
        1: (2, [None, {"deep": 1.5}]),
        "when": pd.Timestamp("2024", tz="UTC"),
    }

    assert repr(through_file(frame).attrs) == repr(frame.attrs)

    frame.attrs = {"weights": np.arange(3), "frame": pd.DataFrame({"y": [1]})}
    returned = through_file(frame).attrs
    assert returned["weights"].tolist() == [0, 1, 2]
    assert_same_frame(frame.attrs["frame"], returned["frame"])


@pytest.mark.parametrize("dtype", ["float64", "int64", "float32", "int8", "bool"])
def test_numbers_have_numpy_s_own_dtype_so_that_what_is_fitted_on_them_pickles_the_same(dtype):
    values = np.zeros(3, dtype)

    assert through_file(pd.DataFrame({"a": values}))["a"].dtype is np.dtype(dtype)
    assert through_file(values).dtype is np.dtype(dtype)

"""Frames as a task may return them, for Hypothesis: every dtype, any index, any column names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

Draw = Callable[[st.SearchStrategy[Any]], Any]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "+05:30", "-03:00"])
UNITS = st.sampled_from(["s", "ms", "us", "ns"])
FREQUENCIES = st.sampled_from(["D", "h", "Q-NOV", "M", "15min"])
MOMENTS = st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2250, 1, 1))
SPANS = st.integers(-(2**40), 2**40)
NUMBERS = [f"{kind}{size}" for kind in ("int", "uint") for size in (8, 16, 32, 64)]
FLOATS = ["float16", "float32", "float64", ">f8", "complex64", "complex128"]
MISSING = [None, np.nan, pd.NA, pd.NaT]
# Values of one type each, as columns of dtype object hold them.
OBJECTS: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXT,
    "bytes": st.binary(max_size=4),
    "truth": st.booleans(),
    "integer": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False),
    "date": st.dates(),
    "time": st.times(),
    "moment": MOMENTS,
    "decimal": st.decimals(allow_nan=False, allow_infinity=False),
    "uuid": st.uuids(),
    "list": st.lists(st.integers(0, 9), max_size=3),
    "array": npst.arrays(np.float32, st.integers(0, 3)),
}
ARROW_TYPES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.string(): TEXT,
    pa.bool_(): st.booleans(),
    pa.date32(): st.dates(),
    pa.list_(pa.int64()): st.lists(st.integers(0, 9), max_size=3),
    pa.struct([("a", pa.int64()), ("b", pa.string())]): st.fixed_dictionaries(
        {"a": st.integers(0, 9), "b": TEXT}
    ),
    pa.decimal128(9, 2): st.decimals(-999, 999, places=2),
}


def listed(draw: Draw, values: st.SearchStrategy[Any], length: int) -> list[Any]:
    return list(draw(st.lists(values, min_size=length, max_size=length)))


def or_missing(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), values)


def numbers(draw: Draw, length: int) -> np.ndarray:
    dtype = draw(st.sampled_from([*NUMBERS, *FLOATS, "bool"]))
    return np.asarray(draw(npst.arrays(dtype, length)))


def labels_in_numbers(draw: Draw, length: int) -> np.ndarray:
    """No index holds float16."""
    dtype = draw(st.sampled_from([*NUMBERS, "float32", "float64", "bool"]))
    return np.asarray(draw(npst.arrays(dtype, length)))


def objects(draw: Draw, length: int) -> np.ndarray:
    values = OBJECTS[draw(st.sampled_from(sorted(OBJECTS)))]
    array = np.empty(length, object)
    array[:] = listed(draw, st.one_of(values, st.sampled_from(MISSING)), length)
    return array


def strings(draw: Draw, length: int) -> Any:
    storage = draw(st.sampled_from(["python", "pyarrow"]))
    missing = draw(st.sampled_from([pd.NA, np.nan]))
    values = listed(draw, or_missing(TEXT), length)
    return pd.array(values, dtype=pd.StringDtype(storage, missing))


def moments(draw: Draw, length: int) -> Any:
    values = pd.DatetimeIndex(listed(draw, or_missing(MOMENTS), length)).as_unit(draw(UNITS))
    return values.array


def zoned_moments(draw: Draw, length: int) -> Any:
    return pd.DatetimeIndex(moments(draw, length)).tz_localize("UTC").tz_convert(draw(ZONES)).array


def spans(draw: Draw, length: int) -> Any:
    values = pd.to_timedelta(listed(draw, or_missing(SPANS), length), unit="us")
    return values.as_unit(draw(UNITS)).array


def periods(draw: Draw, length: int) -> Any:
    return pd.PeriodIndex(listed(draw, or_missing(MOMENTS), length), freq=draw(FREQUENCIES)).array


def intervals(draw: Draw, length: int) -> Any:
    closed = draw(st.sampled_from(["left", "right", "both", "neither"]))
    if draw(st.booleans()):
        lower = np.array(listed(draw, st.floats(0, 9), length), float)
        return pd.arrays.IntervalArray.from_arrays(lower, lower + 1, closed)
    lower = pd.date_range("2020-01-01", periods=length, tz=draw(ZONES), unit=draw(UNITS))
    return pd.arrays.IntervalArray.from_arrays(lower, lower + pd.Timedelta("1D"), closed)


def categories(draw: Draw, length: int) -> Any:
    make = draw(st.sampled_from(CATEGORIES))
    distinct = pd.Index(make(draw, draw(st.integers(1, 4)))).dropna().unique()
    codes = listed(draw, st.integers(-1, len(distinct) - 1), length)
    return pd.Categorical.from_codes(codes, distinct, ordered=draw(st.booleans()))


CATEGORIES = (labels_in_numbers, strings, moments, zoned_moments, periods, intervals)


def nullable(draw: Draw, length: int) -> Any:
    dtype = draw(st.sampled_from(["Int8", "UInt16", "Int64", "UInt64", "Float32", "Float64"]))
    if draw(st.booleans()):
        return pd.array(listed(draw, or_missing(st.booleans()), length), dtype="boolean")
    return pd.array(listed(draw, or_missing(st.integers(0, 99)), length), dtype=dtype)


def arrow_backed(draw: Draw, length: int) -> Any:
    kind = draw(st.sampled_from(list(ARROW_TYPES)))
    values = pa.array(listed(draw, or_missing(ARROW_TYPES[kind]), length), kind)
    return pd.arrays.ArrowExtensionArray(values)


COLUMNS = (
    numbers,
    objects,
    strings,
    moments,
    zoned_moments,
    spans,
    periods,
    intervals,
    categories,
    nullable,
    arrow_backed,
)
LABELS = st.one_of(
    TEXT,
    st.integers(-9, 9),
    st.booleans(),
    st.none(),
    st.tuples(TEXT, st.integers(0, 9)),
    MOMENTS.map(pd.Timestamp),
)


def indexes(draw: Draw, length: int) -> pd.Index:
    kind = draw(st.sampled_from(["range", "values", "levels", "regular"]))
    if kind == "range":
        start, step = draw(st.integers(-9, 9)), draw(st.sampled_from([-2, 1, 3]))
        return pd.RangeIndex(start, start + step * length, step, name=draw(LABELS))
    if kind == "regular":
        frequency = draw(st.sampled_from(["D", "B", "2h", "MS", "QS-OCT"]))
        return pd.date_range("2020-01-01", periods=length, freq=frequency, name=draw(LABELS))
    if kind == "levels":
        levels = [draw(st.sampled_from(COLUMNS_OF_INDEXES))(draw, length) for _ in range(2)]
        return pd.MultiIndex.from_arrays(levels, names=[draw(LABELS), draw(LABELS)])
    make = draw(st.sampled_from(COLUMNS_OF_INDEXES))
    return pd.Index(make(draw, length), name=draw(LABELS))


COLUMNS_OF_INDEXES = (
    labels_in_numbers,
    strings,
    moments,
    zoned_moments,
    spans,
    periods,
    categories,
    nullable,
)


def plain(draw: Draw) -> dict[str, Any]:
    leaves = st.one_of(TEXT, st.integers(), st.floats(allow_nan=False), st.booleans(), st.none())
    nested = st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=2) | st.tuples(inner, inner), max_leaves=4
    )
    return dict(draw(st.dictionaries(TEXT, nested, max_size=2)))


@st.composite
def data_frames(draw: Draw) -> pd.DataFrame:
    """Return a frame of up to six rows and five columns."""
    rows, width = draw(st.integers(0, 6)), draw(st.integers(0, 5))
    columns = {number: draw(st.sampled_from(COLUMNS))(draw, rows) for number in range(width)}
    frame = pd.DataFrame(columns, index=indexes(draw, rows))
    header = indexes(draw, width)
    if header.is_unique:
        frame.columns = header
    frame.attrs = plain(draw)
    return frame


@st.composite
def series(draw: Draw) -> pd.Series:
    rows = draw(st.integers(0, 6))
    values = draw(st.sampled_from(COLUMNS))(draw, rows)
    made = pd.Series(values, index=indexes(draw, rows), name=draw(LABELS))
    made.attrs = plain(draw)
    return made


DTYPES = st.one_of(
    npst.boolean_dtypes(),
    npst.integer_dtypes(),
    npst.floating_dtypes(),
    npst.complex_number_dtypes(),
    npst.datetime64_dtypes(),
    npst.timedelta64_dtypes(),
    npst.byte_string_dtypes(),
    npst.unicode_string_dtypes(),
    npst.array_dtypes(npst.integer_dtypes()),
)
SHAPES = npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)


def arrays() -> st.SearchStrategy[np.ndarray]:
    """Return arrays of every dtype without Python objects, in both orders and as slices."""
    laid_out = st.sampled_from([lambda a: a, np.asfortranarray, lambda a: a[..., ::2]])
    return st.builds(
        lambda array, lay: lay(array) if array.ndim else array,
        npst.arrays(DTYPES, SHAPES),
        laid_out,
    )

"""One-dimensional pandas and numpy values ⇄ an Arrow array and a spec of what they were.

pandas' own conversion to Arrow turns NaN into null, forgets which missing value an object column
had, and returns read-only arrays. Here a spec beside each array says exactly what it was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ml_pipeline.xcom.faults import UnsupportedValueError
from ml_pipeline.xcom.objects import Spec, decode_objects, encode_objects, not_unicode
from ml_pipeline.xcom.region import Region

ARROW_UNITS = {"s", "ms", "us", "ns"}
MASKED_DTYPE: type = pd.BooleanDtype.__mro__[1]  # of all nullable dtypes; it has no public name
STRING_MISSING = {"NA": pd.NA, "nan": np.nan}


def encode_values(values: Any) -> tuple[pa.Array, Spec]:
    """Return a numpy or pandas array as an Arrow array and a spec for `decode_values`.

    Raises
    ------
    UnsupportedValueError
        When the same values would not come back.
    """
    for kind, encode in ENCODERS:
        if isinstance(values.dtype, kind):
            return encode(values)
    if isinstance(values.dtype, pd.SparseDtype):
        raise UnsupportedValueError("it is sparse. Use .sparse.to_dense()")
    raise _no_equivalent(values.dtype)


def decode_values(array: pa.Array, spec: Spec, region: Region) -> Any:
    """Return what `encode_values` was given; numbers are laid over the region, not copied."""
    return DECODERS[spec["as"]](array, spec, region)


def _encode_numpy(values: np.ndarray) -> tuple[pa.Array, Spec]:
    kind = values.dtype.kind
    if kind == "O":
        return encode_objects(values)
    if kind not in "biufcmM" or values.dtype.itemsize > (16 if kind == "c" else 8):
        raise _no_equivalent(values.dtype)
    spec = {"as": "numpy", "dtype": values.dtype.str}
    values = np.ascontiguousarray(values, values.dtype.newbyteorder("="))
    if kind in "mM":
        return _encode_times(values), spec
    if kind == "c":
        parts = values.view(f"f{values.dtype.itemsize // 2}")
        return pa.FixedSizeListArray.from_arrays(pa.array(parts, from_pandas=False), 2), spec
    return pa.array(values, from_pandas=False), spec


def _decode_numpy(array: pa.Array, spec: Spec, region: Region) -> np.ndarray:
    dtype = np.dtype(spec["dtype"])
    # numpy's own dtype object, not a copy: they differ in a pickle of what is computed from it.
    native = dtype if dtype.isnative else np.dtype(dtype.newbyteorder("=").str)
    if dtype.kind == "b":
        return array.to_numpy(zero_copy_only=False).copy()  # type: ignore[no-any-return]
    if dtype.kind in "mM":
        return region.view(array, native)  # NaT lies under what Arrow calls null
    if dtype.kind == "c":
        parts = region.view(array.flatten(), f"f{dtype.itemsize // 2}")
        return parts.view(native).astype(dtype, copy=False)
    return region.view(array, native).astype(dtype, copy=False)


def _encode_times(values: np.ndarray) -> pa.Array:
    """Return datetime64 or timedelta64 as Arrow's, not-a-time as null."""
    unit = np.datetime_data(values.dtype)[0]
    kind = pa.timestamp if values.dtype.kind == "M" else pa.duration
    if unit not in ARROW_UNITS:
        raise _no_equivalent(values.dtype)
    is_missing = np.isnat(values)
    mask = is_missing if is_missing.any() else None
    return pa.array(values.view("i8"), mask=mask, from_pandas=False).view(kind(unit))


def _encode_zoned(values: Any) -> tuple[pa.Array, Spec]:
    unit, zone = values.dtype.unit, str(values.dtype.tz)
    try:
        is_known = pd.DatetimeTZDtype(unit, zone) == values.dtype
    except (KeyError, TypeError, ValueError):
        is_known = False
    if not is_known:
        raise UnsupportedValueError(
            f"its time zone {values.dtype.tz!r} has no name that leads back to it. "
            "Use .dt.tz_convert with a zone's name"
        )
    array = _encode_times(values.view("i8").view(f"M8[{unit}]"))
    arrow_zone = zone if zone == "UTC" else zone.removeprefix("UTC")  # "UTC+01:00" is "+01:00"
    return array.view(pa.timestamp(unit, arrow_zone)), {"as": "zoned", "unit": unit, "zone": zone}


def _decode_zoned(array: pa.Array, spec: Spec, region: Region) -> Any:
    return pd.array(
        region.view(array, "i8"), dtype=pd.DatetimeTZDtype(spec["unit"], spec["zone"]), copy=False
    )


def _encode_periods(values: Any) -> tuple[pa.Array, Spec]:
    name = str(values.dtype)
    if pd.api.types.pandas_dtype(name) != values.dtype:
        raise _no_equivalent(name)
    return pa.array(values.view("i8")), {"as": "period", "dtype": name}


def _decode_periods(array: pa.Array, spec: Spec, region: Region) -> Any:
    dtype: Any = pd.api.types.pandas_dtype(spec["dtype"])
    return pd.arrays.PeriodArray(region.view(array, "i8"), dtype=dtype)


def _encode_intervals(values: Any) -> tuple[pa.Array, Spec]:
    (left, left_spec), (right, right_spec) = (
        encode_values(bare_values(side)) for side in (values.left, values.right)
    )
    array = pa.StructArray.from_arrays([left, right], ["left", "right"])
    return array, {
        "as": "interval",
        "closed": values.closed,
        "left": left_spec,
        "right": right_spec,
    }


def _decode_intervals(array: pa.Array, spec: Spec, region: Region) -> Any:
    left, right = (
        decode_values(array.field(side), spec[side], region) for side in ("left", "right")
    )
    return pd.arrays.IntervalArray.from_arrays(left, right, spec["closed"])


def _encode_categories(values: Any) -> tuple[pa.Array, Spec]:
    """Return the codes: Arrow's own dictionaries hold no interval and are lost with no row."""
    from ml_pipeline.xcom.indexes import index_to_text

    spec = {"categories": index_to_text(values.categories), "ordered": values.ordered}
    return pa.array(np.ascontiguousarray(values.codes)), {"as": "categorical", **spec}


def _decode_categories(array: pa.Array, spec: Spec, region: Region) -> Any:
    from ml_pipeline.xcom.indexes import index_from_text

    dtype = pd.CategoricalDtype(index_from_text(spec["categories"]), spec["ordered"])
    codes = region.view(array, array.type.to_pandas_dtype())
    return pd.Categorical.from_codes(codes, dtype=dtype, validate=False)


def _encode_strings(values: Any) -> tuple[pa.Array, Spec]:
    dtype = values.dtype
    missing = "NA" if dtype.na_value is pd.NA else "nan"
    try:
        array = single(pa.array(values, pa.large_string()))
    except UnicodeEncodeError as error:
        raise UnsupportedValueError(not_unicode(error)) from None
    return array, {"as": "string", "storage": dtype.storage, "missing": missing}


def _decode_strings(array: pa.Array, spec: Spec, region: Region) -> Any:
    missing: Any = STRING_MISSING[spec["missing"]]
    dtype: Any = pd.StringDtype(spec["storage"], missing)
    return dtype.__from_arrow__(array)


def _encode_masked(values: Any) -> tuple[pa.Array, Spec]:
    dtype = "bool" if isinstance(values, pd.arrays.BooleanArray) else values.dtype.numpy_dtype
    is_missing = np.asarray(values.isna(), bool)
    filled = (
        values.to_numpy(dtype=dtype, na_value=0) if is_missing.any() else values.to_numpy(dtype)
    )
    array = pa.array(filled, mask=is_missing, from_pandas=False)
    return array, {"as": "masked", "dtype": str(dtype)}


def _decode_masked(array: pa.Array, spec: Spec, region: Region) -> Any:
    is_missing = array.is_null().to_numpy(zero_copy_only=False).copy()
    dtype = np.dtype(spec["dtype"])
    if dtype.kind == "b":
        return pd.arrays.BooleanArray(
            array.fill_null(False).to_numpy(zero_copy_only=False).copy(), is_missing
        )
    kind = pd.arrays.FloatingArray if dtype.kind == "f" else pd.arrays.IntegerArray
    return kind(region.view(array, dtype), is_missing)


def _encode_arrow(values: Any) -> tuple[pa.Array, Spec]:
    return single(pa.array(values)), {"as": "arrow"}


def _decode_arrow(array: pa.Array, spec: Spec, region: Region) -> Any:
    return pd.arrays.ArrowExtensionArray(array)


def _no_equivalent(dtype: Any) -> UnsupportedValueError:
    return UnsupportedValueError(
        f"Arrow has no equivalent of its dtype {dtype}. Convert it first, or leave it out"
    )


def bare_values(holder: Any) -> Any:
    """Return the array of a Series or Index: numpy's own where there is one."""
    return holder.to_numpy() if isinstance(holder.dtype, np.dtype) else holder.array


def single(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return an array as one piece, as a file holds it."""
    if not isinstance(array, pa.ChunkedArray):
        return array
    if array.num_chunks == 1:
        return array.chunk(0)  # combining would copy
    joined = array.combine_chunks()
    if isinstance(joined, pa.ChunkedArray):
        raise UnsupportedValueError(
            f"it holds more than 2 GiB as {array.type}. Use the Arrow type large_{array.type}"
        )
    return joined


ENCODERS: list[tuple[type, Callable[[Any], tuple[pa.Array, Spec]]]] = [
    (np.dtype, _encode_numpy),
    (pd.StringDtype, _encode_strings),
    (pd.CategoricalDtype, _encode_categories),
    (pd.DatetimeTZDtype, _encode_zoned),
    (pd.PeriodDtype, _encode_periods),
    (pd.IntervalDtype, _encode_intervals),
    (pd.ArrowDtype, _encode_arrow),
    (MASKED_DTYPE, _encode_masked),
]
DECODERS: dict[str, Callable[[pa.Array, Spec, Region], Any]] = {
    "numpy": _decode_numpy,
    "object": lambda array, spec, region: decode_objects(array, spec),
    "string": _decode_strings,
    "categorical": _decode_categories,
    "zoned": _decode_zoned,
    "period": _decode_periods,
    "interval": _decode_intervals,
    "arrow": _decode_arrow,
    "masked": _decode_masked,
}

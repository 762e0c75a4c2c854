"""numpy arrays of any shape, numpy scalars, and Arrow's own tables ⇄ an Arrow table."""

from __future__ import annotations

import ast
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from ml_pipeline.xcom.faults import UnsupportedValueError
from ml_pipeline.xcom.objects import Spec, decode_objects, encode_objects
from ml_pipeline.xcom.region import Region
from ml_pipeline.xcom.values import single

ARROW_KINDS = "iuf"
COLUMN = "values"


def encode_array(array: np.ndarray) -> tuple[pa.Table, Spec]:
    """Return an array as an Arrow table of one column, and a spec for `decode_array`.

    Raises
    ------
    UnsupportedValueError
        When it holds Python objects that would not come back.
    """
    order: Literal["C", "F"] = (
        "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    )
    flat = array.ravel(order)
    values, spec = _encode_objects(flat) if array.dtype.hasobject else _encode_numbers(flat)
    table = pa.Table.from_arrays([values], names=[COLUMN])
    return table, {"shape": list(array.shape), "order": order, **spec}


def decode_array(table: pa.Table, spec: Spec, region: Region) -> np.ndarray:
    """Return the array; numbers are laid over the region, writable and not copied."""
    values = single(table.column(0))
    if "object" in spec:
        flat = decode_objects(values, spec["object"])
    else:
        flat = _decode_numbers(values, spec, region)
    return flat.reshape(spec["shape"], order=spec["order"])


def encode_scalar(scalar: np.generic) -> tuple[pa.Table, Spec]:
    """Return a numpy scalar as an array of no dimension."""
    return encode_array(np.asarray(scalar))


def decode_scalar(table: pa.Table, spec: Spec, region: Region) -> Any:
    """Return the numpy scalar."""
    return decode_array(table, spec, region)[()]


def encode_table(table: pa.Table) -> tuple[pa.Table, Spec]:
    """Return the table itself."""
    return table, {}


def decode_table(table: pa.Table, spec: Spec, region: Region) -> pa.Table:
    """Return the table; nothing is copied."""
    return table


def encode_batch(batch: pa.RecordBatch) -> tuple[pa.Table, Spec]:
    """Return a record batch as a table of one."""
    return pa.Table.from_batches([batch]), {}


def decode_batch(table: pa.Table, spec: Spec, region: Region) -> pa.RecordBatch:
    """Return the record batch; nothing is copied."""
    arrays = [single(column) for column in table.columns]
    return pa.RecordBatch.from_arrays(arrays, schema=table.schema)


def _encode_objects(flat: np.ndarray) -> tuple[pa.Array, Spec]:
    try:
        if flat.dtype != object:
            raise UnsupportedValueError(
                f"a field of its dtype {flat.dtype} holds Python objects. Convert it first"
            )
        values, spec = encode_objects(flat)
    except UnsupportedValueError as error:
        raise UnsupportedValueError(f"XCom cannot hold the array: {error}") from None
    return values, {"object": spec}


def _encode_numbers(flat: np.ndarray) -> tuple[pa.Array, Spec]:
    """Return numbers as Arrow's, and what Arrow has no type for as its bytes."""
    spec = {"dtype": repr(np.lib.format.dtype_to_descr(flat.dtype))}
    if flat.dtype.kind in ARROW_KINDS and flat.dtype.isnative and flat.dtype.itemsize <= 8:
        return pa.array(flat, from_pandas=False), spec
    return pa.array(flat.view(np.uint8) if flat.dtype.itemsize else np.empty(0, np.uint8)), spec


def _decode_numbers(values: pa.Array, spec: Spec, region: Region) -> np.ndarray:
    dtype = np.lib.format.descr_to_dtype(ast.literal_eval(spec["dtype"]))
    count = int(np.prod(spec["shape"], dtype=int))
    if not count or not dtype.itemsize:
        return np.empty(count, dtype)
    return region.view(values, values.type.to_pandas_dtype()).view(dtype)

"""Columns of dtype object: text, bytes, dates … of one type, with the missing values they had."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ml_pipeline.xcom.faults import UnsupportedValueError

Spec = dict[str, Any]
MISSING: dict[str, Any] = {"None": None, "nan": np.nan, "NA": pd.NA, "NaT": pd.NaT}
REMEDY = "Make it one plain type first, for example text: .astype('str')"
# Exact as text, but not as Arrow's decimals, which share one exponent.
AS_TEXT: dict[str, Callable[[str], Any]] = {"Decimal": Decimal, "UUID": uuid.UUID}
DIRECT = {str: pa.large_string(), bytes: pa.large_binary(), bool: pa.bool_(), float: pa.float64()}


def encode_objects(values: np.ndarray) -> tuple[pa.Array, Spec]:
    """Return values of dtype object as an Arrow array, and what it takes to get the same back.

    Raises
    ------
    UnsupportedValueError
        When the values are of several types, or of one that Arrow does not give back as it was.
    """
    is_missing = np.asarray(pd.isna(values), bool)
    missing = [_missing_name(value) for value in values[is_missing]]
    if None in missing:
        is_missing = np.array([_missing_name(value) is not None for value in values], bool)
        missing = [_missing_name(value) for value in values[is_missing]]
    array, spec = _encode_present(values, is_missing)
    kinds = sorted({str(name) for name in missing})
    spec = {"as": "object", "missing": kinds, **spec}
    return (array if len(kinds) < 2 else _with_kinds(array, is_missing, missing, kinds)), spec


def decode_objects(array: pa.Array, spec: Spec) -> np.ndarray:
    """Return what `encode_objects` was given."""
    kinds = None
    if len(spec["missing"]) > 1:
        array, kinds = array.field(0), array.field(1).to_numpy()
    values = _decode_present(array, spec)
    is_missing = array.is_null().to_numpy(zero_copy_only=False)
    if kinds is None:
        values[is_missing] = MISSING[spec["missing"][0]] if spec["missing"] else None
        return values
    for number, name in enumerate(spec["missing"]):
        values[is_missing & (kinds == number)] = MISSING[name]
    return values


def not_unicode(error: UnicodeEncodeError) -> str:
    """Say that a text cannot be written as UTF-8, and what helps."""
    return f"a text in it is no valid Unicode ({error.reason}). Mend it where it was read"


def _missing_name(value: Any) -> str | None:
    if isinstance(value, float):
        return "nan" if value != value else None
    return next((name for name in ("None", "NA", "NaT") if value is MISSING[name]), None)


def _with_kinds(
    array: pa.Array, is_missing: np.ndarray, missing: list[Any], kinds: list[str]
) -> pa.Array:
    """Put beside the values which missing value stood in each gap."""
    numbers = np.zeros(len(array), np.int8)
    numbers[is_missing] = [kinds.index(name) for name in missing]
    return pa.StructArray.from_arrays([array, pa.array(numbers)], ["value", "missing"])


def _encode_present(values: np.ndarray, is_missing: np.ndarray) -> tuple[pa.Array, Spec]:
    types = set(map(type, values[~is_missing]))
    if not types:
        return pa.nulls(len(values)), {"type": "missing"}
    if len(types) > 1:
        raise UnsupportedValueError(_mixture(values, is_missing))
    return _encode_type(types.pop(), values, is_missing)


def _encode_type(kind: type, values: np.ndarray, is_missing: np.ndarray) -> tuple[pa.Array, Spec]:
    name = kind.__name__
    try:
        if kind in DIRECT:
            return pa.array(values, DIRECT[kind], mask=is_missing, from_pandas=False), {
                "type": name
            }
        if name in AS_TEXT and kind is AS_TEXT[name]:
            texts = np.array([str(value) for value in values], object)
            return pa.array(texts, pa.large_string(), mask=is_missing), {"type": name}
        return _encode_checked(kind, values, is_missing)
    except UnicodeEncodeError as error:
        raise UnsupportedValueError(not_unicode(error)) from None
    except UnsupportedValueError:
        raise
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UnsupportedValueError(
            f"Arrow cannot hold its {name} values ({reason}). {REMEDY}"
        ) from None


def _encode_checked(
    kind: type, values: np.ndarray, is_missing: np.ndarray
) -> tuple[pa.Array, Spec]:
    """Let Arrow choose, and keep its choice only if every value comes back as it was."""
    array = pa.array(values, mask=is_missing, from_pandas=False)
    spec = {"type": "array" if kind is np.ndarray else "value"}
    for before, after, gap in zip(values, _decode_present(array, spec), is_missing, strict=True):
        if not gap and not _is_same(before, after):
            raise UnsupportedValueError(
                f"Arrow would give back {_shown(after)} for the {kind.__name__} {_shown(before)}. "
                f"{REMEDY}"
            )
    return array, spec


def _decode_present(array: pa.Array, spec: Spec) -> np.ndarray:
    """Return an object array; what is null is left to the caller."""
    if spec["type"] in ("str", "bytes"):
        return np.array(array.to_numpy(zero_copy_only=False), object)
    if spec["type"] in ("bool", "float"):
        empty = pa.scalar(spec["type"] != "bool" and 0.0, array.type)
        return np.array(array.fill_null(empty).to_numpy(zero_copy_only=False), object)
    present = array.to_pylist()
    if spec["type"] == "array":
        cells = array.to_numpy(zero_copy_only=False)
        present = [None if cell is None else np.array(cell) for cell in cells]
    elif make := AS_TEXT.get(spec["type"]):
        present = [None if text is None else make(text) for text in present]
    values = np.empty(len(present), object)
    values[:] = present
    return values


def _is_same(before: Any, after: Any) -> bool:
    if type(before) is not type(after):
        return False
    if isinstance(before, np.ndarray):
        is_alike = before.dtype == after.dtype and before.shape == after.shape
        return bool(is_alike and before.tobytes() == after.tobytes())
    if isinstance(before, dict):
        return list(before) == list(after) and _is_same([*before.values()], [*after.values()])
    if isinstance(before, (list, tuple)):
        return len(before) == len(after) and all(map(_is_same, before, after))
    return bool(before == after or before != before) and str(before) == str(after)


def _mixture(values: np.ndarray, is_missing: np.ndarray) -> str:
    rows = np.flatnonzero(~is_missing)
    first = type(values[rows[0]])
    other = next(row for row in rows if type(values[row]) is not first)
    return (
        f"it mixes types: row {rows[0]} holds {_shown(values[rows[0]])} ({first.__name__}), "
        f"row {other} {_shown(values[other])} ({type(values[other]).__name__}). {REMEDY}"
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."

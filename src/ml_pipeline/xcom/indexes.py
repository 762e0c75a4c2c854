"""Any pandas index ⇄ Arrow arrays: ranges as three numbers, a MultiIndex level by level."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ml_pipeline.xcom import arrow_file
from ml_pipeline.xcom.faults import UnsupportedValueError
from ml_pipeline.xcom.labels import decode_plain, encode_plain
from ml_pipeline.xcom.objects import Spec
from ml_pipeline.xcom.region import Region
from ml_pipeline.xcom.values import bare_values, decode_values, encode_values, single

SPEC_KEY = b"index"


def encode_index(index: pd.Index) -> tuple[list[pa.Array], Spec]:
    """Return an index as Arrow arrays of its length (none for a range), and a spec.

    Raises
    ------
    UnsupportedValueError
        When the same index would not come back.
    """
    if isinstance(index, pd.RangeIndex):
        numbers = {"start": index.start, "stop": index.stop, "step": index.step}
        return [], {"as": "range", "name": encode_plain(index.name), **numbers}
    if isinstance(index, pd.MultiIndex):
        return _encode_levels(index)
    array, spec = encode_values(bare_values(index))
    return [array], {
        "as": "plain",
        "name": encode_plain(index.name),
        "values": spec,
        "frequency": _frequency(index),
    }


def decode_index(arrays: list[pa.Array], spec: Spec, region: Region) -> pd.Index:
    """Return what `encode_index` was given."""
    if spec["as"] == "range":
        name = decode_plain(spec["name"])
        return pd.RangeIndex(spec["start"], spec["stop"], spec["step"], name=name)
    if spec["as"] == "levels":
        return _decode_levels(arrays, spec, region)
    values = decode_values(arrays[0], spec["values"], region)
    name = decode_plain(spec["name"])
    index: Any = pd.Index(values, dtype=values.dtype, name=name, copy=False)
    if spec["frequency"]:
        index.freq = spec["frequency"]
    return index  # type: ignore[no-any-return]


def index_to_text(index: pd.Index) -> str:
    """Return an index as text, for a place in JSON: categories, levels, column names."""
    arrays, spec = encode_index(index)
    table = pa.Table.from_arrays(arrays, names=[str(number) for number in range(len(arrays))])
    return arrow_file.to_text(table.replace_schema_metadata({SPEC_KEY: json.dumps(spec)}))


def index_from_text(text: str) -> pd.Index:
    """Return what `index_to_text` was given."""
    region = arrow_file.from_text(text)
    table = region.table()
    arrays = [single(column) for column in table.columns]
    return decode_index(arrays, json.loads(table.schema.metadata[SPEC_KEY]), region)


def _encode_levels(index: pd.MultiIndex) -> tuple[list[pa.Array], Spec]:
    codes = [pa.array(np.ascontiguousarray(codes)) for codes in index.codes]
    return codes, {"as": "levels", "levels": [index_to_text(level) for level in index.levels]}


def _decode_levels(arrays: list[pa.Array], spec: Spec, region: Region) -> pd.MultiIndex:
    levels: list[Any] = [index_from_text(text) for text in spec["levels"]]
    codes: list[Any] = [region.view(array, array.type.to_pandas_dtype()) for array in arrays]
    names = [level.name for level in levels]
    return pd.MultiIndex(levels, codes, names=names, verify_integrity=False)


def _frequency(index: pd.Index) -> str | None:
    frequency = getattr(index, "freq", None)
    if not isinstance(index, (pd.DatetimeIndex, pd.TimedeltaIndex)) or frequency is None:
        return None
    try:
        is_known = pd.tseries.frequencies.to_offset(frequency.freqstr) == frequency
    except ValueError:
        is_known = False
    if not is_known:
        raise UnsupportedValueError(
            f"its frequency {frequency!r} has no full name. Drop it: index.freq = None"
        )
    return str(frequency.freqstr)

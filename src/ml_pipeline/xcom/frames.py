"""DataFrame and Series ⇄ an Arrow table: a column for each column and each level of the index."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa

from ml_pipeline.xcom.faults import UnsupportedValueError
from ml_pipeline.xcom.indexes import decode_index, encode_index, index_from_text, index_to_text
from ml_pipeline.xcom.labels import decode_plain, encode_plain
from ml_pipeline.xcom.objects import Spec
from ml_pipeline.xcom.region import Region
from ml_pipeline.xcom.values import bare_values, decode_values, encode_values, single

T = TypeVar("T")
Holder = TypeVar("Holder", pd.DataFrame, pd.Series)
INDEX_COLUMN = "__index_{}__"
# More pieces than this make many operations on a frame slow; pandas warns about it at 100.
MOST_BLOCKS = 50


def encode_frame(frame: pd.DataFrame) -> tuple[pa.Table, Spec]:
    """Return a DataFrame as an Arrow table, and a spec for `decode_frame`.

    Raises
    ------
    UnsupportedValueError
        When the same frame would not come back; it names the column.
    """
    labels = frame.columns
    if not labels.is_unique:
        repeated = labels[labels.duplicated()][0]
        raise UnsupportedValueError(
            f"XCom cannot hold the DataFrame: several of its columns are named {repeated!r}. "
            "Rename them, or keep one"
        )
    encoded = [_encode_column(frame, number) for number in range(len(labels))]
    header = _part("column names", lambda: index_to_text(labels))
    columns = dict(zip(_physical_names(labels), encoded, strict=True))
    table, spec = _table({name: array for name, (array, _) in columns.items()}, frame)
    return table, {
        "columns": [spec for _, spec in encoded],
        "header": header,
        **spec,
    }


def decode_frame(table: pa.Table, spec: Spec, region: Region) -> pd.DataFrame:
    """Return the DataFrame; its numbers are laid over the region, writable and not copied."""
    specs = spec["columns"]
    index = _decode_index(table, len(specs), spec, region)
    values = [
        decode_values(single(table.column(number)), each, region)
        for number, each in enumerate(specs)
    ]
    frame = _joined(list(_blocks(values, index, region)), index)
    frame.columns = index_from_text(spec["header"])
    return _with_attrs(frame, spec)


def encode_series(series: pd.Series) -> tuple[pa.Table, Spec]:
    """Return a Series as an Arrow table, and a spec for `decode_series`.

    Raises
    ------
    UnsupportedValueError
        When the same Series would not come back.
    """
    name = "values" if series.name is None else str(series.name)
    what = "Series" if series.name is None else f"Series {series.name!r}"
    array, values_spec = _part(what, lambda: encode_values(bare_values(series)))
    label = _part("name", lambda: encode_plain(series.name))
    table, spec = _table({name: array}, series)
    return table, {"values": values_spec, "name": label, **spec}


def decode_series(table: pa.Table, spec: Spec, region: Region) -> pd.Series:
    """Return the Series; its numbers are laid over the region, writable and not copied."""
    values = decode_values(single(table.column(0)), spec["values"], region)
    index = _decode_index(table, 1, spec, region)
    name = decode_plain(spec["name"])
    series = pd.Series(values, index, values.dtype, name, copy=False)
    return _with_attrs(series, spec)


def _encode_column(frame: pd.DataFrame, number: int) -> tuple[pa.Array, Spec]:
    label = frame.columns[number]
    return _part(
        f"column {label!r} of the DataFrame",
        lambda: encode_values(bare_values(frame.iloc[:, number])),
    )


def _part(what: str, encode: Callable[[], T]) -> T:
    """Encode a part; an error says which part it was."""
    try:
        return encode()
    except UnsupportedValueError as error:
        raise UnsupportedValueError(f"XCom cannot hold the {what}: {error}") from None


def _physical_names(labels: pd.Index) -> list[str]:
    """Return the columns' names in the file: the labels as text, numbered where those repeat."""
    names = [str(label) for label in labels]
    if len(set(names)) == len(names):
        return names
    return [f"{number}: {name}" for number, name in enumerate(names)]


def _table(columns: dict[str, pa.Array], holder: pd.DataFrame | pd.Series) -> tuple[pa.Table, Spec]:
    """Add to the columns those of the index, and to the spec what frame and Series share."""
    arrays, index_spec = _part("index", lambda: encode_index(holder.index))
    names = [*columns, *(INDEX_COLUMN.format(number) for number in range(len(arrays)))]
    table = pa.Table.from_arrays([*columns.values(), *arrays], names=names)
    return table, {
        "index": index_spec,
        "attrs": _part("attrs", lambda: encode_plain(holder.attrs)),
        "allows_duplicate_labels": holder.flags.allows_duplicate_labels,
    }


def _decode_index(table: pa.Table, start: int, spec: Spec, region: Region) -> pd.Index:
    arrays = [single(table.column(number)) for number in range(start, table.num_columns)]
    return decode_index(arrays, spec["index"], region)


def _blocks(values: list[Any], index: pd.Index, region: Region) -> Iterator[pd.DataFrame]:
    """Yield the columns in runs of one numpy dtype, each laid out as in any other DataFrame."""
    start = 0
    for dtype, run in itertools.groupby(values, lambda each: each.dtype):
        columns = list(run)
        names = range(start, start + len(columns))
        start += len(columns)
        if isinstance(dtype, np.dtype):
            block = region.block(columns)
            yield pd.DataFrame(block.T, index, names, dtype, copy=False)
        else:
            yield pd.DataFrame(dict(zip(names, columns, strict=True)), index, copy=False)


def _joined(blocks: list[pd.DataFrame], index: pd.Index) -> pd.DataFrame:
    if not blocks:
        return pd.DataFrame(index=index)
    frame = blocks[0] if len(blocks) == 1 else pd.concat(blocks, axis=1)
    return frame.copy() if len(blocks) > MOST_BLOCKS else frame


def _with_attrs(holder: Holder, spec: Spec) -> Holder:
    holder.attrs = decode_plain(spec["attrs"])
    flags: Any = holder.flags
    flags.allows_duplicate_labels = spec["allows_duplicate_labels"]
    return holder

"""Reading Parquet: the same frame as from CSV, whatever types the file gives its columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from ml_pipeline.errors import DataError
from ml_pipeline.ml.delimited import Batch, textual_columns
from ml_pipeline.ml.dialect import named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from ml_pipeline.config import ProblemConfig

MAGIC = b"PAR1"
INDEX_OF_PANDAS = "__index_level_0__"


def read_parquet(content: bytes, config: ProblemConfig, location: str) -> pa.Table:
    """Return a Parquet file's columns; target, ids and what is declared no number as text.

    Raises
    ------
    DataError
        When the file is broken, or a column is of a type that no feature can have.
    """
    try:
        table = parquet.ParquetFile(pa.BufferReader(content)).read()
    except (pa.ArrowException, OSError) as error:
        raise _broken(error, location) from error
    return _plain(table, config, location)


def read_parquet_batches(
    file: BinaryIO, config: ProblemConfig, location: str, rows: int
) -> Iterator[Batch]:
    """Yield a Parquet file's rows in batches of at most `rows`."""
    first = 0
    try:
        for batch in parquet.ParquetFile(file).iter_batches(rows):
            table = _plain(pa.Table.from_batches([batch]), config, location)
            yield Batch(table, np.arange(first, first + len(table)), {})
            first += len(table)
    except (pa.ArrowException, OSError) as error:
        raise _broken(error, location) from error


def _broken(error: Exception, location: str) -> DataError:
    reason = " ".join(str(error).split())[:200]
    return DataError(f"{location}: cannot be read as Parquet: {reason}")


def _plain(table: pa.Table, config: ProblemConfig, location: str) -> pa.Table:
    if INDEX_OF_PANDAS in table.column_names:
        table = table.drop_columns([INDEX_OF_PANDAS])
    names, textual = named(table.column_names), textual_columns(config)
    columns = {
        name: _column(values, name, name in textual, location)
        if name not in config.data.exclude
        else values
        for name, values in zip(names, table.columns, strict=True)
    }
    if len(columns) < table.num_columns:
        repeated = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{location}: the column name {repeated!r} occurs twice")
    return pa.table(columns)


def _column(values: pa.ChunkedArray, name: str, is_text: bool, location: str) -> pa.ChunkedArray:
    """Return the values as a type that CSV could have given."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        values = values.cast(kind.value_type)
        kind = values.type
    if pa.types.is_nested(kind) or pa.types.is_duration(kind) or _is_binary(kind):
        raise DataError(
            f"{location}, column {name!r}: of type {kind}, which is no number, text or date. "
            "Name it in `data.exclude`, or write it otherwise"
        )
    if is_text:
        return _text(values)
    if pa.types.is_decimal(kind):
        return values.cast(pa.float64())
    if pa.types.is_time(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return values.cast(pa.string())
    return values


def _is_binary(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Write whole numbers without a fraction: a label 1 with gaps beside it is stored as 1.0."""
    if pa.types.is_floating(values.type):
        numbers = values.cast(pa.float64())
        if pc.all(pc.equal(pc.floor(numbers), numbers), skip_nulls=True).as_py():
            values = numbers.cast(pa.int64())
    return values.cast(pa.string())

"""Reading delimited text with Arrow: its columns, or one line that says which line is wrong."""

from __future__ import annotations

import csv as python_csv
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

from ml_pipeline.errors import DataError
from ml_pipeline.ml.dialect import SAMPLE_BYTES, Dialect, find_dialect, find_encoding, to_utf8

if TYPE_CHECKING:
    from ml_pipeline.config import ProblemConfig

MOST_TITLES = 10
BLOCK_BYTES = 4 << 20  # a row must fit into a block
WITH_COMMA = r"^(\s*[+-]?\d*),(\d+(?:[eE][+-]?\d+)?\s*)$"
MISSING = [*csv.ConvertOptions().null_values, "<NA>"]


def textual_columns(config: ProblemConfig) -> set[str]:
    """Name the columns that stay text: '1', '01' and '1.0' are different labels and ids."""
    data = config.data
    names = {config.target.column, *data.ids, *data.categorical, *data.boolean, *data.dates}
    return names | ({data.group} if data.group and data.group not in data.numeric else set())


def read_csv(content: bytes, config: ProblemConfig, location: str) -> tuple[pa.Table, Dialect]:
    """Return the columns of a delimited text, and how it is written.

    Raises
    ------
    DataError
        When it is no text, a quote stays open, or its rows do not fit its columns.
    """
    text, encoding = to_utf8(content, config, location)
    if not text.strip():  # nothing after the mark
        raise DataError(f"{location}: the file is empty")
    text = _with_newlines(text)
    dialect = find_dialect(_beginning(text), encoding, config, location)
    _check_quotes(text, dialect, location)
    table, ragged = _parse(text, dialect, config, location, use_threads=True)
    if ragged:  # only one thread tells their numbers
        _, ragged = _parse(text, dialect, config, location, use_threads=False)
        raise DataError(f"{location}, {_describe_ragged(ragged, dialect)}")
    return table, dialect


class Batch(NamedTuple):
    """Rows that follow one another in a file, all as text.

    Parameters
    ----------
    table
        The rows that fit the columns.
    places : shape (n_rows,)
        Where they stand among all rows, from 0.
    ragged
        Why a row does not fit, by its place.
    """

    table: pa.Table
    places: NDArray[np.int64]
    ragged: dict[int, str]


def read_batches(
    file: BinaryIO, config: ProblemConfig, location: str, rows: int
) -> Iterator[Batch]:
    """Yield a delimited text's rows in batches of at least `rows` but for the last.

    Raises
    ------
    DataError
        When it is no text, or none of its rows fits its columns.
    """
    sample = file.read(SAMPLE_BYTES)
    file.seek(0)
    encoding = find_encoding(sample, config, location)
    text = sample.decode(encoding, errors="ignore")
    beginning = _beginning(_with_newlines(text.encode()))
    if not beginning.strip():
        raise DataError(f"{location}: the file is empty")
    dialect = find_dialect(beginning, encoding, config, location, is_scored=True)
    ragged = list[csv.InvalidRow]()
    options = _options(dialect, config, ragged, use_threads=False, is_text=True)
    try:
        stream = csv.open_csv(pa.PythonFile(file, mode="r"), **options)
        for batch in _placed(_gathered(stream, rows), ragged, dialect, location):
            yield batch._replace(table=_with_points(batch.table, dialect, config))
    except pa.ArrowInvalid as error:
        raise _not_csv(location, error) from error


def _placed(
    tables: Iterator[pa.Table], ragged: list[csv.InvalidRow], dialect: Dialect, location: str
) -> Iterator[Batch]:
    """Tell the places of the rows that fit from those of the others, which are told once."""
    first, told = 0, 0
    for table in tables:
        faults = {row.number - 1 - dialect.has_header: _describe_row(row) for row in ragged}
        spanned = np.arange(first, first + table.num_rows + len(faults))
        places = np.setdiff1d(spanned, list(faults))[: table.num_rows]
        new = dict(list(faults.items())[told:])
        yield Batch(table.rename_columns(dialect.names), places, new)
        first, told = int(places[-1]) + 1, len(faults)
    if ragged and not first:
        raise DataError(f"{location}, {_describe_ragged(ragged, dialect)}")


def _gathered(stream: Any, rows: int) -> Iterator[pa.Table]:
    """Yield tables; the last one when the stream has ended, so that all ragged rows are known."""
    batches, gathered = list[pa.RecordBatch](), 0
    for batch in stream:
        if gathered >= rows:
            yield pa.Table.from_batches(batches)
            batches, gathered = [], 0
        batches.append(batch)
        gathered += batch.num_rows
    if gathered:
        yield pa.Table.from_batches(batches)


def _with_newlines(text: bytes) -> bytes:
    """Return a text with the line ends of today: a Mac of old wrote carriage returns alone."""
    return text if b"\n" in text else text.replace(b"\r", b"\n") + b"\n"


def _beginning(text: bytes) -> str:
    """Return whole lines from the start: as many as a sample holds, at least the first."""
    end = text.rfind(b"\n", 0, SAMPLE_BYTES) if len(text) > SAMPLE_BYTES else len(text)
    if end < 0:
        end = text.find(b"\n", SAMPLE_BYTES)
    return text[: end if end > 0 else len(text)].decode("utf-8-sig", errors="replace")


def _check_quotes(text: bytes, dialect: Dialect, location: str) -> None:
    """Refuse a quote that is not closed: Arrow would take the lines up to the next for one value.

    Python reads slowly, so it only looks at files with an odd number of quotes in some line.
    """
    if not any(line.count(b'"') % 2 for line in text.split(b"\n")):
        return
    lines = io.TextIOWrapper(io.BytesIO(text), "utf-8-sig", newline="")
    rows, line = python_csv.reader(lines, delimiter=dialect.delimiter, strict=True), 1
    try:
        for _ in rows:
            line = rows.line_num + 1
    except python_csv.Error:
        raise DataError(f'{location}, line {line}: a quote (") is opened and not closed') from None


def _parse(
    text: bytes, dialect: Dialect, config: ProblemConfig, location: str, *, use_threads: bool
) -> tuple[pa.Table, list[csv.InvalidRow]]:
    ragged = list[csv.InvalidRow]()
    options = _options(dialect, config, ragged, use_threads=use_threads)
    try:
        table = csv.read_csv(pa.BufferReader(text), **options)
        if times := [field.name for field in table.schema if pa.types.is_time(field.type)]:
            # Arrow takes 10:30 for a time of day; here it is one text among others, as it stands.
            options["convert_options"].column_types |= dict.fromkeys(times, pa.string())
            ragged.clear()
            table = csv.read_csv(pa.BufferReader(text), **options)
    except pa.ArrowInvalid as error:
        raise _not_csv(location, error) from error
    return _with_points(table.rename_columns(dialect.names), dialect, config), ragged


def _options(
    dialect: Dialect,
    config: ProblemConfig,
    ragged: list[csv.InvalidRow],
    *,
    use_threads: bool,
    is_text: bool = False,
) -> dict[str, Any]:
    """Return Arrow's options; the rows that do not fit are put into `ragged`."""

    def remember(row: csv.InvalidRow) -> str:
        ragged.append(row)
        return "skip"

    textual = textual_columns(config)
    names = dialect.raw_names if dialect.has_header else dialect.names
    text_columns = [
        raw for raw, name in zip(names, dialect.names, strict=False) if is_text or name in textual
    ]
    streamed = {"encoding": dialect.encoding} if is_text and not dialect.is_utf8 else {}
    return {
        "read_options": csv.ReadOptions(
            use_threads=use_threads,
            block_size=BLOCK_BYTES,
            column_names=None if dialect.has_header else dialect.names,
            **streamed,
        ),
        "parse_options": csv.ParseOptions(
            delimiter=dialect.delimiter, newlines_in_values=True, invalid_row_handler=remember
        ),
        "convert_options": csv.ConvertOptions(
            strings_can_be_null=True,
            null_values=[*MISSING, *config.data.missing_values],
            decimal_point=dialect.decimal,
            column_types=dict.fromkeys(text_columns, pa.string()),
        ),
    }


def _with_points(table: pa.Table, dialect: Dialect, config: ProblemConfig) -> pa.Table:
    """Write numbers with a point where Arrow left them text: to be scored, or beside stray text."""
    if dialect.decimal == ".":
        return table
    textual = textual_columns(config)
    for place, field in enumerate(table.schema):
        if pa.types.is_string(field.type) and field.name not in textual:
            values = pc.replace_substring_regex(table.column(place), WITH_COMMA, r"\1.\2")
            table = table.set_column(place, field.name, values)
    return table


def _not_csv(location: str, error: Exception) -> DataError:
    reason = " ".join(str(error).split())[:200]
    if "straddling" in reason:
        reason = f"a line longer than {BLOCK_BYTES >> 20} MiB. Is it a table?"
    return DataError(f"{location}: cannot be read as CSV: {reason}")


def _describe_ragged(rows: list[csv.InvalidRow], dialect: Dialect) -> str:
    first = rows[0]
    more = f" (and {len(rows) - 1} more such lines)" if len(rows) > 1 else ""
    hint = ""
    if first.actual_columns == 1 and len(rows) > 1:
        hint = f". Is {dialect.delimiter!r} the right `data.delimiter`?"
    elif dialect.has_header and len(rows) > 1 and _begins_below_a_title(first):
        hint = ". Does line 1 name the columns? Take out what stands above them"
    return f"{_describe_row(first)}{more}{hint}"


def _describe_row(row: csv.InvalidRow) -> str:
    return (
        f"line {row.number}: {row.actual_columns} fields where {row.expected_columns} are expected"
    )


def _begins_below_a_title(first: csv.InvalidRow) -> bool:
    """Whether the first line that does not fit stands near the top, and is longer than line 1."""
    is_longer: bool = first.actual_columns > first.expected_columns
    return is_longer and first.number <= MOST_TITLES

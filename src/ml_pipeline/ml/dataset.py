"""Reading the data: a delimited text file becomes a DataFrame, or one line says why it cannot."""

from __future__ import annotations

import csv
import difflib
import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from ml_pipeline.errors import DataError

if TYPE_CHECKING:
    from ml_pipeline.config import ProblemConfig
    from ml_pipeline.config.data import Data

MOST_COLUMNS = 10_000
BLOCK_BYTES = 4 << 20  # a row must fit into a block


def read_table(config: ProblemConfig) -> pd.DataFrame:
    """Read the configured data file.

    Target and id columns are text exactly as in the file; the others get the type that all their
    values have. `attrs` carries the file's `sha256`.

    Returns
    -------
    DataFrame of shape (n_rows, n_columns)

    Raises
    ------
    DataError
        When the file is missing, empty, no UTF-8 text, or its rows do not fit its columns.
    """
    content = _read_bytes(config.data_location)
    _check_text(content, config.data_location)
    table = _parse(content, config)
    frame: pd.DataFrame = table.to_pandas()
    frame.columns = pd.Index([name.strip() for name in table.column_names])
    _check_columns(frame, config)
    for column in [config.target.column, *config.data.ids]:
        frame[column] = frame[column].str.strip()
    frame.attrs = {"sha256": hashlib.sha256(content).hexdigest()}
    return frame.drop(columns=config.data.exclude)


def file_sha256(config: ProblemConfig) -> str:
    """Return the SHA-256 of the configured data file as it is now."""
    return hashlib.sha256(_read_bytes(config.data_location)).hexdigest()


def _read_bytes(location: str) -> bytes:
    from upath import UPath

    try:
        content: bytes = UPath(location).read_bytes()
    except FileNotFoundError:
        raise DataError(f"{location}: no such file; check `data.path`") from None
    except (OSError, ValueError, ImportError) as error:
        raise DataError(f"{location}: cannot be read: {error}") from error
    if not content.strip():
        raise DataError(f"{location}: the file is empty")
    return content


def _check_text(content: bytes, location: str) -> None:
    position = content.find(b"\0")
    if position >= 0:
        raise DataError(
            f"{location}: no text file (a zero byte at offset {position}). "
            "Must be CSV text in UTF-8"
        )
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise DataError(
            f"{location}, line {_line(content, error.start)}: byte 0x{content[error.start]:02x} "
            "is not UTF-8. Save the file as UTF-8"
        ) from None
    if content.count(b'"') % 2:
        raise DataError(
            f'{location}, line {_unbalanced_line(content)}: a quote (") is opened and not closed'
        )


def _line(content: bytes, position: int) -> int:
    return content.count(b"\n", 0, position) + 1


def _unbalanced_line(content: bytes) -> int:
    lines = content.split(b"\n")
    return next(n for n, line in enumerate(lines, 1) if line.count(b'"') % 2)


def _parse(content: bytes, config: ProblemConfig) -> pa.Table:
    data, ragged = config.data, list[arrow_csv.InvalidRow]()
    names = data.columns or _header(content, config)

    def remember(row: arrow_csv.InvalidRow) -> str:
        ragged.append(row)
        return "skip"

    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(content),
            # One thread: only then do rows carry their numbers.
            read_options=arrow_csv.ReadOptions(
                use_threads=False, block_size=BLOCK_BYTES, column_names=data.columns
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=data.delimiter, newlines_in_values=True, invalid_row_handler=remember
            ),
            convert_options=_conversion(names, config),
        )
    except pa.ArrowInvalid as error:
        raise _not_csv(config, error) from error
    if ragged:
        raise DataError(f"{config.data_location}, {_describe_ragged(ragged, data)}")
    return table


def _conversion(names: list[str], config: ProblemConfig) -> arrow_csv.ConvertOptions:
    """Read target and ids as text: '1', '01' and '1.0' are different labels and ids."""
    textual = {config.target.column, *config.data.ids}
    return arrow_csv.ConvertOptions(
        strings_can_be_null=True,
        column_types={name: pa.string() for name in names if name.strip() in textual},
    )


def _header(content: bytes, config: ProblemConfig) -> list[str]:
    first_line = content.decode("utf-8-sig").lstrip().split("\n", 1)[0]
    try:
        names = next(csv.reader([first_line], delimiter=config.data.delimiter))
    except csv.Error as error:
        raise _not_csv(config, error) from error
    if len(names) > MOST_COLUMNS:
        raise DataError(
            f"{config.data_location}: {len(names)} columns. Must be at most {MOST_COLUMNS}"
        )
    return names


def _not_csv(config: ProblemConfig, error: Exception) -> DataError:
    reason = " ".join(str(error).split())[:200]
    return DataError(f"{config.data_location}: cannot be read as CSV: {reason}")


def _describe_ragged(rows: list[Any], data: Data) -> str:
    first = rows[0]
    more = f" (and {len(rows) - 1} more such lines)" if len(rows) > 1 else ""
    hint = ""
    if first.actual_columns == 1:
        hint = f". Is {data.delimiter!r} the right `data.delimiter`?"
    return (
        f"line {first.number}: {first.actual_columns} fields where {first.expected_columns} "
        f"are expected{more}{hint}"
    )


def _check_columns(frame: pd.DataFrame, config: ProblemConfig) -> None:
    location, names = config.data_location, list(frame.columns)
    if len(names) == 1:
        raise DataError(
            f"{location}: a single column. Is {config.data.delimiter!r} the right `data.delimiter`?"
        )
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(f"{location}, line 1: the column name {repeated[0]!r} occurs twice")
    for column in [config.target.column, *config.data.ids, *config.data.exclude]:
        if column not in names:
            raise DataError(f"{location}: no column {column!r}. {_known(column, names)}")
    if frame.empty:
        raise DataError(f"{location}: no rows below the header")


def _known(column: str, names: list[str]) -> str:
    near = difflib.get_close_matches(column, names, n=3) or names[:8]
    dots = "" if len(near) == len(names) else ", …"
    return f"The file has {', '.join(map(repr, near))}{dots}"

"""Reading the data: a CSV or Parquet file becomes a DataFrame, or one line says why it cannot."""

from __future__ import annotations

import difflib
import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import pandas as pd
import pyarrow as pa

from ml_pipeline.errors import DataError, DataUnreachable
from ml_pipeline.ml import delimited, parquet
from ml_pipeline.ml.delimited import textual_columns
from ml_pipeline.ml.dialect import looks_like_data

if TYPE_CHECKING:
    from ml_pipeline.config import ProblemConfig

MOST_COLUMNS = 10_000


def read_table(config: ProblemConfig, location: str | None = None) -> pd.DataFrame:
    """Read the configured data file, or another one of the same form.

    Target and id columns are text exactly as in the file; the others get the type that all their
    values have. `attrs` carries the file's `sha256` and, as `reading`, how it is written.

    Parameters
    ----------
    config
        What the file is to be read as; what it leaves open is detected.
    location
        A path or URL in place of the configured one.

    Returns
    -------
    DataFrame of shape (n_rows, n_columns)

    Raises
    ------
    DataError
        When the file is missing, empty, neither text nor Parquet, or its rows do not fit its
        columns.
    DataUnreachable
        When the store that the URL names does not answer.

    Examples
    --------
    >>> frame = read_table(config)
    >>> frame.shape
    (569, 32)
    >>> frame.attrs["reading"]["delimiter"]
    ','
    """
    location = location or config.data_location
    content = _read_bytes(location)
    if not content.strip():
        raise DataError(f"{location}: the file is empty")
    table, reading = _table(content, config, location)
    _check_columns(table.column_names, config, location, reading["delimiter"])
    if not table.num_rows:
        raise DataError(f"{location}: no rows below the header")
    frame = _frame(table, config, reading["format"] == "parquet")
    frame.attrs = {"sha256": hashlib.sha256(content).hexdigest(), "reading": reading}
    return frame


def read_chunks(
    config: ProblemConfig, location: str, chunk_rows: int = 100_000
) -> Iterator[pd.DataFrame]:
    """Yield a file's rows in frames of about `chunk_rows`, for scoring: the target may be absent.

    Every column of a CSV file is text, as a type that fits the first rows may not fit the last;
    `validation.check_rows` gives them theirs. The index counts rows through the file, from 0.
    `attrs["ragged"]` tells why a line has no place among the columns, by its row; such lines are
    left out, unless no line fits.

    Raises
    ------
    DataError, DataUnreachable
        As in `read_table`.
    """
    with _readable(location), _opened(location) as file:
        begin = file.read(len(parquet.MAGIC))
        file.seek(0)
        is_parquet = _is_parquet(begin, config)
        if is_parquet:
            batches = parquet.read_parquet_batches(file, config, location, chunk_rows)
        else:
            batches = delimited.read_batches(file, config, location, chunk_rows)
        for batch in batches:
            _check_columns(batch.table.column_names, config, location, None, is_scored=True)
            frame = _frame(batch.table, config, is_parquet)
            frame.index = pd.Index(batch.places)
            frame.attrs["ragged"] = batch.ragged
            yield frame


def file_sha256(config: ProblemConfig) -> str:
    """Return the SHA-256 of the configured data file as it is now."""
    return hashlib.sha256(_read_bytes(config.data_location)).hexdigest()


def _read_bytes(location: str) -> bytes:
    from upath import UPath

    with _readable(location):
        _check_regular(location)
        content: bytes = UPath(location).read_bytes()
    return content


def _opened(location: str) -> BinaryIO:
    from upath import UPath

    _check_regular(location)
    file: BinaryIO = UPath(location).open("rb")
    return file


def _check_regular(location: str) -> None:
    """Refuse what would be waited for without end: a pipe that nobody writes into."""
    if "://" not in location and Path(location).is_fifo():
        raise DataError(f"{location}: a pipe. Must be a file, as it is read more than once")


@contextmanager
def _readable(location: str) -> Iterator[None]:
    """Say in one line why a location cannot be read; a store that is silent is no bad data."""
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{location}: no such file; check `data.path`") from None
    except (IsADirectoryError, PermissionError, ValueError, ImportError) as error:
        raise DataError(f"{location}: cannot be read: {error}") from error
    except OSError as error:
        if "://" in location:
            raise DataUnreachable(f"{location}: cannot be reached: {error}") from error
        raise DataError(f"{location}: cannot be read: {error}") from error


def _is_parquet(begin: bytes, config: ProblemConfig) -> bool:
    wanted = config.data.format
    return begin.startswith(parquet.MAGIC) if wanted == "auto" else wanted == "parquet"


def _table(content: bytes, config: ProblemConfig, location: str) -> tuple[pa.Table, dict[str, Any]]:
    """Return the columns, and how the file that they come from is written."""
    if _is_parquet(content, config):
        table = parquet.read_parquet(content, config, location)
        return table, {"format": "parquet", "delimiter": None}
    table, dialect = delimited.read_csv(content, config, location)
    facts = ("encoding", "delimiter", "decimal", "has_header", "has_mark")
    return table, {"format": "csv"} | {fact: getattr(dialect, fact) for fact in facts}


def _frame(table: pa.Table, config: ProblemConfig, is_parquet: bool) -> pd.DataFrame:
    """Return the wanted columns; Arrow has found the missing values in CSV, but not in Parquet."""
    names = [name for name in table.column_names if name not in config.data.exclude]
    is_marked = bool(config.data.missing_values) and is_parquet
    frame: pd.DataFrame = table.select(names).to_pandas(date_as_object=False, ignore_metadata=True)
    for name in textual_columns(config) & set(names):
        frame[name] = frame[name].astype("str").str.strip()
    for name in names if is_marked else []:
        if isinstance(frame[name].dtype, pd.StringDtype):
            frame[name] = frame[name].mask(frame[name].isin(config.data.missing_values))
    for name in names:
        if frame[name].dtype == "object" and frame[name].isna().all():
            frame[name] = frame[name].astype("float64")
    return frame


def _check_columns(
    names: list[str],
    config: ProblemConfig,
    location: str,
    delimiter: str | None,
    *,
    is_scored: bool = False,
) -> None:
    if not names:
        raise DataError(f"{location}: the file has no columns")
    if len(names) > MOST_COLUMNS:
        raise DataError(f"{location}: {len(names)} columns. Must be at most {MOST_COLUMNS}")
    if len(names) == 1 and delimiter and not is_scored:
        raise DataError(f"{location}: a single column. {_delimiter_question(config, delimiter)}")
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(f"{location}, line 1: the column name {repeated[0]!r} occurs twice")
    data = config.data
    named = [*data.ids, *(column for kind in data.kinds.values() for column in kind)]
    if not is_scored:
        named = [config.target.column, *named, *data.exclude, *([data.group] if data.group else [])]
    for column in named:
        if column not in names:
            raise DataError(f"{location}: no column {column!r}. {_known(column, names)}")


def _delimiter_question(config: ProblemConfig, delimiter: str) -> str:
    if config.data.delimiter:
        return f"Is {delimiter!r} the right `data.delimiter`?"
    return "Give the `data.delimiter`: it is none of ',', ';', '|' and the tab"


def _known(column: str, names: list[str]) -> str:
    near = difflib.get_close_matches(column, names, n=3) or names[:8]
    dots = "" if len(near) == len(names) else ", …"
    hint = ""
    if looks_like_data(names):
        hint = ". Its first line looks like data: set `data.header` to false, and `data.columns`"
    return f"The file has {', '.join(map(repr, near))}{dots}{hint}"

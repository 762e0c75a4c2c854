"""How a text file is written: its encoding, delimiter, header and decimal sign, from a sample."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ml_pipeline.errors import DataError

if TYPE_CHECKING:
    from ml_pipeline.config import ProblemConfig

SAMPLE_BYTES = 1 << 20
SAMPLE_LINES = 50
DELIMITERS = (",", ";", "\t", "|")
# What charset-normalizer chooses from: left alone it takes rare code pages for short texts.
ENCODINGS = ["cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp932", "euc_kr", "gb18030", "big5"]
LATIN = {"cp1252", "cp1250", "cp1253", "cp1254"}  # where no word has the letter 0xff
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
PACKED = {
    b"PK\x03\x04": "a ZIP archive or a workbook: unpack it, or save the sheet as CSV",
    b"\x1f\x8b": "compressed by gzip: unpack it",
    b"BZh": "compressed by bzip2: unpack it",
    b"\xfd7zXZ": "compressed by xz: unpack it",
    b"\x28\xb5\x2f\xfd": "compressed by zstd: unpack it",
}
CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f"))
DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*")
DECIMAL_POINT = re.compile(r"\s*[+-]?\d+\.\d+\s*")


@dataclass(frozen=True)
class Dialect:
    """How a delimited text file is written.

    `names` are the columns' names, in the file's order; `has_header` tells whether its first line
    holds them. `raw_names` are the fields of that line as they stand there.
    """

    encoding: str
    delimiter: str
    decimal: str
    has_header: bool
    has_mark: bool
    names: list[str]
    raw_names: list[str]

    @property
    def is_utf8(self) -> bool:
        """Whether Arrow reads the encoding itself; it skips the mark, too."""
        return self.encoding.lower().replace("_", "-") in {"utf-8", "utf8", "utf-8-sig", "ascii"}


def to_utf8(content: bytes, config: ProblemConfig, location: str) -> tuple[bytes, str]:
    """Return the file's text in UTF-8, and the encoding that it had.

    Raises
    ------
    DataError
        When a byte stands for nothing in that encoding.
    """
    encoding = find_encoding(content[:SAMPLE_BYTES], config, location)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8" or config.data.encoding:
            raise undecodable(content, error, location) from None
        # What the sample did not show: the first byte that is not ASCII stands further down.
        around = content[max(0, error.start - SAMPLE_BYTES // 2) :][:SAMPLE_BYTES]
        encoding = _guessed(around, error, location)
        text = content.decode(encoding, errors="strict")
    if "\0" in text:
        raise _binary(content, b"\0", location)
    return (content if encoding == "utf-8" else text.encode()), encoding


def find_encoding(sample: bytes, config: ProblemConfig, location: str) -> str:
    """Return the encoding that is configured, or the one that the bytes speak for.

    Raises
    ------
    DataError
        When the bytes are no text, or in no encoding that can be told.
    """
    mark = next((mark for mark in MARKS if sample.startswith(mark)), None)
    if config.data.encoding:
        return MARKS[codecs.BOM_UTF8] if mark == codecs.BOM_UTF8 else config.data.encoding
    if mark:
        return MARKS[mark]
    _check_no_binary(sample, location)
    fault = _utf8_fault(sample)
    return "utf-8" if fault is None else _guessed(sample, fault, location)


def find_dialect(
    text: str, encoding: str, config: ProblemConfig, location: str, *, is_scored: bool = False
) -> Dialect:
    """Return how the file whose beginning is `text` is written.

    Rows that are scored (`is_scored`) may come without the target's column.
    """
    data, lines = config.data, _first_lines(text)
    delimiter = data.delimiter or _likeliest_delimiter(lines, config.target.column)
    rows = _fields(lines, delimiter, location)
    names = [name.strip() for name in rows[0]]
    has_header = _has_header(names, config)
    return Dialect(
        encoding=encoding,
        delimiter=delimiter,
        decimal=data.decimal or _likeliest_decimal(rows, delimiter),
        has_header=has_header,
        has_mark=encoding == MARKS[codecs.BOM_UTF8],
        names=named(names) if has_header else _numbered(rows, config, is_scored),
        raw_names=rows[0],
    )


def _fields(lines: list[str], delimiter: str, location: str) -> list[list[str]]:
    """Return the fields of each line."""
    try:
        return list(csv.reader(lines, delimiter=delimiter))
    except csv.Error as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{location}: cannot be read as CSV: {reason}") from error


def looks_like_data(names: list[str]) -> bool:
    """Whether the fields of a first line are values rather than names: a number among them."""
    return any(re.fullmatch(r"\s*[+-]?\d*[.,]?\d+([eE][+-]?\d+)?\s*", name) for name in names)


def undecodable(content: bytes, error: UnicodeDecodeError, location: str) -> DataError:
    """Return the error that names line, byte and encoding of what cannot be decoded."""
    line = content.count(b"\n", 0, error.start) + 1
    return DataError(
        f"{location}, line {line}: byte 0x{content[error.start]:02x} is not "
        f"{error.encoding.upper()}. Give the file's `data.encoding`, or save it as UTF-8"
    )


def _check_no_binary(sample: bytes, location: str) -> None:
    controls = bytes(set(sample) & set(CONTROLS))
    if controls:
        raise _binary(sample, controls, location)


def _binary(content: bytes, controls: bytes, location: str) -> DataError:
    packed = next((kind for magic, kind in PACKED.items() if content.startswith(magic)), None)
    if packed:
        return DataError(f"{location}: {packed}. Must be CSV text or Parquet")
    position = min(content.index(byte) for byte in controls if byte in content)
    kind = "zero" if content[position] == 0 else "control"
    hint = ". Is it UTF-16? Give the `data.encoding`" if _alternates(content[:8]) else ""
    return DataError(
        f"{location}: no text file (a {kind} byte at offset {position}). "
        f"Must be CSV text or Parquet{hint}"
    )


def _alternates(begin: bytes) -> bool:
    """Whether every other byte is zero, as of English in UTF-16."""
    return len(begin) == 8 and (begin[::2], begin[1::2]).count(bytes(4)) == 1


def _utf8_fault(sample: bytes) -> UnicodeDecodeError | None:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError as error:
        return error
    return None


def _guessed(sample: bytes, fault: UnicodeDecodeError, location: str) -> str:
    """Ask charset-normalizer; a UTF-8 text with a broken byte is no other encoding."""
    import charset_normalizer

    decoded = sample.decode("utf-8", errors="surrogateescape")
    broken = sum("\udc80" <= char <= "\udcff" for char in decoded)
    if broken <= sum(char > "\x7f" for char in decoded) - broken:
        raise undecodable(sample, fault, location)
    best = charset_normalizer.from_bytes(sample, cp_isolation=ENCODINGS).best()
    if best is None or (best.encoding in LATIN and b"\xff" in sample):
        raise undecodable(sample, fault, location)
    reads_alike = sample.decode("cp1252", errors="replace") == str(best)
    return "cp1252" if reads_alike else str(best.encoding)


def _first_lines(text: str) -> list[str]:
    lines = text.replace("\r\n", "\n").split("\n", SAMPLE_LINES)[:SAMPLE_LINES]
    return [line for line in lines if line.strip()]


def _likeliest_delimiter(lines: list[str], target: str) -> str:
    """Return the delimiter that gives the target its column and lines the same number of fields."""

    def merit(delimiter: str) -> tuple[bool, bool, int, int]:
        try:
            rows = list(csv.reader(lines, delimiter=delimiter))
        except csv.Error:
            return False, False, 0, 0
        fields, alike = Counter(map(len, rows)).most_common(1)[0]
        names_target = target in [name.strip() for name in rows[0]]
        return fields > 1 and names_target, fields > 1, alike, fields

    return max(DELIMITERS, key=merit)


def _likeliest_decimal(rows: list[list[str]], delimiter: str) -> str:
    if delimiter == ",":
        return "."
    values = [value for row in rows for value in row]
    has_point = any(DECIMAL_POINT.fullmatch(value) for value in values)
    return "," if not has_point and any(map(DECIMAL_COMMA.fullmatch, values)) else "."


def _has_header(names: list[str], config: ProblemConfig) -> bool:
    """Believe the configuration; else the target's name, which only a header can hold."""
    data, target = config.data, config.target.column
    if data.header is not None:
        return data.header
    if data.columns is not None:
        return False
    number = re.fullmatch(r"column_(\d+)", target)
    return target in names or not number or not 0 < int(number[1]) <= len(names)


def named(names: list[str]) -> list[str]:
    """Return the names, with a number for a column that has none: pandas writes its index so."""
    return [name or f"column_{place}" for place, name in enumerate(names, 1)]


def _numbered(rows: list[list[str]], config: ProblemConfig, is_scored: bool) -> list[str]:
    """Return the configured names, or numbers: as many as most rows have fields."""
    columns, fields = config.data.columns, Counter(map(len, rows)).most_common(1)[0][0]
    if columns is None:
        return [f"column_{place}" for place in range(1, fields + 1)]
    if is_scored and fields == len(columns) - 1:
        return [name for name in columns if name != config.target.column]
    return columns

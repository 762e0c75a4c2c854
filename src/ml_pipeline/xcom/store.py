"""Arrow tables in files: written with their checksum, read back mapped or whole."""

from __future__ import annotations

import errno
import hashlib
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import pyarrow as pa

from ml_pipeline.xcom import arrow_file
from ml_pipeline.xcom.files import Files
from ml_pipeline.xcom.region import DamagedError, Region

CHUNK_BYTES = 16 * 2**20


@dataclass(frozen=True)
class StoredFile:
    """What a descriptor says about its file.

    Parameters
    ----------
    name
        Relative to the folder of files.
    bytes, sha256
        Its length and checksum.
    """

    name: str
    bytes: int
    sha256: str


def write(files: Files, folder: str, table: pa.Table) -> StoredFile:
    """Write the table as a new file in `folder`: whole, or not at all.

    Raises
    ------
    XComError
        When there is no room, or no permission.
    """
    with files.creating(folder) as (name, file):
        sink = _Hashing(file)
        arrow_file.write(table, pa.PythonFile(sink, "w"))
    return StoredFile(name, sink.length, sink.digest.hexdigest())


def digest(table: pa.Table) -> str:
    """Return the checksum of the file that the table would become, without writing it."""
    sink = _Hashing()
    arrow_file.write(table, pa.PythonFile(sink, "w"))
    return sink.digest.hexdigest()


def read(files: Files, file: StoredFile) -> Region:
    """Return a file's content: mapped when it is on this machine, else read whole and verified.

    Raises
    ------
    FileNotFoundError
        When it is gone.
    DamagedError
        When it is not the file that was written.
    """
    path = files.path(file.name)
    with files.explaining("read"):
        length = path.stat().st_size
        if length != file.bytes:
            raise DamagedError(f"{path} has {length:,} of {file.bytes:,} bytes")
        region = Region.over_file(path) if files.is_local else _fetched(path, length)
    is_checked = files.settings.is_verified or not files.is_local
    if is_checked and region.digest() != file.sha256:
        raise DamagedError(f"the checksum of {path} is another")
    return region


def _fetched(path: Any, length: int) -> Region:
    memory = np.empty(length, np.uint8)
    rest = memory.data
    with path.open("rb", block_size=CHUNK_BYTES) as source:
        while rest and (data := source.read(min(len(rest), CHUNK_BYTES))):
            rest[: len(data)] = data
            rest = rest[len(data) :]
    if rest:
        raise OSError(errno.EIO, f"{path} ended {len(rest):,} bytes early")
    return Region(memory)


class _Hashing:
    """A file for pyarrow that takes the checksum of what passes, on its way to another file."""

    closed = False

    def __init__(self, file: IO[bytes] | None = None) -> None:
        self.file = file
        self.digest = hashlib.sha256()
        self.length = 0

    def write(self, data: Any) -> int:
        self.digest.update(data)
        if self.file:
            self.file.write(data)
        length = memoryview(data).nbytes
        self.length += length
        return length

    def flush(self) -> None:
        if self.file:
            self.file.flush()

    def close(self) -> None:
        """Leave the file open: who opened it closes it."""

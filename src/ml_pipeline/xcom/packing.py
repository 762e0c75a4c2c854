"""A value as a task returns it ⇄ the JSON that Airflow stores, frames replaced by descriptors.

This room is entered only when there is a frame or an array in the value.
"""

from __future__ import annotations

import base64
import hashlib
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from ml_pipeline.xcom import arrow_file, codec, store
from ml_pipeline.xcom.descriptor import (
    INLINE,
    PATH,
    TAG,
    VERSION,
    Origin,
    describe,
    is_descriptor,
    where,
)
from ml_pipeline.xcom.faults import XComError
from ml_pipeline.xcom.files import Files, task_folder
from ml_pipeline.xcom.parts import is_part, replaced
from ml_pipeline.xcom.region import DamagedError, Region
from ml_pipeline.xcom.store import StoredFile

ZSTD = "zstd"


@dataclass(frozen=True)
class _Encoded:
    """A frame or an array on its way into the database or a file.

    Parameters
    ----------
    table
        What becomes of it in Arrow.
    bytes
        The length of its file.
    facts
        Its descriptor, still without a place.
    """

    table: pa.Table
    bytes: int
    facts: dict[str, Any]


@dataclass
class _Shelf:
    """The files that this process has written for one task instance, so that none is written twice.

    Parameters
    ----------
    folder
        The task instance's.
    """

    folder: str = ""
    files: dict[StoredFile, set[str]] = field(default_factory=dict)


_shelf = _Shelf()


def pack(value: Any, origin: Origin, files: Files) -> Any:
    """Return the value with its frames and arrays replaced by descriptors.

    All are encoded before the first is written; if one cannot be, nothing is left.

    Raises
    ------
    UnsupportedValueError
        When a part would not come back as it is.
    XComError
        When a file cannot be written.
    """
    encoded = replaced(value, is_part, lambda part: _encode(part, origin))
    packer = _Packer(files, origin)
    try:
        return replaced(encoded, lambda part: isinstance(part, _Encoded), packer.place)
    except BaseException:
        packer.undo()
        raise


def unpack(packed: Any, files: Files) -> Any:
    """Return the value that `pack` was given.

    Raises
    ------
    XComError
        When a file is gone, or is not what was written.
    """
    return replaced(packed, is_descriptor, lambda part: _decode(part, files))


def _encode(part: Any, origin: Origin) -> _Encoded:
    table = codec.encode(part)
    facts = describe(part, str(codec.kind_of(part)), origin)
    return _Encoded(table, arrow_file.size(table), facts)


class _Packer:
    """Gives the encoded parts of one XCom their places: the database while there is room, or files.

    Parameters
    ----------
    files
        Where files go.
    origin
        Which XCom it is.
    """

    def __init__(self, files: Files, origin: Origin) -> None:
        self.files = files
        self.origin = origin
        self.room = files.settings.threshold_bytes
        self.written: list[StoredFile] = []

    def place(self, part: _Encoded) -> dict[str, Any]:
        """Return the part's whole descriptor."""
        if part.bytes <= self.room:
            self.room -= part.bytes
            return {**part.facts, **_inline(part.table)}
        file = self._shared(part) or self._written(part)
        return {**part.facts, "bytes": file.bytes, "sha256": file.sha256, PATH: file.name}

    def undo(self) -> None:
        """Remove the files of an XCom that does not come about."""
        for file in self.written:
            _shelf.files.pop(file, None)
            with suppress(XComError):
                self.files.release(file.name, self.origin.key)

    def _written(self, part: _Encoded) -> StoredFile:
        file = store.write(self.files, _shelf.folder, part.table)
        self.written.append(file)
        _shelf.files[file] = {self.origin.key}
        return file

    def _shared(self, part: _Encoded) -> StoredFile | None:
        """Return the file with the same content that the task has stored before, if it has."""
        _open_shelf(self.origin)
        alike = [file for file in _shelf.files if file.bytes == part.bytes]
        checksum = store.digest(part.table) if alike else None
        for file in alike:
            if file.sha256 == checksum and self.files.exists(file.name):
                self._share(file)
                return file
        return None

    def _share(self, file: StoredFile) -> None:
        """Mark the file with every key that refers to it, as soon as there are two."""
        keys = _shelf.files[file]
        if self.origin.key in keys:
            return
        for key in {*keys, self.origin.key} if len(keys) == 1 else {self.origin.key}:
            self.files.share(file.name, key)
        keys.add(self.origin.key)


def _decode(descriptor: dict[str, Any], files: Files) -> Any:
    if descriptor[TAG] != VERSION:
        raise XComError(
            f"{where(descriptor)} has format {descriptor[TAG]!r}; this version reads {VERSION}. "
            "Clear its task to make it again"
        )
    try:
        region = _from_inline(descriptor) if INLINE in descriptor else _from_file(descriptor, files)
        return codec.decode(region)
    except FileNotFoundError:
        raise XComError(
            f"{where(descriptor)} is gone: no {descriptor[PATH]} below {files.settings.url}. "
            "`ml-pipeline prune` or a cleared task removed it. Clear its task to make it again"
        ) from None
    except (DamagedError, LookupError, TypeError) as error:
        raise XComError(
            f"{where(descriptor)} cannot be read: {error}. Clear its task to make it again"
        ) from error


def _open_shelf(origin: Origin) -> None:
    """Forget what was stored for other task instances."""
    global _shelf
    folder = task_folder(origin.dag_id, origin.run_id, origin.task_id, origin.map_index)
    if _shelf.folder != folder:
        _shelf = _Shelf(folder)


def _inline(table: pa.Table) -> dict[str, Any]:
    """Return the content itself, compressed as a whole: it is small, and its numbers repeat."""
    content = arrow_file.to_bytes(table)
    packed = pa.compress(content, ZSTD, asbytes=True)
    return {
        "bytes": content.size,
        "sha256": hashlib.sha256(content).hexdigest(),
        INLINE: base64.b64encode(packed).decode(),
    }


def _from_inline(descriptor: dict[str, Any]) -> Region:
    try:
        packed = base64.b64decode(descriptor[INLINE], validate=True)
        content = pa.decompress(packed, descriptor["bytes"], ZSTD, asbytes=True)
    except (ValueError, OSError, pa.ArrowException) as error:
        raise DamagedError(str(error)) from error
    if hashlib.sha256(content).hexdigest() != descriptor["sha256"]:
        raise DamagedError("its checksum is another")
    return Region.over_bytes(content)


def _from_file(descriptor: dict[str, Any], files: Files) -> Region:
    file = StoredFile(descriptor[PATH], descriptor["bytes"], descriptor["sha256"])
    return store.read(files, file)

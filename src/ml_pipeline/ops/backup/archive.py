"""The backup's file: a ZIP of named members, uncompressed (the dumps are), written whole or not.

Members are read by the names that we know, never by those in the file, and are streamed: nothing
is unpacked, so no name in it can lead anywhere.
"""

from __future__ import annotations

import errno
import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from ml_pipeline.ops.backup.manifest import BackupError, Manifest, Member

MANIFEST = "manifest.json"
MANIFEST_BYTES = 2**20  # far more than any
CHUNK_BYTES = 2**20
ZIP_SIGNATURE = b"PK\x03\x04"


class HashingWriter:
    """Passes on what is written, if to anybody, and knows its size and checksum."""

    def __init__(self, target: IO[bytes] | None = None) -> None:
        self._target = target
        self._digest = sha256()
        self._bytes = 0

    def write(self, data: bytes) -> int:
        """Write and count."""
        self._digest.update(data)
        self._bytes += len(data)
        return self._target.write(data) if self._target else len(data)

    @property
    def member(self) -> Member:
        """What was written so far."""
        return Member(bytes=self._bytes, sha256=self._digest.hexdigest())


class ArchiveWriter:
    """Writes members one after another, and the manifest last."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file
        self.members: dict[str, Member] = {}

    @contextmanager
    def member(self, name: str) -> Iterator[HashingWriter]:
        """Yield a writer for a new member."""
        with self._file.open(name, "w", force_zip64=True) as target:
            writer = HashingWriter(target)
            yield writer
        self.members[name] = writer.member

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest."""
        self._file.writestr(MANIFEST, manifest.model_dump_json(indent=1))


class ArchiveReader:
    """Reads an archive that has been opened and whose manifest is valid."""

    def __init__(self, path: Path, file: zipfile.ZipFile, manifest: Manifest) -> None:
        self._path = path
        self._file = file
        self.manifest = manifest

    def verify(self) -> None:
        """Return when every member is what the manifest says.

        Raises
        ------
        BackupError
            Naming the first that is not.
        """
        for name, expected in self.manifest.members.items():
            writer = HashingWriter()
            for chunk in self.chunks(name):
                writer.write(chunk)
            if writer.member != expected:
                raise BackupError(
                    f"{name} in {self._path} does not have the recorded checksum: the file is "
                    "damaged. Restore another backup."
                )

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield a member's content, part by part."""
        with _damage_named(self._path), self._file.open(name) as member:
            while chunk := member.read(CHUNK_BYTES):
                yield chunk

    def text(self, name: str) -> str:
        """Return a small member's content."""
        return b"".join(self.chunks(name)).decode()


@contextmanager
def written(target: Path, *, replace: bool) -> Iterator[ArchiveWriter]:
    """Yield a writer whose archive appears under its name when the block ends, and is whole.

    Raises
    ------
    BackupError
        When it cannot be written there; nothing is left then.
    """
    _require_place(target, replace)
    beside: Path | None = None
    try:
        descriptor, name = tempfile.mkstemp(".partial", ".backup-", target.parent)  # 0600
        beside = Path(name)
        with os.fdopen(descriptor, "wb") as stream:
            with zipfile.ZipFile(stream, "w") as file:
                yield ArchiveWriter(file)
            stream.flush()
            os.fsync(stream.fileno())
        _require_place(target, replace)
        beside.replace(target)
    except OSError as error:
        raise BackupError(_unwritable(target, error)) from error
    finally:
        if beside is not None:
            beside.unlink(missing_ok=True)


@contextmanager
def opened(path: Path) -> Iterator[ArchiveReader]:
    """Yield a reader of an archive whose manifest is valid.

    Raises
    ------
    BackupError
        When there is no such file, or it is no backup, cut off or damaged.
    """
    try:
        stream = path.open("rb")
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error.strerror}.") from error
    with stream, _zip(path, stream) as file:
        yield ArchiveReader(path, file, _manifest(path, file))


def _require_place(target: Path, replace: bool) -> None:
    if target.is_dir():
        raise BackupError(f"{target} is a folder. Name a file in it: {target / 'backup.zip'}")
    if not target.parent.is_dir():
        raise BackupError(
            f"There is no folder {target.parent}. Make it: mkdir -p '{target.parent}'"
        )
    if not replace and os.path.lexists(target):
        raise BackupError(f"{target} exists. Name another file, or replace it: --force")


def _unwritable(target: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        remedy = "Make room there, or name a file elsewhere."
    else:
        remedy = "Name a file where you may write."
    return f"The backup cannot be written to {target}: {error.strerror}. {remedy}"


@contextmanager
def _zip(path: Path, stream: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    is_begun = stream.read(len(ZIP_SIGNATURE)) == ZIP_SIGNATURE
    try:
        file = zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        if is_begun:
            message = f"{path} is cut off: its end is missing. Copy it again."
        else:
            message = f"{path} is no backup of ml-pipeline."
        raise BackupError(message) from error
    with file:
        yield file


def _manifest(path: Path, file: zipfile.ZipFile) -> Manifest:
    try:
        with _damage_named(path), file.open(MANIFEST) as member:
            manifest = Manifest.model_validate_json(member.read(MANIFEST_BYTES))
            for name in manifest.members:
                _require_plain(path, file.getinfo(name))
    except KeyError as error:
        raise BackupError(f"{path} is no whole backup of ml-pipeline: {error.args[0]}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise BackupError(
            f"{path}: its {MANIFEST} is not one that this version reads ({where}: {first['msg']}). "
            "Update this clone, or restore another backup."
        ) from error
    return manifest


def _require_plain(path: Path, member: zipfile.ZipInfo) -> None:
    """Refuse what we never write, such as gigabytes that are compressed to nothing."""
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
        raise BackupError(f"{path}: {member.filename} is compressed or encrypted; no backup's is.")


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise BackupError(f"{path} is damaged ({error}). Restore another backup.") from error

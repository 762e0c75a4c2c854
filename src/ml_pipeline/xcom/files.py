"""The folder of large values: on this machine or on any object storage.

A file's name is its path below the folder, so that a moved project still finds it, and is never
used twice. What tasks and runs are called is made safe there for every file system.
"""

from __future__ import annotations

import errno
import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from ml_pipeline.errors import ConfigError
from ml_pipeline.storage import folder_name
from ml_pipeline.xcom.faults import XComError
from ml_pipeline.xcom.settings import URL, Settings

SUFFIX = ".arrow"
PARTIAL_SUFFIX = ".partial"
SHARED_SUFFIX = ".shared"
UNMAPPED = "unmapped"
KEY_DIGITS = 16


def task_folder(dag_id: str, run_id: str, task_id: str, map_index: int | None) -> str:
    """Return the folder of a task instance: relative, and safe for every file system."""
    is_mapped = map_index is not None and map_index >= 0
    names = (folder_name(name) for name in (dag_id, run_id, task_id))
    return "/".join((*names, str(map_index) if is_mapped else UNMAPPED))


class Files:
    """The folder of files; a file in it is whole or absent.

    Parameters
    ----------
    settings
        Where the folder lies.
    root
        The folder itself, when it is open already.
    """

    def __init__(self, settings: Settings, root: Any = None) -> None:
        self.settings = settings
        self.root = root if root is not None else _open(settings)
        self.is_local = isinstance(self.root, Path)

    def path(self, name: str) -> Any:
        """Return where a file lies.

        Raises
        ------
        XComError
            When the name leads out of the folder: somebody has changed the database.
        """
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts or not parts.parts:
            raise XComError(f"Got {name!r} as the file of an XCom. It leads out of its folder")
        return self.root / name

    @contextmanager
    def creating(self, folder: str) -> Iterator[tuple[str, IO[bytes]]]:
        """Yield the name of a new file and the file; it appears only if the block ends well.

        Locally it is written beside and renamed. Object storage shows no unfinished object, and
        elsewhere no descriptor names a file before it is whole.

        Raises
        ------
        XComError
            When there is no room, or no permission.
        """
        name = f"{folder}/{secrets.token_hex(8)}{SUFFIX}"
        path = self.path(name)
        beside = path.with_name(path.name + PARTIAL_SUFFIX) if self.is_local else path
        with self.explaining("write"):
            try:
                with self._opened(beside) as file:
                    yield name, file
                if self.is_local:
                    beside.replace(path)
            except BaseException:
                with suppress(Exception):
                    beside.unlink(missing_ok=True)
                raise

    def exists(self, name: str) -> bool:
        """Tell whether a file is there."""
        return bool(self.path(name).exists())

    def share(self, name: str, key: str) -> None:
        """Note that the XCom of this key refers to the file, as one of several."""
        with self.explaining("write"):
            self.path(_mark(name, key)).touch()

    def release(self, name: str, key: str) -> None:
        """Remove a file that the XCom of this key refers to, unless others refer to it too.

        Raises
        ------
        XComError
            When the file system refuses.
        """
        path = self.path(name)
        with self.explaining("remove"):
            self.path(_mark(name, key)).unlink(missing_ok=True)
            if not list(path.parent.glob(f"{path.name}.*{SHARED_SUFFIX}")):
                path.unlink(missing_ok=True)

    @contextmanager
    def explaining(self, verb: str) -> Iterator[None]:
        """Turn what a file system says into one line; that a file is gone is for the reader."""
        try:
            yield
        except OSError as error:
            if verb == "read" and isinstance(error, FileNotFoundError):
                raise
            message = f"cannot {verb} XComs below {self.settings.url}: {_advice(error)}"
            raise XComError(message) from error

    def _opened(self, path: Any) -> IO[bytes]:
        """Open a new file; its folder is made again if it was just cleared away as empty."""
        try:
            self._make_folder(path.parent)
            return path.open("wb")  # type: ignore[no-any-return]
        except FileNotFoundError:
            self._make_folder(path.parent)
            return path.open("wb")  # type: ignore[no-any-return]

    def _make_folder(self, folder: Any) -> None:
        if self.is_local:  # rows of data: the owner's alone
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(parents=True, exist_ok=True)


@dataclass(frozen=True)
class Found:
    """A file that lies in the folder.

    Parameters
    ----------
    path
        Where.
    owner
        The name of the file that it belongs to: its own, or that of the file that it marks as
        shared; None for one that was not finished.
    bytes
        Its length.
    """

    path: Any
    owner: str | None
    bytes: int


def written_before(files: Files, moment: float) -> Iterator[Found]:
    """Yield the files that were written before a moment, in seconds since the epoch.

    Files without this room's suffixes are somebody else's and are left out.

    Raises
    ------
    XComError
        When the folder cannot be read.
    """
    with files.explaining("list"):
        names = _names(files)
    for name in names:
        path = files.path(name)
        with suppress(FileNotFoundError):  # a task that was cleared has just removed it
            modified, length = _status(path)
            if modified < moment:
                yield Found(path, _owner(name), length)


def remove_empty_folders(files: Files, found: Found) -> None:
    """Remove the folders that a removed file has left empty, locally, up to the folder of files."""
    folder = found.path.parent
    while files.is_local and folder != files.root:
        try:
            folder.rmdir()
        except OSError:  # not empty, or just taken into use
            return
        folder = folder.parent


def _open(settings: Settings) -> Any:
    """Open the folder: by Airflow, with its connections, where one of its providers knows how."""
    if folder := settings.folder:
        return folder
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.io.fs import has_fs
    from upath import UPath

    is_known = has_fs(settings.url.partition("://")[0])
    try:
        root = ObjectStoragePath(settings.url) if is_known else UPath(settings.url)
        root.fs  # noqa: B018  the library behind the scheme is loaded here
    except (ValueError, ImportError) as error:
        raise ConfigError(f"{URL}: Got {settings.url!r}. {error}") from error
    return root


def _mark(name: str, key: str) -> str:
    """Return the name of the mark that says that a key shares a file."""
    digest = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
    return f"{name}.{digest[:KEY_DIGITS]}{SHARED_SUFFIX}"


def _owner(name: str) -> str | None:
    """Return the file that a file belongs to; None for one that is not finished."""
    if name.endswith(PARTIAL_SUFFIX):
        return None
    if name.endswith(SHARED_SUFFIX):
        return name[: -len(SHARED_SUFFIX) - KEY_DIGITS - 1]
    return name


def _names(files: Files) -> list[str]:
    if files.is_local:
        found = (path.relative_to(files.root) for path in files.root.rglob("*") if path.is_file())
        names = [path.as_posix() for path in found]
    else:
        top = str(files.root.path).rstrip("/")
        names = [path[len(top) :].lstrip("/") for path in files.root.fs.find(top)]
    suffixes = (SUFFIX, SUFFIX + PARTIAL_SUFFIX, SHARED_SUFFIX)
    return sorted(name for name in names if name.endswith(suffixes))


def _status(path: Any) -> tuple[float, int]:
    """Return when a file was written last and its length."""
    if isinstance(path, Path):
        status = path.stat()
        return status.st_mtime, status.st_size
    return float(path.fs.modified(path.path).timestamp()), int(path.fs.size(path.path))


def _advice(error: OSError) -> str:
    reason = error.strerror or str(error).partition("\n")[0]
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"{reason}. Make room (ml-pipeline prune), or name another place in {URL}"
    return f"{reason}. Check that place, or name another one in {URL}"

"""The results root: a local folder or object storage; one folder per run, whole or absent."""

from __future__ import annotations

import ctypes
import hashlib
import json
import logging
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ml_pipeline.errors import ConfigError, PipelineError

if TYPE_CHECKING:
    from upath import UPath

    from ml_pipeline.config import ProblemConfig

Place: TypeAlias = "Path | UPath"

log = logging.getLogger(__name__)

CLONE = Path(__file__).resolve().parents[2]
MANIFEST = "manifest.json"
LATEST = "latest"
SCORING = "scoring"  # the folder of scored rows, beside the runs
STAGING_SUFFIX = ".partial"
REPLACED_SUFFIX = ".replaced"
DIGEST_LENGTH = 16
SAFE_NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,99}")
EXCHANGE = {"linux": ("renameat2", 2), "darwin": ("renameatx_np", 2)}
AT_FDCWD = {"linux": -100, "darwin": -2}


class StorageError(PipelineError):
    """The results root cannot be written, or the place there is taken."""


def results_root(config: ProblemConfig | None = None) -> Place:
    """Return where runs are kept: `ML_PIPELINE_RESULTS`, the configuration's, or the clone's.

    Raises
    ------
    ConfigError
        When the URL's scheme is unknown or its library is not installed.
    """
    from upath import UPath

    place = os.environ.get("ML_PIPELINE_RESULTS")
    if not place and config and config.storage.results:
        place = config.resolve(config.storage.results)
    place = place or str(CLONE / "results")
    try:
        root = UPath(place).absolute()
        root.fs  # noqa: B018  the library behind the scheme is loaded here
    except (ValueError, ImportError) as error:
        raise ConfigError(f"storage.results: Got {place!r}. {error}") from error
    return Path(root.path) if root.protocol in ("", "file", "local") else root


def folder_name(run_id: str, dag_id: str | None = None) -> str:
    """Return a folder name for `run_id` that is safe everywhere; different ids never share one.

    An id of lower-case letters, digits, '_', '-' and '.' is its own name. Any other loses what
    file systems, shells and URLs treat specially and gets a digest appended, which also keeps
    apart ids that differ only in case (macOS folds it) and runs that two DAGs have at the same
    time. '~' stands in no unchanged name.
    """
    is_aside = run_id.endswith((STAGING_SUFFIX, REPLACED_SUFFIX))
    is_reserved = run_id.startswith(LATEST) or run_id == SCORING
    if SAFE_NAME.fullmatch(run_id) and not is_aside and not is_reserved:
        return run_id
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", run_id).strip("-")[:80]
    identity = f"{dag_id or ''}\0{run_id}".encode(errors="surrogatepass")
    return f"{readable or 'run'}~{hashlib.sha256(identity).hexdigest()[:DIGEST_LENGTH]}"


@dataclass(frozen=True)
class Run:
    """One run and its place below the results root.

    Parameters
    ----------
    root
        The results root.
    run_id
        Airflow's run id, or any other text.
    dag_id
        None when no DAG ran it.
    """

    root: Place
    run_id: str
    dag_id: str | None = None

    @property
    def name(self) -> str:
        """The run id made safe; see `folder_name`."""
        return folder_name(self.run_id, self.dag_id)

    @property
    def folder(self) -> Place:
        """The published folder: whole or absent."""
        return self.root / self.name

    @property
    def staging(self) -> Place:
        """Where the run's files gather before they are published."""
        return self.root / (self.name + STAGING_SUFFIX)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turn a failure of the file system inside the block into a StorageError."""
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"cannot write results below {self.root}: {error.strerror or error}. "
                "Make room there, or name another place in ML_PIPELINE_RESULTS"
            ) from error

    def begin(self) -> None:
        """Make the staging folder, empty also when an earlier attempt left something there.

        Raises
        ------
        StorageError
            When the published folder belongs to another DAG's run of the same id.
        """
        self._check_owner()
        _finish_replacement(self.folder)
        self.discard()
        self.staging.mkdir(parents=True, exist_ok=True)

    def discard(self) -> None:
        """Remove the staging folder, if there is one."""
        _remove(self.staging)

    def publish(self) -> None:
        """Put the staged files in the published folder's place and name this run the latest.

        An earlier attempt's folder is replaced whole. Locally the two are exchanged in one step;
        on object storage the manifest, which readers require, is written last.
        """
        self._check_owner()
        _finish_replacement(self.folder)
        root = self.root
        if isinstance(root, Path):
            _publish_folder(root / self.staging.name, root / self.name)
            _link_latest(root, self.name)
        else:
            _publish_objects(self.staging, self.folder)
            latest = {"run": self.name, "run_id": self.run_id, "dag_id": self.dag_id}
            (root / f"{LATEST}.json").write_text(json.dumps(latest))

    def _check_owner(self) -> None:
        try:
            owner = json.loads((self.folder / MANIFEST).read_text()).get("dag_id")
        except (FileNotFoundError, ValueError):
            return
        if owner != self.dag_id:
            raise StorageError(
                f"{self.folder} already holds run {self.run_id!r} of {owner or 'no DAG'}. "
                "Choose another run id, or give this problem its own `storage.results`"
            )


def locate(root: Place, uri: str) -> list[Place]:
    """Return the files that `uri` (`<run>/<file>`) may mean: the staged one if any, the published.

    The published one comes last and need not exist.
    """
    run, file = uri.split("/", 1)
    staged = root / (run + STAGING_SUFFIX) / file
    return [staged, root / run / file] if staged.exists() else [root / run / file]


def _remove(folder: Place) -> None:
    if isinstance(folder, Path):
        shutil.rmtree(folder, ignore_errors=not folder.exists())
    elif folder.exists():
        folder.rmdir(recursive=True)


def _publish_folder(staging: Path, folder: Path) -> None:
    for file in [*staging.iterdir(), staging]:
        _flush(file)
    if not folder.exists():
        staging.rename(folder)
    elif _exchange(staging, folder):
        shutil.rmtree(staging)
    else:
        _replace(staging, folder)
    _flush(folder.parent)


def _flush(path: Path) -> None:
    """Force to disk, so that no power cut leaves a published folder with empty files."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step; False where system or file system cannot.

    Linux: renameat2 with RENAME_EXCHANGE; macOS: renameatx_np with RENAME_SWAP.
    """
    name, flag = EXCHANGE.get(sys.platform, ("", 0))
    call = getattr(ctypes.CDLL(None), name, None) if name else None
    if call is None:
        return False
    here = AT_FDCWD[sys.platform]
    return bool(call(here, os.fsencode(one), here, os.fsencode(other), flag) == 0)


def _replace(staging: Path, folder: Path) -> None:
    earlier = _replaced(folder)
    folder.rename(earlier)
    try:
        staging.rename(folder)
    except OSError:
        earlier.rename(folder)
        raise
    shutil.rmtree(earlier)


def _finish_replacement(folder: Place) -> None:
    """Clear up after a process that died between the two renames of `_replace`."""
    if not isinstance(folder, Path):
        return
    if folder.exists():
        shutil.rmtree(_replaced(folder), ignore_errors=True)
    elif _replaced(folder).exists():
        _replaced(folder).rename(folder)


def _replaced(folder: Path) -> Path:
    return folder.with_name(folder.name + REPLACED_SUFFIX)


def _link_latest(root: Path, name: str) -> None:
    beside = root / f".{LATEST}.{os.getpid()}"
    beside.unlink(missing_ok=True)
    try:
        beside.symlink_to(name, target_is_directory=True)
        beside.replace(root / LATEST)
    except OSError as error:
        beside.unlink(missing_ok=True)
        log.warning("%s still names an earlier run: %s", root / LATEST, error)


def _publish_objects(staging: Place, folder: Place) -> None:
    names = sorted(file.name for file in staging.iterdir())
    for name in sorted(names, key=lambda name: name == MANIFEST):
        (folder / name).write_bytes((staging / name).read_bytes())
    for stale in {file.name for file in folder.iterdir()} - set(names):
        (folder / stale).unlink()
    _remove(staging)

"""The record of a running stack: who keeps it, where it answers, and the lock around it."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path

import psutil

from ml_pipeline.errors import StackError
from ml_pipeline.ops.project import Project
from ml_pipeline.ops.start_time import boot_id, is_start_of

SOCKET_PATH_BYTES = (
    90  # macOS allows 103, and supervisord appends its pid while it creates the file
)
SHORT_FOLDER = Path("/tmp")

LOCK_PATIENCE_SECONDS = 0.5  # longer than a look by `status`, which takes the lock for an instant


@dataclass(frozen=True)
class StackRecord:
    """What the other commands need to know about the running stack.

    Parameters
    ----------
    keeper_pid, keeper_start
        The keeper's process id and start (see `start_time`): together they name one process, also
        after the number has been used again.
    marker
        A text that stands in the environment of every process of this stack, and of no other.
    host, port
        Where the web server listens.
    boot
        What names the boot of the machine: nothing of the stack outlives it.
    """

    keeper_pid: int
    keeper_start: float
    marker: str
    host: str
    port: int
    boot: str = field(default_factory=boot_id)

    @property
    def url(self) -> str:
        """The address to open in a browser."""
        return self.own_url.replace("//127.0.0.1:", "//localhost:")

    @property
    def own_url(self) -> str:
        """The address for programs on this machine: loopback when the web server is on every one.

        As a number: on another address that `localhost` also means, somebody else may listen.
        """
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def is_of_this_boot(self) -> bool:
        """Whether the machine was not booted since."""
        return self.boot == boot_id()

    def keeper(self) -> psutil.Process | None:
        """Return the keeper, or None when it is gone."""
        try:
            process = psutil.Process(self.keeper_pid)
            is_same = self.is_of_this_boot and is_start_of(self.keeper_start, process)
            is_alive = process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return None
        return process if is_same and is_alive else None


def read(project: Project) -> StackRecord | None:
    """Return the record of the last stack that was started and not yet cleared away."""
    try:
        return StackRecord(**json.loads(_record_file(project).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def write(project: Project, record: StackRecord) -> None:
    """Store the record, whole or not at all."""
    project.run.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = _record_file(project).with_suffix(f".{os.getpid()}")
    beside.write_text(json.dumps(asdict(record)))
    beside.replace(_record_file(project))


def clear(project: Project) -> None:
    """Forget the stack; to be called once nothing of it is left."""
    _record_file(project).unlink(missing_ok=True)


def is_locked(project: Project) -> bool:
    """Tell whether a stack of this clone runs, starts or stops at this moment."""
    with _lock_file(project) as descriptor:
        return not _try_lock(descriptor)


@contextmanager
def lock(project: Project) -> Iterator[int]:
    """Hold the clone's one lock; yield its file descriptor, for the keeper to inherit.

    The lock belongs to the open file: it lasts until every process that inherited the descriptor
    is gone, however it died.

    Raises
    ------
    StackError
        When somebody else holds it.
    """
    with _lock_file(project) as descriptor:
        if not _try_lock(descriptor, LOCK_PATIENCE_SECONDS):
            raise StackError(
                "Another start or stop of this clone is under way. Wait for it, or see: "
                "ml-pipeline status"
            )
        yield descriptor


def socket_file(project: Project) -> Path:
    """Return the path of supervisord's control socket, short enough for every system.

    It depends on the clone alone: another shell may have another TMPDIR.
    """
    path = project.run / "supervisor.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES:
        return path
    digest = sha256(os.fsencode(project.root)).hexdigest()[:12]
    return SHORT_FOLDER / f"ml-pipeline-{os.getuid()}-{digest}" / path.name


def make_socket_folder(project: Project) -> None:
    """Make the folder of the control socket, for its owner alone.

    Raises
    ------
    StackError
        When somebody else has it: its name can be guessed, and who owns it could put a socket of
        his own there.
    """
    folder = socket_file(project).parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder == project.run:
        return
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise StackError(f"{folder} is not ours. Have its owner remove it, then start again")


def _record_file(project: Project) -> Path:
    return project.run / "stack.json"


@contextmanager
def _lock_file(project: Project) -> Iterator[int]:
    project.run.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(project.run / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, patience_seconds: float = 0.0) -> bool:
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
        else:
            return True

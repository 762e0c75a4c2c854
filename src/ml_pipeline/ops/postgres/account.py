"""The operating-system account that runs the server: ourselves, or for root an unprivileged one."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ml_pipeline.errors import DatabaseError

# PostgreSQL refuses to run as root. initdb needs a name in the system's user list, and creating
# a user would be an installation outside the clone.
UNPRIVILEGED_NAMES = ("postgres", "_postgres", "nobody")
OWNER_ONLY = 0o077
UNWANTED_VARIABLES = frozenset({"LANG", "ML_PIPELINE_DATABASE_URL"})


@dataclass(frozen=True)
class Account:
    """A user of the operating system."""

    uid: int
    gid: int
    name: str

    @property
    def is_self(self) -> bool:
        """Whether this process already runs as that user."""
        return self.uid == os.geteuid()

    def run(
        self,
        command: Sequence[str | Path],
        *,
        output: int | IO[bytes],
        seconds: float,
        text: str = "",
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program as this user, with `output` for both of its streams.

        `output` must be a file where the program may leave a server behind: a pipe would stay
        open as long as that runs. `text` is what it reads.

        Raises
        ------
        DatabaseError
            When it cannot be run, or does not end in time.
        """
        try:
            return subprocess.run(
                [str(part) for part in command],
                input=text.encode(),
                stdout=output,
                stderr=subprocess.STDOUT,
                env=server_environment(),
                cwd="/",  # the caller's folder may be closed to this user
                timeout=seconds,
                check=False,
                umask=OWNER_ONLY,
                user=None if self.is_self else self.uid,
                group=None if self.is_self else self.gid,
                extra_groups=None if self.is_self else [],
            )
        except OSError as error:
            raise DatabaseError(f"{command[0]} cannot be run: {error.strerror}.") from error
        except subprocess.TimeoutExpired as error:
            raise DatabaseError(f"{command[0]} did not end within {seconds:.0f} s.") from error

    def can_enter(self, folder: Path) -> bool:
        """Tell whether this user can reach a folder, by trying: rights may lie in ACLs too."""
        if self.is_self:
            return os.access(folder, os.X_OK)
        tried = self.run(
            ["/bin/sh", "-c", 'cd "$1"', "sh", folder], output=subprocess.DEVNULL, seconds=10
        )
        return tried.returncode == 0

    def own(self, path: Path) -> None:
        """Give a file or folder to this user; a link itself, never what it points to."""
        if not self.is_self:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def own_tree(self, folder: Path) -> None:
        """Give a folder and all below it to this user."""
        for parent, folders, files in os.walk(folder):
            for name in (".", *folders, *files):
                self.own(Path(parent, name))

    def become(self) -> None:
        """Turn this process into that user's, for good."""
        os.umask(OWNER_ONLY)
        if not self.is_self:
            os.setgroups([])
            os.setgid(self.gid)
            os.setuid(self.uid)


def server_account(data: Path) -> Account:
    """Return the account for a data folder: its owner, once it exists.

    Raises
    ------
    DatabaseError
        When it belongs to somebody else and this process is not root's.
    """
    try:
        owner = data.stat().st_uid
    except (FileNotFoundError, PermissionError):
        owner = os.geteuid()
    if os.geteuid() == 0:
        return _unprivileged() if owner == 0 else _account(owner)
    if owner != os.geteuid():
        raise DatabaseError(
            f"The database in {data} belongs to the user {_account(owner).name}. "
            "Run this command as the user who set this folder up (or as root)."
        )
    return _account(owner)


def own_name() -> str:
    """Return this process's user, by its number: after a plain `su`, LOGNAME names another."""
    return pwd.getpwuid(os.geteuid()).pw_name


def server_environment() -> dict[str, str]:
    """Return this process's environment without what would bend a server, and without secrets.

    LC_ALL=C: on macOS a server without a locale aborts.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PG", "LC_")) and name not in UNWANTED_VARIABLES
    }
    return {**kept, "LC_ALL": "C"}


def _account(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Account(uid, os.getegid(), str(uid))
    return Account(uid, entry.pw_gid, entry.pw_name)


def _unprivileged() -> Account:
    for name in UNPRIVILEGED_NAMES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, name)
    raise DatabaseError(
        "PostgreSQL refuses to run as root, and this machine has none of the users "
        f"{', '.join(UNPRIVILEGED_NAMES)} to run it instead. Run this command as an ordinary user."
    )

"""Where the cluster lies: in the clone, or outside, where root's unprivileged server can go."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from ml_pipeline.errors import DatabaseError
from ml_pipeline.ops.postgres import record
from ml_pipeline.ops.postgres.account import Account
from ml_pipeline.ops.postgres.binaries import Binaries
from ml_pipeline.ops.project import Project

OUTSIDE = Path("/usr/local/var" if sys.platform == "darwin" else "/var/lib") / "ml-pipeline"
ENTERABLE = 0o711  # others may pass through to what is theirs, but not list
COPY_SECONDS = 600


def home(project: Project) -> Path:
    """Return the folder that holds the cluster, or will hold it."""
    recorded = record.read(project).home
    return Path(recorded) if recorded else project.postgres


def settle(project: Project, account: Account) -> Path:
    """Make sure that the server's account can reach the cluster's home, and return it.

    A home that cannot be reached is moved out of the clone with all that it holds: opening the
    parent folders to others instead would change what the user has closed.
    """
    project.postgres.mkdir(mode=0o700, parents=True, exist_ok=True)
    if account.is_self:
        return home(project)
    project.postgres.chmod(ENTERABLE)
    current = home(project)
    if current != project.postgres:
        _require(project, current)
        _claim(project, current)
    if account.can_enter(current):
        return current
    return _move_out(project, account, current)


def reachable_binaries(binaries: Binaries, account: Account, home: Path) -> Binaries:
    """Return binaries that the account can run: these, or a copy of the bundled ones in `home`.

    Raises
    ------
    DatabaseError
        When they are closed to the account and are not ours to copy.
    """
    if account.is_self or account.can_enter(binaries.folder):
        return binaries
    if not binaries.is_bundled:
        raise DatabaseError(
            f"{binaries.folder} is closed to the user {account.name}, who has to run PostgreSQL "
            "because root may not. Name another folder in ML_PIPELINE_PG_BINDIR, or run this "
            "command as an ordinary user."
        )
    return replace(binaries, folder=_copied_bundle(binaries.folder.parent, home / "binaries"))


def _move_out(project: Project, account: Account, current: Path) -> Path:
    OUTSIDE.mkdir(parents=True, exist_ok=True)
    OUTSIDE.chmod(0o755)
    outside = OUTSIDE / secrets.token_hex(6)
    outside.mkdir()
    outside.chmod(ENTERABLE)
    if not account.can_enter(outside):
        outside.rmdir()
        raise DatabaseError(
            f"The user {account.name}, who has to run PostgreSQL because root may not, can enter "
            f"neither {current} nor {OUTSIDE}. Put this folder where that user can reach it, or "
            "run this command as an ordinary user."
        )
    (outside / "clone").write_text(str(project.root))
    if (current / "data").exists():
        _copy(current / "data", outside / "data")
    record.update(project, home=str(outside))
    shutil.rmtree(current / "data", ignore_errors=True)
    return outside


def _require(project: Project, outside: Path) -> None:
    if not outside.is_dir():
        raise DatabaseError(
            f"The folder of this clone's database, {outside}, is gone. Bring it back; or, to start "
            f"with an empty database, remove {project.postgres} and {project.secrets}."
        )


def _claim(project: Project, outside: Path) -> None:
    """Note who uses a home outside; refuse when this clone is a copy of one that still does."""
    note = outside / "clone"
    user = Path(note.read_text()) if note.exists() else project.root
    if user != project.root and record.read(Project(user)).home == str(outside):
        raise DatabaseError(
            f"This folder is a copy of {user}, whose database in {outside} it would share. "
            f"To start with an empty database of its own, remove {project.postgres} and "
            f"{project.secrets}."
        )
    note.write_text(str(project.root))


def _copied_bundle(bundle: Path, into: Path) -> Path:
    """Copy the wheel's programs with the libraries that they look for beside them."""
    package = bundle.parent
    copy = into / package.name / bundle.name
    if not _is_same(bundle / "bin" / "postgres", copy / "bin" / "postgres"):
        beside = into.with_name(f"{into.name}.partial")
        shutil.rmtree(beside, ignore_errors=True)
        for part in _parts(bundle):
            target = beside / part.relative_to(package.parent)
            shutil.copytree(part, target, symlinks=True, copy_function=shutil.copy2)
        _open_for_reading(beside)
        shutil.rmtree(into, ignore_errors=True)
        beside.rename(into)
    return copy / "bin"


def _parts(bundle: Path) -> list[Path]:
    package = bundle.parent
    libraries = (package.with_name(f"{package.name}.libs"), package / ".dylibs")
    parts = [bundle / name for name in ("bin", "lib", "share")]
    return parts + [folder for folder in libraries if folder.is_dir()]


def _is_same(original: Path, copy: Path) -> bool:
    if not copy.is_file():
        return False
    ours, theirs = copy.stat(), original.stat()
    return (ours.st_size, int(ours.st_mtime)) == (theirs.st_size, int(theirs.st_mtime))


def _open_for_reading(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            is_program = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if is_program else 0o644)


def _copy(data: Path, target: Path) -> None:
    """Copy a stopped cluster with its owners and rights, which shutil would lose."""
    beside = target.with_name(f"{target.name}.partial")
    copied = subprocess.run(
        ["cp", "-Rp", data, beside], capture_output=True, text=True, timeout=COPY_SECONDS
    )
    if copied.returncode != 0:
        raise DatabaseError(f"{data} cannot be copied to {target}: {copied.stderr.strip()}")
    beside.rename(target)

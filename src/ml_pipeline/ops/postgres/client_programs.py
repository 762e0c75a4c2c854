"""Find a `pg_dump` and `pg_restore` that fit a server: never older than it, as little newer."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ml_pipeline.errors import DatabaseError
from ml_pipeline.ops.postgres import binaries, record
from ml_pipeline.ops.project import Project

PROGRAMS = ("pg_dump", "pg_restore")
# Homebrew's clients without a server.
CLIENT_ONLY = ("/opt/homebrew/opt/libpq/bin", "/usr/local/opt/libpq/bin")


@dataclass(frozen=True)
class ClientPrograms:
    """One installation's `pg_dump` and `pg_restore`."""

    folder: Path
    major: int

    def program(self, name: str) -> Path:
        """Return the path of one program."""
        return self.folder / name


def find(
    project: Project,
    oldest_major: int,
    *,
    needs_tls: bool = False,
    folders: Iterable[tuple[Path, bool]] | None = None,
) -> ClientPrograms:
    """Return the oldest programs that are not older than `oldest_major`.

    A `pg_dump` refuses a newer server; what a newer one writes sets options that an older server
    does not know.

    Parameters
    ----------
    needs_tls
        Whether the connection is encrypted: the wheel's programs cannot do that.
    folders
        Where to look instead, each with whether it came with the wheel.

    Raises
    ------
    DatabaseError
        When there are none; the message lists every place looked at, and the remedy.
    """
    fitting, looked_at = [], []
    for folder, is_bundled in _candidates(project) if folders is None else folders:
        major = _major(folder)
        looked_at.append(f"  {folder}: {_described(major, is_bundled)}")
        if major is not None and major >= oldest_major and not (needs_tls and is_bundled):
            fitting.append(ClientPrograms(folder, major))
    if not fitting:
        raise DatabaseError(_nothing_found(oldest_major, needs_tls, looked_at))
    return min(fitting, key=lambda programs: programs.major)


def _candidates(project: Project) -> Iterator[tuple[Path, bool]]:
    named, recorded = os.environ.get(binaries.VARIABLE), record.read(project).binaries
    for name in filter(None, (named, recorded)):
        yield Path(name).expanduser(), False
    for folder in binaries.bundled_folders():
        yield folder, True
    for folder in binaries.installed_folders(path=""):
        yield folder, False
    on_path = os.environ.get("PATH", "").split(os.pathsep)
    for name in filter(None, (*CLIENT_ONLY, *on_path)):
        if (Path(name) / "pg_dump").exists():
            yield Path(name), False


def _major(folder: Path) -> int | None:
    """Return the version of a folder's programs, None when they are not all there or do not run."""
    versions = {_version(folder / name) for name in PROGRAMS}
    return versions.pop() if len(versions) == 1 else None


def _version(program: Path) -> int | None:
    try:
        answer = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    return int(version[1]) if version else None


def _described(major: int | None, is_bundled: bool) -> str:
    if major is None:
        return "no pg_dump and pg_restore that run"
    return f"PostgreSQL {major}, without TLS" if is_bundled else f"PostgreSQL {major}"


def _nothing_found(oldest_major: int, needs_tls: bool, looked_at: list[str]) -> str:
    tls = " with TLS" if needs_tls else ""
    places = "\n".join(looked_at) or "  (nothing)"
    return (
        f"pg_dump and pg_restore of PostgreSQL {oldest_major} or newer{tls} are needed, and not "
        f"here. Looked at:\n{places}\n"
        f"Install them (Debian, Ubuntu: postgresql-client-{oldest_major}; macOS: brew install "
        f"libpq), or name their folder in {binaries.VARIABLE}."
    )

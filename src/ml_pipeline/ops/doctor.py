"""Does this machine have what the stack needs? Each check says what it found and what to do."""

from __future__ import annotations

import os
import resource
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import psutil

from ml_pipeline.errors import PipelineError
from ml_pipeline.ops import ports, postgres, stack
from ml_pipeline.ops.project import Project

SUPPORTED_PYTHON = ((3, 11), (3, 14))
DISK_BYTES = 2 * 2**30  # the environment takes 1.3 GB, the rest is for data, logs and WAL
MEMORY_BYTES = 2 * 2**30
OPEN_FILES = 1024
FORK_SAFETY = {"OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES", "no_proxy": "*"}
OWN_VARIABLES = {  # what airflow_postgresql_env.sh sets, whatever the shell said before
    "AIRFLOW__API__BASE_URL",
    "AIRFLOW__API__HOST",
    "AIRFLOW__API__PORT",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC_CMD",
    "AIRFLOW__CORE__FERNET_KEY_CMD",
    "AIRFLOW__API_AUTH__JWT_SECRET_CMD",
    "AIRFLOW__API__SECRET_KEY_CMD",
}


@dataclass(frozen=True)
class Check:
    """One line of the report.

    Parameters
    ----------
    name, found
        What was looked at, and what is there.
    remedy
        What to do; empty when all is well.
    """

    name: str
    found: str
    remedy: str = ""

    @property
    def is_fine(self) -> bool:
        """Whether nothing is to be done."""
        return not self.remedy


def examine(project: Project, port: int) -> list[Check]:
    """Return every check, in the order in which a start would meet what they are about."""
    checks: list[Callable[[], Check]] = [
        lambda: check_python(sys.version_info[:2]),
        lambda: check_disk(shutil.disk_usage(project.root).free),
        lambda: check_memory(psutil.virtual_memory().available),
        lambda: check_open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
        lambda: check_locale(os.environ),
        lambda: check_folder(project),
        lambda: check_postgres(project),
        lambda: check_port(project, port),
        lambda: check_fork_safety(sys.platform, os.environ),
        lambda: check_variables(os.environ),
    ]
    return [check() for check in checks]


def check_python(version: tuple[int, int]) -> Check:
    """Check the interpreter's version."""
    low, high = SUPPORTED_PYTHON
    found = f"{version[0]}.{version[1]}"
    if low <= version <= high:
        return Check("Python", found)
    return Check("Python", found, "Install Python 3.11 to 3.14, or name one: ML_PIPELINE_PYTHON")


def check_disk(free_bytes: int) -> Check:
    """Check the space left where the clone lies."""
    found = f"{free_bytes / 2**30:.1f} GB free"
    remedy = f"Free up {DISK_BYTES / 2**30:.0f} GB" if free_bytes < DISK_BYTES else ""
    return Check("disk", found, remedy)


def check_memory(available_bytes: int) -> Check:
    """Check the memory that can be had without swapping."""
    found = f"{available_bytes / 2**30:.1f} GB available"
    remedy = "End other programs, or set ML_PIPELINE_API_WORKERS=1"
    return Check("memory", found, remedy if available_bytes < MEMORY_BYTES else "")


def check_open_files(limit: int) -> Check:
    """Check the limit of open files per process; -1 means none."""
    is_enough = limit in {-1, resource.RLIM_INFINITY} or limit >= OPEN_FILES
    return Check("open files", str(limit), "" if is_enough else f"ulimit -n {OPEN_FILES}")


def check_locale(environment: Mapping[str, str]) -> Check:
    """Check that text is written in UTF-8: progress marks and file names need it."""
    encoding = sys.stdout.encoding or "none"
    found = environment.get("LC_ALL") or environment.get("LANG") or "not set"
    is_fine = encoding.lower().startswith("utf")
    return Check("locale", f"{found}, {encoding}", "" if is_fine else "export LANG=C.UTF-8")


def check_folder(project: Project) -> Check:
    """Check that the clone can be written to."""
    is_fine = os.access(project.airflow_home, os.W_OK)
    remedy = f"Make it yours: chown -R {os.getuid()} '{project.root}'"
    length = len(os.fsencode(project.root))
    return Check("folder", f"{project.root} ({length} bytes)", "" if is_fine else remedy)


def check_postgres(project: Project) -> Check:
    """Check that there are PostgreSQL binaries, or a user's server that answers."""
    try:
        if not postgres.is_embedded(project):
            return _check_own_server(project)
        from ml_pipeline.ops.postgres.cluster import Cluster

        binaries = Cluster.of(project).binaries
    except PipelineError as error:
        return Check("PostgreSQL", "not usable", str(error))
    return Check("PostgreSQL", f"{binaries.major}, {binaries.folder}")


def check_port(project: Project, port: int) -> Check:
    """Check that the web server's port is free, or ours."""
    if record := stack.running(project):
        return Check("port", f"{record.port}, taken by this stack")
    try:
        ports.require_free("127.0.0.1", port)
    except PipelineError as error:
        return Check("port", f"{port} is not free", str(error))
    return Check("port", f"{port} is free")


def check_fork_safety(platform: str, environment: Mapping[str, str]) -> Check:
    """Check the variables without which forked processes crash on macOS."""
    if platform != "darwin":
        return Check("fork safety", "not needed here")
    missing = [name for name, value in FORK_SAFETY.items() if environment.get(name) != value]
    remedy = "source airflow_postgresql_env.sh" if missing else ""
    return Check("fork safety", f"missing: {', '.join(missing)}" if missing else "set", remedy)


def check_variables(environment: Mapping[str, str]) -> Check:
    """Show which Airflow settings of the shell reach this clone: tuning does, nothing else."""
    foreign = sorted(
        name for name in environment if name.startswith("AIRFLOW__") and name not in OWN_VARIABLES
    )
    return Check("Airflow variables", ", ".join(foreign) or "none but ours")


def _check_own_server(project: Project) -> Check:
    if postgres.is_ready(project):
        return Check("PostgreSQL", "your own server answers")
    return Check("PostgreSQL", "your own server does not answer", "Check ML_PIPELINE_DATABASE_URL")

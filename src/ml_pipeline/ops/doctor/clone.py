"""What this clone needs: a folder of its own, a free port, and no settings of others."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ml_pipeline.errors import PipelineError
from ml_pipeline.ops import ports, stack
from ml_pipeline.ops.doctor.check import Check
from ml_pipeline.ops.postgres import placement
from ml_pipeline.ops.project import Project

UNUSABLE_CHARACTERS = "$%:"  # Airflow expands the first two, and PATH is split at colons
LONGEST_BELOW_BYTES = 500  # a log's path below the folder, or a module's
PROGRAMS = ("airflow", "gunicorn", "ml-pipeline", "supervisord")
SOURCE = "source airflow_postgresql_env.sh"
PRINT_ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)))"
ADDRESSES = {  # follow from ML_PIPELINE_PORT and ML_PIPELINE_HOST; `up` sets them once more
    "AIRFLOW__API__BASE_URL",
    "AIRFLOW__API__HOST",
    "AIRFLOW__API__PORT",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
}
OWN_VARIABLES = ADDRESSES | {  # what airflow_postgresql_env.sh sets, whatever the shell said before
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC_CMD",
    "AIRFLOW__CORE__FERNET_KEY_CMD",
    "AIRFLOW__API_AUTH__JWT_SECRET_CMD",
    "AIRFLOW__API__SECRET_KEY_CMD",
}


def free_bytes(project: Project) -> dict[Path, int]:
    """Return the space left where the clone and its database lie."""
    places = (project.root, placement.home(project))
    return {place: shutil.disk_usage(place).free for place in places if place.is_dir()}


def check_folder(project: Project) -> Check:
    """Check that the clone can be written to, and that its path can be used."""
    root = project.root
    if any(character in str(root) for character in UNUSABLE_CHARACTERS):
        found = f"{root}: no $, % or colon may be in it"
        return Check("folder", found, "Move the folder to a path without them")
    if not os.access(project.airflow_home, os.W_OK):
        return Check("folder", str(root), f"Make it yours: chown -R {os.getuid()} '{root}'")
    return Check("folder", str(root))


def check_path_length(project: Project) -> Check:
    """Check that no file below the clone has a longer path than the system allows."""
    length = len(os.fsencode(project.root))
    found = f"{length} bytes"
    if length + LONGEST_BELOW_BYTES > os.pathconf("/", "PC_PATH_MAX"):
        return Check("path length", found, "Move the folder to a shorter path")
    return Check("path length", found)


def check_port(project: Project, port: int) -> Check:
    """Check that the web server's port is free, or ours."""
    if record := stack.running(project):
        return Check("port", f"{record.port}, taken by this stack")
    try:
        ports.require_free("127.0.0.1", port)
    except PipelineError as error:
        return Check("port", f"{port} is not free", str(error))
    return Check("port", f"{port} is free")


def check_programs(project: Project, environment: Mapping[str, str]) -> Check:
    """Check that the names that supervisord starts lead to this clone's programs."""
    ours = project.root / ".venv" / "bin"
    programs = {name: shutil.which(name, path=environment.get("PATH", "")) for name in PROGRAMS}
    others = [name for name, program in programs.items() if not _is_in(ours, program)]
    if others:
        found = ", ".join(programs[name] or f"no {name}" for name in others)
        return Check("programs", found, f"{SOURCE} (after any other environment)")
    return Check("programs", str(ours))


def check_variables(environment: Mapping[str, str], sourced: Mapping[str, str]) -> Check:
    """Check that no setting of Airflow leads elsewhere; show those that tune, by name only.

    Parameters
    ----------
    environment
        This process's.
    sourced
        What airflow_postgresql_env.sh makes of it: it alone knows what may be set from outside.
    """
    names = sorted(name for name in environment if name.startswith(("AIRFLOW_", "_AIRFLOW_")))
    foreign = [
        name for name in names if name not in ADDRESSES and sourced.get(name) != environment[name]
    ]
    if foreign:
        return Check("Airflow variables", f"foreign: {', '.join(foreign)}", SOURCE)
    tuning = [name for name in names if name.startswith("AIRFLOW__") and name not in OWN_VARIABLES]
    return Check("Airflow variables", ", ".join(tuning) or "none but ours")


def sourced(project: Project, environment: Mapping[str, str]) -> dict[str, str]:
    """Return what sourcing the clone's script makes of an environment."""
    done = subprocess.run(
        [
            "bash",
            "-c",
            '. "$0" && exec "$1" -I -S -c "$2"',
            project.root / "airflow_postgresql_env.sh",
            sys.executable,
            PRINT_ENVIRONMENT,
        ],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(done.stdout))


def _is_in(folder: Path, program: str | None) -> bool:
    return program is not None and Path(program).parent.resolve() == folder.resolve()

"""A folder laid out as a clone: fresh processes import Airflow there as in the real one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDERS = ("airflow_home/config", "config", "dags", "data")
FILES = ("airflow_postgresql_env.sh", "airflow_home/airflow.cfg")
PRINT_ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)))"
# Where Airflow looks while it is imported; that nothing answers there does not matter yet.
SECRETS = {
    "sql_alchemy_conn": "postgresql+psycopg2://nobody:nothing@127.0.0.1:1/airflow_db",
    "sql_alchemy_conn_async": "postgresql+asyncpg://nobody:nothing@127.0.0.1:1/airflow_db",
    "fernet_key": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "jwt_secret": "not secret at all",
    "api_secret_key": "not secret at all",
}


def lay_out(root: Path) -> None:
    """Copy what Airflow reads of a clone, and give it secrets unless it has its own."""
    for name in FOLDERS:
        shutil.copytree(
            REPOSITORY / name,
            root / name,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    for name in FILES:
        shutil.copy(REPOSITORY / name, root / name)
    secrets = root / "airflow_home" / "secrets"
    secrets.mkdir(exist_ok=True)
    for name, secret in SECRETS.items():
        if not (secrets / name).exists():
            (secrets / name).write_text(secret)


def environment(root: Path) -> dict[str, str]:
    """Return what sourcing the clone's environment script gives."""
    caller = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW", "ML_PIPELINE"))
    }
    command = '. ./airflow_postgresql_env.sh && exec "$0" -c "$1"'
    sourced = subprocess.run(
        ["bash", "-c", command, sys.executable, PRINT_ENVIRONMENT],
        cwd=root,
        env=caller,
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(sourced.stdout))


def run(root: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Python in the clone's environment, in a process of its own."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=root,
        env=environment(root),
        capture_output=True,
        text=True,
        timeout=800,  # a busy machine takes its time
    )

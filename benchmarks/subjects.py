"""The ways to run Airflow that are compared: stock, ours, and ours without the kernel's help."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sqlite3
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import psutil
from tests.running_clone import REPOSITORY, Clone, copy_repository, free_port, user_environment

from benchmarks.process_census import VARIABLE, Census
from ml_pipeline.ops import secrets as secret_files
from ml_pipeline.ops.airflow_api import AirflowApi
from ml_pipeline.ops.postgres import urls
from ml_pipeline.ops.postgres.connections import connected

DAGS = Path(__file__).parent / "dags"
DATA = REPOSITORY / "data" / "wdbc.data"
BOOTSTRAP = "set -eu && . scripts/bootstrap.sh"
READY_WITHIN_SECONDS = 900.0  # on a machine that does much else
HEARTBEAT_TIMEOUTS = "SELECT count(*) FROM log WHERE event = 'heartbeat timeout'"
OURS = "this stack"
COMPONENTS = ("scheduler", "dag_processor", "triggerer")


class Subject(Protocol):
    """A program that runs Airflow, under measurement."""

    name: str
    url: str

    def launch(self) -> tuple[psutil.Process, Census]:
        """Start it; return what a person would end, and the count of its processes."""

    def api(self) -> AirflowApi:
        """Log in."""

    def heartbeat_timeouts(self) -> int:
        """Return how many tasks Airflow has declared dead."""


class Standalone:
    """Stock `airflow standalone`: SQLite, its defaults, but for its ports and without examples."""

    name = "airflow standalone"

    def __init__(self, folder: Path) -> None:
        self._home = folder / "stock"
        copy_dags(self._home / "dags")
        self._port = free_port()
        self.url = f"http://localhost:{self._port}"

    def launch(self) -> tuple[psutil.Process, Census]:
        """Start it."""
        return _launch(["airflow", "standalone"], self._home, self._environment())

    def api(self) -> AirflowApi:
        """Log in."""
        file = self._home / "simple_auth_manager_passwords.json.generated"
        return AirflowApi(self.url, "admin", json.loads(file.read_text())["admin"])

    def heartbeat_timeouts(self) -> int:
        """Ask its database."""
        with sqlite3.connect(self._home / "airflow.db", timeout=30) as connection:
            return int(connection.execute(HEARTBEAT_TIMEOUTS).fetchone()[0])

    def _environment(self) -> dict[str, str]:
        programs = REPOSITORY / ".venv" / "bin"
        own = {
            "AIRFLOW_HOME": str(self._home),
            "AIRFLOW__API__PORT": str(self._port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        }
        environment = user_environment()
        return {**environment, **own, "PATH": f"{programs}{os.pathsep}{environment['PATH']}"}


class OurStack:
    """`./start_airflow.sh` in the foreground, from a fresh clone.

    Parameters
    ----------
    folder
        Where the clone goes.
    name
        For the table.
    edit
        Changes the clone's source before it is started: so can a guard be taken out, without the
        product having a switch for it.
    """

    def __init__(
        self, folder: Path, name: str = OURS, edit: Callable[[Path], None] | None = None
    ) -> None:
        self.name = name
        self._clone = Clone(folder / name.replace(" ", "-"), free_port())
        copy_repository(self._clone.root)
        copy_dags(self._clone.root / "dags")
        if edit:
            edit(self._clone.root)
        self.url = f"http://localhost:{self._clone.port}"

    def launch(self) -> tuple[psutil.Process, Census]:
        """Start it."""
        command = ["./start_airflow.sh", "--no-run", "--port", str(self._clone.port)]
        return _launch(command, self._clone.root, self._clone.environment)

    def prepare(self) -> None:
        """Install its packages, which is no part of a start."""
        done = self._clone.sh(f'{BOOTSTRAP} && bootstrap "$PWD"', timeout_seconds=600)
        assert done.returncode == 0, done.stderr

    @property
    def clone(self) -> Clone:
        """The clone, to drive it as a user does."""
        return self._clone

    def api(self) -> AirflowApi:
        """Log in."""
        return self._clone.api()

    def heartbeat_timeouts(self) -> int:
        """Ask its database."""
        url = secret_files.read(self._clone.project.secrets, "sql_alchemy_conn")
        assert url is not None
        with connected(urls.parse(url)) as connection, connection.cursor() as cursor:
            cursor.execute(HEARTBEAT_TIMEOUTS)
            row = cursor.fetchone()
        return int(row[0]) if row else 0


def copy_dags(folder: Path) -> None:
    """Give a subject the DAG files that are run by all, and their data."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in [*DAGS.glob("*.py"), DATA]:
        shutil.copy2(file, folder)


def _launch(
    command: list[str], folder: Path, environment: dict[str, str]
) -> tuple[psutil.Process, Census]:
    mark = secrets.token_hex(8)
    with (folder / "output.log").open("ab") as output:
        top = subprocess.Popen(
            command,
            env={**environment, VARIABLE: mark},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    process = psutil.Process(top.pid)
    threading.Thread(target=top.wait, daemon=True).start()  # as a shell would: no zombie of ours
    return process, Census(mark)


def without_subreaper(root: Path) -> None:
    """Take the subreaper out of a clone: its keeper adopts nobody, orphans go to process 1."""
    _replace(
        root, "return can_adopt_orphans() and _prctl(PR_SET_CHILD_SUBREAPER, 1)", "return True"
    )


def without_kernel_help(root: Path) -> None:
    """Take out the parent-death signal too: what is left is what macOS has."""
    _replace(root, 'return platform == "linux"', "return False")


def _replace(root: Path, old: str, new: str) -> None:
    file = root / "src" / "ml_pipeline" / "ops" / "linux.py"
    source = file.read_text()
    assert source.count(old) == 1, f"{file}: {old!r} is not there"
    file.write_text(source.replace(old, new))


def await_healthy(subject: Subject, since: float = 0.0) -> float:
    """Wait until scheduler, DAG processor and triggerer have fresh heartbeats; return seconds."""
    started_at = time.monotonic()
    while not is_healthy(subject, since):
        if time.monotonic() - started_at > READY_WITHIN_SECONDS:
            raise TimeoutError(f"{subject.name} is not healthy within {READY_WITHIN_SECONDS:.0f} s")
        time.sleep(0.1)
    return time.monotonic() - started_at


def is_healthy(subject: Subject, since: float = 0.0) -> bool:
    """Ask the API's health document, with heartbeats that are younger than `since`."""
    document: dict[str, Any] = {}
    address = f"{subject.url}/api/v2/monitor/health"
    with suppress(OSError, ValueError), urllib.request.urlopen(address, timeout=5) as answer:
        document = json.load(answer)
    return all(_is_fresh(document.get(name) or {}, name, since) for name in COMPONENTS)


def _is_fresh(part: dict[str, Any], name: str, since: float) -> bool:
    heartbeat = part.get(f"latest_{name}_heartbeat")
    is_healthy = part.get("status") == "healthy" and heartbeat is not None
    return is_healthy and datetime.fromisoformat(heartbeat).timestamp() >= since

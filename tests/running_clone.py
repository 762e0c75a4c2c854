"""A fresh clone in a folder with a space, set up and started once for all tests that need one."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from ml_pipeline.errors import StackError
from ml_pipeline.ops import processes, stack_record
from ml_pipeline.ops.airflow_api import AirflowApi
from ml_pipeline.ops.project import Project
from ml_pipeline.ops.stack_record import StackRecord
from ml_pipeline.ops.supervisor import Supervisor

REPOSITORY = Path(__file__).resolve().parents[1]
DAG_ID = "breast_cancer_ml_pipeline"
START_SECONDS = 400
# What a new user's shell has; what else stands in ours must not help.
KEPT_VARIABLES = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "USER")
KEPT_PREFIXES = ("PIP_", "UV_", "SSL_", "REQUESTS_CA")


class Clone:
    """One clone, driven as a user drives it: by sourcing and running in a shell.

    Parameters
    ----------
    root
        Its folder.
    port
        A free one for its web server.
    settings
        Variables of the environment that its user exports.
    """

    def __init__(self, root: Path, port: int, settings: Mapping[str, str] = {}) -> None:
        self.root = root
        self.port = port
        self.settings = settings

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the user's shell, before anything is sourced."""
        return {**user_environment(), **self.settings}

    @property
    def project(self) -> Project:
        return Project(self.root)

    @property
    def record(self) -> StackRecord:
        record = stack_record.read(self.project)
        assert record is not None, "no stack is running"
        return record

    def sh(
        self, command: str, shell: str = "bash", timeout_seconds: float = 120, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Source the clone's environment in a new shell and run a command there."""
        return subprocess.run(
            [shell, "-c", f". ./airflow_postgresql_env.sh && {command}"],
            cwd=self.root,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
        )

    def up(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Start it, detached."""
        words = " ".join(["./start_airflow.sh --detach", f"--port {self.port}", *arguments])
        return self.sh(words, timeout_seconds=START_SECONDS)

    def down(self) -> subprocess.CompletedProcess[str]:
        """Stop it."""
        return self.sh("ml-pipeline down", timeout_seconds=150)

    def status(self) -> dict[str, Any]:
        """Return the document of `status --json`."""
        return dict(json.loads(self.sh("ml-pipeline status --json").stdout))

    def password(self) -> str:
        return (self.project.secrets / "admin_password").read_text()

    def api(self) -> AirflowApi:
        """Log in."""
        return AirflowApi(self.record.url, "admin", self.password())

    def finish(self, run_id: str) -> str:
        """Wait for a run's end and return its state."""
        api = self.api()
        for _ in api.follow(DAG_ID, run_id):
            pass
        return api.run_state(DAG_ID, run_id)

    def supervised(self, name: str) -> int | None:
        """Return a component's pid, straight from supervisord: quick enough to catch a task."""
        supervisor = Supervisor(stack_record.socket_file(self.project))
        try:
            return supervisor.programs()[name].pid
        except StackError:
            return None

    def component(self, name: str) -> psutil.Process:
        return psutil.Process(self.status()["components"][name]["pid"])

    def await_health(self, within_seconds: float = 90) -> None:
        """Wait until everything is healthy, with no zombie and no orphan."""
        eventually(
            lambda: self.sh("ml-pipeline status --json").returncode == 0, within_seconds, self.tell
        )

    def tell(self) -> str:
        """Say how it stands, for a failing test's message."""
        log = self.sh("ml-pipeline logs zombie-monitor -n 30").stdout
        return f"{json.dumps(self.status(), indent=1)}\n{log}"

    def left(self, record: StackRecord) -> list[psutil.Process]:
        """Return what is left of a stack, but for a detached keeper that init has yet to reap."""
        return [each for each in processes.ours(record) if not _is_left_to_init(each)]


def _is_left_to_init(process: psutil.Process) -> bool:
    try:
        return process.ppid() == 1 and process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def user_environment() -> dict[str, str]:
    """Return the environment of a new user's shell."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in KEPT_VARIABLES or name.startswith(KEPT_PREFIXES)
    }


def copy_repository(root: Path) -> None:
    """Copy what a commit of the working tree would hold."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listing.stdout.decode().split("\0")):
        if (REPOSITORY / name).exists():
            target = root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, target)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def eventually(
    condition: Callable[[], object],
    within_seconds: float = 60,
    tell: Callable[[], str] = lambda: "",
) -> None:
    """Wait for a condition, never for a time."""
    deadline = time.monotonic() + within_seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"the condition did not come true in {within_seconds:.0f} s\n{tell()}")
        time.sleep(0.2)


@pytest.fixture(scope="session")
def first_start(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Clone, subprocess.CompletedProcess[str]]]:
    """Clone, and run the first of the README's commands; yield the clone and what it printed."""
    root = tmp_path_factory.mktemp("e2e") / "a clone with a space"
    copy_repository(root)
    clone = Clone(root, free_port())
    try:
        yield clone, clone.up()
    finally:
        clone.down()


@pytest.fixture
def clone(first_start: tuple[Clone, subprocess.CompletedProcess[str]]) -> Clone:
    """Return the clone with its stack running and healthy, whatever the last test did to it."""
    clone, _ = first_start
    if not clone.status()["running"]:
        assert clone.up("--no-run").returncode == 0
    clone.await_health()
    return clone

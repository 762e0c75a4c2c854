"""The server in the foreground, as supervisord runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from ml_pipeline.ops import linux, postgres
from ml_pipeline.ops.postgres.cluster import Cluster
from ml_pipeline.ops.project import Project
from tests.integration.postgres.conftest import NEEDS_ROOT

FOREGROUND = """
import sys
from pathlib import Path
from typing import Any
from ml_pipeline.ops.postgres.server import become_server
from ml_pipeline.ops.project import Project
become_server(Project(Path(sys.argv[1])))
"""
# A parent such as supervisord: it starts the server, prints its pid and waits.
PARENT = """
import subprocess, sys
server = subprocess.Popen([sys.executable, *sys.argv[1:]])
print(server.pid, flush=True)
server.wait()
"""
StartForeground = Callable[..., "subprocess.Popen[bytes]"]


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


@pytest.fixture
def start_foreground(tmp_path: Path) -> Iterator[StartForeground]:
    started: list[subprocess.Popen[bytes]] = []

    def start(project: Project, **options: Any) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", FOREGROUND, str(project.root)]
        with (tmp_path / "log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, **options)
        started.append(process)
        assert wait_until(lambda: postgres.is_ready(project)), (tmp_path / "log").read_text()
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(20)


def test_foreground_server_is_the_process_that_was_started(
    clone: Project, start_foreground: StartForeground
) -> None:
    """So supervisord's signals reach PostgreSQL itself, and nothing stands between."""
    process = start_foreground(clone)
    assert Cluster.of(clone).server_pid() == process.pid


def test_foreground_server_ends_with_status_0_on_sigint(
    clone: Project, start_foreground: StartForeground
) -> None:
    process = start_foreground(clone)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert not (Cluster.of(clone).data / "postmaster.pid").exists()


@NEEDS_ROOT
def test_foreground_server_keeps_nothing_of_root(
    clone: Project, start_foreground: StartForeground
) -> None:
    process = psutil.Process(start_foreground(clone, extra_groups=[0, 1]).pid)
    account = Cluster.of(clone).account
    assert set(process.uids()) == {account.uid}
    assert set(process.gids()) == {account.gid}
    if linux.can_adopt_orphans():
        assert "\nGroups:\t \n" in Path(f"/proc/{process.pid}/status").read_text()


def test_foreground_server_takes_over_from_a_detached_one(
    clone: Project, start_foreground: StartForeground
) -> None:
    postgres.start(clone)
    detached = Cluster.of(clone).server_pid()
    process = start_foreground(clone)
    assert wait_until(lambda: Cluster.of(clone).server_pid() == process.pid != detached)
    assert wait_until(lambda: postgres.is_ready(clone))


def test_foreground_server_starts_again_after_it_was_killed(
    clone: Project, start_foreground: StartForeground
) -> None:
    killed = start_foreground(clone)
    killed.kill()
    killed.wait()
    restarted = start_foreground(clone)
    assert Cluster.of(clone).server_pid() == restarted.pid


def test_foreground_server_gets_no_setting_and_no_secret_from_the_environment(
    clone: Project, start_foreground: StartForeground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGDATA", "/nonexistent")
    monkeypatch.setenv("LC_MESSAGES", "de_DE.UTF-8")
    process = psutil.Process(start_foreground(clone).pid)
    environment = process.environ()
    assert "PGDATA" not in environment and "LC_MESSAGES" not in environment
    assert environment["LC_ALL"] == "C"


@pytest.mark.skipif(not linux.can_adopt_orphans(), reason="the parent-death signal is Linux's")
def test_foreground_server_shuts_down_when_its_parent_is_killed(clone: Project) -> None:
    command = [sys.executable, "-c", PARENT, "-c", FOREGROUND, str(clone.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        assert parent.stdout is not None
        server = psutil.Process(int(parent.stdout.readline()))
        assert wait_until(lambda: postgres.is_ready(clone))
        os.kill(parent.pid, signal.SIGKILL)
    assert wait_until(lambda: not Cluster.of(clone).is_running())
    assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE


def test_foreground_server_without_a_cluster_says_what_to_do(
    new_clone: Callable[[], Project],
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FOREGROUND, str(new_clone().root)], capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "There is no database yet. Make it: ml-pipeline db start" in done.stderr

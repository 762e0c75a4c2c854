"""`./zombie_monitor.sh` beside a running stack: what it prints, and how it exits."""

from __future__ import annotations

import json
from collections.abc import Iterator

import psutil
import pytest

from tests.faults.strikes import WEB_WORKER
from tests.running_clone import Clone, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.faults, pytest.mark.timeout(500)]


@pytest.fixture
def stopped_worker(clone: Clone) -> Iterator[psutil.Process]:
    """A web server's worker that stands still, for less long than the stack's monitor bears it."""
    worker = WEB_WORKER.await_one(clone)
    worker.suspend()
    eventually(lambda: worker.status() == psutil.STATUS_STOPPED)
    yield worker
    if worker.is_running():
        worker.resume()


def test_zombie_monitor_once_when_all_is_well_exits_0_and_finds_nothing(clone: Clone) -> None:
    result = clone.sh("./zombie_monitor.sh --once --json")
    assert (result.returncode, json.loads(result.stdout)) == (0, {"found": []}), result.stderr


def test_zombie_monitor_once_when_a_process_is_stopped_exits_1_and_names_it(
    clone: Clone, stopped_worker: psutil.Process
) -> None:
    result = clone.sh("./zombie_monitor.sh --once --json")
    [found] = json.loads(result.stdout)["found"]
    assert result.returncode == 1
    assert (found["trouble"], found["pid"]) == ("stopped", stopped_worker.pid)
    assert (found["component"], found["created_at"]) == ("api-server", stopped_worker.create_time())


def test_zombie_monitor_once_when_a_process_is_stopped_prints_a_table(
    clone: Clone, stopped_worker: psutil.Process
) -> None:
    result = clone.sh("./zombie_monitor.sh --once")
    assert result.returncode == 1
    assert "1 in trouble" in result.stdout
    assert any(
        line.split()[:2] == ["stopped", str(stopped_worker.pid)] and "api-server" in line
        for line in result.stdout.splitlines()
    ), result.stdout


def test_zombie_monitor_of_the_stack_says_at_its_start_who_reaps(clone: Clone) -> None:
    assert "The keeper adopts and reaps" in clone.sh("ml-pipeline logs zombie-monitor").stdout

"""What supervisord says of components, with a real one."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

import pytest

from tests.integration.stack.toy_stack import ToyStack, eventually

Launch = Callable[..., ToyStack]


def test_component_that_has_just_died_is_starting_and_not_failed(toy_stack: Launch) -> None:
    stack = toy_stack(sleeper="import time\ntime.sleep(1000)\n")
    seen = set()
    for _ in range(10):
        old = stack.pid("sleeper")
        os.kill(old, signal.SIGKILL)

        def is_back() -> bool:
            program = stack.supervisor.programs()["sleeper"]
            seen.add(program.state)
            return program.pid not in {None, old}  # noqa: B023

        eventually(is_back)
    assert "failed" not in seen


TELLS_HOW_IT_STARTED = """
import sys, time
from pathlib import Path
is_fork = "airflow.jobs.scheduler_job_runner" in sys.modules
with Path(sys.argv[0]).with_name("starts").open("a") as starts:
    starts.write("forked " if is_fork else "executed ")
time.sleep(1000)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="macOS forks no process that has libraries")
def test_airflow_goes_on_from_a_fork_until_its_configuration_changes(toy_stack: Launch) -> None:
    stack = toy_stack(airflow=TELLS_HOW_IT_STARTED)
    starts = stack.project.root / "starts"
    eventually(lambda: starts.exists() and starts.read_text().split() == ["forked"])
    os.kill(stack.pid("airflow"), signal.SIGKILL)
    eventually(lambda: starts.read_text().split() == ["forked", "forked"])
    (stack.project.airflow_home / "airflow.cfg").write_text("[core]\nload_examples = False\n")
    os.kill(stack.pid("airflow"), signal.SIGKILL)
    eventually(lambda: starts.read_text().split() == ["forked", "forked", "executed"])

"""A task that has closed all its sockets, and ends only then, is not waited for in vain."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.running_clone import user_environment

FAR_LONGER_SECONDS = 600

# As the kernel does it: it closes a process's sockets before others can see that it has ended.
STARTS_A_TASK = """
import os, sys, time
from ml_pipeline.ops.airflow_process import prepare
of_stack = {"ML_PIPELINE_STACK": "a"} if sys.argv[1] == "triggerer" else {}
prepare(sys.argv, {"ML_PIPELINE_PRELOAD": "", **of_stack}, "linux")
from airflow.sdk.execution_time.supervisor import WatchedSubprocess

def close_and_end():
    os.closerange(0, 1024)
    time.sleep(0.5)
    os._exit(3)

task = WatchedSubprocess.start(target=close_and_end, id=None)
"""
UNTIL_ITS_END = f"""
while task._exit_code is None or task._open_sockets:
    task._service_subprocess(max_wait_time={FAR_LONGER_SECONDS})
print(task._exit_code)
"""
AFTER_ANOTHER_HAS_WAITED_FOR_IT = """
os.waitpid(task.pid, 0)
while task._open_sockets:
    task._service_subprocess(max_wait_time=1)
select, timeouts = task.selector.select, []
task.selector.select = lambda timeout: timeouts.append(timeout) or select(timeout)
task._service_subprocess(max_wait_time=0.7)
print(*timeouts)
"""


@pytest.mark.parametrize("command", ["scheduler", "triggerer"])
def test_end_of_a_child_when_its_sockets_close_first_is_noticed_at_once(
    command: str, tmp_path: Path
) -> None:
    assert _printed(tmp_path, STARTS_A_TASK + UNTIL_ITS_END, command) == "3"


def test_supervisor_when_another_has_waited_for_the_task_goes_on_without_haste(
    tmp_path: Path,
) -> None:
    program = STARTS_A_TASK + AFTER_ANOTHER_HAS_WAITED_FOR_IT
    assert _printed(tmp_path, program, "scheduler") == "0.7"


def _printed(folder: Path, program: str, command: str) -> str:
    airflow = folder / "airflow"
    airflow.write_text(program)
    process = subprocess.run(
        [sys.executable, str(airflow), command],
        capture_output=True,
        text=True,
        check=True,
        env={**user_environment(), "AIRFLOW_HOME": str(folder)},
        timeout=FAR_LONGER_SECONDS / 5,
    )
    return process.stdout.splitlines()[-1]

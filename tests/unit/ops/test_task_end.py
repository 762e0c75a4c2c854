"""A task that has closed all its sockets, and ends only then, is not waited for in vain."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.running_clone import user_environment

FAR_LONGER_SECONDS = 600

# As the kernel does it: it closes a process's sockets before others can see that it has ended.
SUPERVISES_A_TASK = f"""
import os, sys, time
from ml_pipeline.ops.airflow_process import prepare
prepare(sys.argv, {{"ML_PIPELINE_PRELOAD": "", "ML_PIPELINE_STACK": "a"}}, "linux")
from airflow.sdk.execution_time.supervisor import WatchedSubprocess

def close_and_end():
    os.closerange(0, 1024)
    time.sleep(0.5)
    os._exit(3)

task = WatchedSubprocess.start(target=close_and_end, id=None)
while task._exit_code is None or task._open_sockets:
    task._service_subprocess(max_wait_time={FAR_LONGER_SECONDS})
print(task._exit_code)
"""


def test_end_of_a_task_when_its_sockets_close_first_is_noticed_at_once(tmp_path: Path) -> None:
    airflow = tmp_path / "airflow"
    airflow.write_text(SUPERVISES_A_TASK)
    process = subprocess.run(
        [sys.executable, str(airflow), "scheduler"],
        capture_output=True,
        text=True,
        check=True,
        env={**user_environment(), "AIRFLOW_HOME": str(tmp_path)},
        timeout=FAR_LONGER_SECONDS / 5,
    )
    assert process.stdout.splitlines()[-1] == "3"

"""Renew the web server from outside: test the new code, tell the server, wait for new workers."""

from __future__ import annotations

import subprocess
import time

from ml_pipeline.errors import StackError
from ml_pipeline.ops import processes
from ml_pipeline.ops.processes import MARKER
from ml_pipeline.ops.project import Project
from ml_pipeline.ops.stack_environment import stack_environment
from ml_pipeline.ops.stack_record import StackRecord
from ml_pipeline.ops.start_order import READY_WITHIN_SECONDS
from ml_pipeline.ops.supervisor import Pause, Supervisor

WEB_SERVER = "api-server"
CHECK = ["gunicorn", "--check-config", "-c", "gunicorn.conf.py", "airflow.api_fastapi.main:app"]


def renew(project: Project, record: StackRecord, supervisor: Supervisor, pause: Pause) -> None:
    """Have the running web server load its code and settings anew; return when it has.

    Raises
    ------
    StackError
        When the new code or settings cannot be loaded: the server goes on with the old ones.
    """
    _require_loadable(project, record)
    pid = supervisor.programs()[WEB_SERVER].pid
    old = processes.descendants(pid) if pid else []
    supervisor.signal(WEB_SERVER, "HUP")
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while any(process.is_running() for process in old):
        if time.monotonic() > deadline:
            raise StackError(
                f"The web server's old workers still run after {READY_WITHIN_SECONDS:.0f} s. "
                f"Type: ml-pipeline logs {WEB_SERVER}"
            )
        pause(0.1)


def _require_loadable(project: Project, record: StackRecord) -> None:
    environment = stack_environment(project, record)
    del environment[MARKER]  # no component owns this process, and the monitor ends such ones
    check = subprocess.run(
        CHECK, cwd=project.root, env=environment, capture_output=True, text=True, check=False
    )
    if check.returncode != 0:
        lines = "\n".join(f"    {line}" for line in check.stderr.splitlines()[-10:])
        raise StackError(
            "The web server's new code or settings (gunicorn.conf.py) cannot be loaded:\n"
            f"{lines}\nThe server goes on with the old ones. "
            f"Mend the cause, then: ml-pipeline restart {WEB_SERVER}"
        )

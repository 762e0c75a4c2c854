"""A stack whose components are small shell programs: real keeper, real supervisord, no Airflow."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from ml_pipeline.ops import keeper, processes, stack_record
from ml_pipeline.ops.project import Project
from ml_pipeline.ops.stack_record import StackRecord
from ml_pipeline.ops.supervisor import Supervisor

DRIVER = """
import sys
from pathlib import Path
import ml_pipeline.ops.keeper as keeper
from ml_pipeline.ops.project import Project
keeper.Project.here = classmethod(lambda cls: Project(Path(sys.argv[1])))
keeper.LOOK_SECONDS, keeper.MONITOR_PATIENCE_LOOKS = 0.1, 30
keeper.LEFTOVER_GRACE_SECONDS, keeper.ANSWER_WITHIN_SECONDS = 1.0, 3.0
sys.exit(keeper.main(sys.argv[2:]))
"""
HEAD = """
[supervisord]
nodaemon = true
user = %(ENV_ML_PIPELINE_USER)s
logfile = %(ENV_AIRFLOW_HOME)s/logs/stack/supervisord.log
pidfile = %(ENV_AIRFLOW_HOME)s/run/supervisord.pid
[unix_http_server]
file = %(ENV_ML_PIPELINE_SOCKET)s
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""
PROGRAM = """
[program:{name}]
command = {command}
autostart = false
autorestart = true
startsecs = {startsecs}
startretries = 0
stopwaitsecs = 2
stdout_logfile = %(ENV_AIRFLOW_HOME)s/logs/stack/{name}.log
redirect_stderr = true
"""
AIRFLOW = "airflow"  # an executable script of that name: it goes on from a fork of supervisord
SCRIPT_HEAD = """\
#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
"""
FRAIL = "frail"  # given up by supervisord when it ends within a second
DATABASE = PROGRAM.format(name="postgres", command="sleep 1000", startsecs=0)


class ToyStack:
    """A keeper started as `up` starts it; `programs` maps component names to Python sources."""

    def __init__(self, root: Path, programs: dict[str, str]) -> None:
        self.project = Project(root)
        conf = [HEAD, DATABASE]
        self.project.airflow_home.mkdir(parents=True)
        for name, source in programs.items():
            command = self._write_program(name, textwrap.dedent(source))
            startsecs = 1 if name == FRAIL else 0
            conf.append(PROGRAM.format(name=name, command=command, startsecs=startsecs))
        (self.project.airflow_home / "supervisord.conf").write_text("".join(conf))
        self.supervisor = Supervisor(stack_record.socket_file(self.project))
        self._lifeline = -1

    def _write_program(self, name: str, source: str) -> str:
        """Write a program; return the command that runs it."""
        if name != AIRFLOW:
            script = self.project.root / f"{name}.py"
            script.write_text(source)
            return f'{sys.executable} "{script}"'
        (self.project.airflow_home / "airflow.cfg").write_text("[core]\n")
        script = self.project.root / name
        script.write_text(SCRIPT_HEAD.format(python=sys.executable) + source)
        script.chmod(0o700)
        return f'"{script}"'

    def launch(self) -> StackRecord:
        with stack_record.lock(self.project) as lock:
            lifeline, self._lifeline = os.pipe()
            arguments = [str(lifeline), secrets.token_hex(8), "127.0.0.1", "1"]
            self.keeper = subprocess.Popen(
                [sys.executable, "-c", DRIVER, str(self.project.root), *arguments],
                start_new_session=True,
                pass_fds=[lifeline, lock],
                env={
                    **{k: v for k, v in os.environ.items() if not k.startswith("AIRFLOW__")},
                    "ML_PIPELINE_HOME": str(self.project.root),
                    "AIRFLOW_HOME": str(self.project.airflow_home),
                    "ML_PIPELINE_DATABASE_URL": "postgresql://nobody@localhost/none",
                    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                },
            )
            os.close(lifeline)
        eventually(self.supervisor.is_reachable)
        record = stack_record.read(self.project)
        assert record is not None
        self.record = record
        return record

    def start_programs(self) -> None:
        for name in self.supervisor.programs():
            self.supervisor.start(name)
        eventually(lambda: all(p.state != "stopped" for p in self.supervisor.programs().values()))
        eventually(lambda: all(p.state != "starting" for p in self.supervisor.programs().values()))

    def pid(self, name: str) -> int:
        pid = self.supervisor.programs()[name].pid
        assert pid is not None
        return pid

    def drop_lifeline(self, message: bytes = b"") -> None:
        if message:
            os.write(self._lifeline, message)
        os.close(self._lifeline)
        self._lifeline = -1

    def left(self) -> list[psutil.Process]:
        return processes.ours(self.record)

    def end(self) -> None:
        """Whatever the test did: nothing may outlive it."""
        if self._lifeline >= 0:
            os.close(self._lifeline)
        if hasattr(self, "keeper"):
            if self.keeper.poll() is None:
                self.keeper.terminate()
            self.keeper.wait(30)
        if hasattr(self, "record"):
            processes.end(self.left(), 0.2, time.sleep)


def eventually(condition: Callable[[], object], within_seconds: float = 30.0) -> None:
    deadline = time.monotonic() + within_seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.05)


DETACH = keeper.DETACH

"""supervisord, with two changes.

SIGHUP means the end, like TERM: the keeper then starts all of it again. Its own answer to SIGHUP is
to stop everything and to read its configuration anew; since hardly anything in that starts by
itself, little would run any more, and nobody would notice.

On Linux, Airflow's programs are forks of it that have Airflow imported: see `zygote`.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

from supervisor import supervisord
from supervisor.options import ServerOptions

from ml_pipeline.ops import zygote

SOURCES = (Path(os.environ["AIRFLOW_HOME"]) / "airflow.cfg", Path(sysconfig.get_path("purelib")))


class Options(ServerOptions):  # type: ignore[misc]
    """supervisord's own, but for the meaning of one signal and for what a new process does."""

    def __init__(self) -> None:
        super().__init__()
        self._zygote = zygote.Zygote(SOURCES)

    def get_signal(self) -> int | None:
        """Return the next signal that has come, if any."""
        number: int | None = super().get_signal()
        return signal.SIGTERM if number == signal.SIGHUP else number

    def check_execv_args(self, filename: str, argv: Sequence[str], st: os.stat_result) -> None:
        """Refuse a program that cannot be executed. Called before each fork."""
        super().check_execv_args(filename, argv, st)
        if self._has_airflow():
            self._zygote.load_for(filename)

    def fork(self) -> int:
        """Make a child; while that starts, import what the next ones need.

        The first is PostgreSQL, the second the web server: the two slowest.
        """
        pid: int = super().fork()
        if pid and self._has_airflow():
            self._zygote.load_next()
        return pid

    def execve(self, filename: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        """Become another program. Called in a new child."""
        if self._zygote.can_become(filename):
            self._zygote.become(filename, argv, env)
        super().execve(filename, argv, env)

    def _has_airflow(self) -> bool:
        commands = [p.command for g in self.process_group_configs for p in g.process_configs]
        names = set(map(name_of_program, commands))
        return sys.platform == "linux" and not names.isdisjoint(zygote.STAGES_NEEDED)


def name_of_program(command: str) -> str:
    """Return the name of the program that a command starts; empty when it is malformed."""
    try:
        return Path(shlex.split(command)[0]).name
    except (ValueError, IndexError):  # supervisord itself says so when it is to start it
        return ""


if __name__ == "__main__":
    supervisord.ServerOptions = Options
    supervisord.main()

"""Airflow imported once, in the process that starts its programs: each goes on from a fork of it.

Scheduler, DAG processor, triggerer and web server import much the same modules, which takes each of
them a second of the processor and more, and 120 MiB that none shares. Here supervisord, their
parent, imports them before it forks; where another program would be executed, the child goes on in
the same interpreter.

What was imported may be old by then (another airflow.cfg, an upgraded package), or could not be
imported: then a program is executed in the ordinary way, and tells itself what is wrong.
`docs/adr/0008-zygote.md` tells what was weighed.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import runpy
import signal
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import NoReturn

# What the web server imports, the slowest to start, and what only the others need besides. Nothing
# here starts a thread, opens a file or reads a secret: that would not survive a fork, or would be
# shared where it must not be. What is written as `module:function` is called as well.
WEB_SERVER = (
    "airflow.models:import_all_models",
    "sqlalchemy.orm:configure_mappers",  # of all tables: a half of them cannot be configured
    "airflow.api_fastapi.execution_api.routes",
    "airflow.providers.fab.auth_manager.fab_auth_manager",
    "asyncpg",
    "httpcore",
    "psycopg2.extras",
    "requests",
)
OTHERS = (
    "airflow.__main__",
    "airflow.cli.commands.scheduler_command",
    "airflow.dag_processing.manager",
    "airflow.jobs.dag_processor_job_runner",
    "airflow.jobs.scheduler_job_runner",
    "airflow.jobs.triggerer_job_runner",
    "airflow.utils.db",
    "alembic.command",
    "argcomplete",
)
STAGES = (WEB_SERVER, OTHERS)
STAGES_NEEDED = {"gunicorn": 1, "airflow": 2}  # by the programs that are forks
# While importing. Airflow does without its set-up (logging, a connection to the database) then, and
# asks only for the kind of the database, whose address is a secret, and not there at first. Each
# program finds the XCom backend for itself: it is ours, or the user's.
WHILE_IMPORTING = {
    "_AIRFLOW__AS_LIBRARY": "1",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://",
    "AIRFLOW__CORE__XCOM_BACKEND": "airflow.sdk.bases.xcom.BaseXCom",
}
OWN_PACKAGE = "ml_pipeline"
State = tuple[tuple[int, int] | None, ...]  # modification time in ns and size of each source


class Zygote:
    """The common modules, imported in stages, and what they were made from.

    Parameters
    ----------
    sources
        Files and folders whose change makes the modules old: Airflow's configuration, the folder of
        the installed packages.
    """

    def __init__(self, sources: Sequence[Path]) -> None:
        self._sources = sources
        self._next = 0
        self._made_from: State | None = None
        self._is_sound = True
        self._xcom_holders: list[ModuleType] = []

    def load_next(self) -> None:
        """Import the next stage, if there is one left."""
        if self._next == len(STAGES) or not self._is_sound:
            return
        self._made_from = self._made_from or self._state()
        own = set(_own_modules())
        self._is_sound = (
            _import(STAGES[self._next])
            and threading.active_count() == 1
            and own.issuperset(_own_modules())  # a child must have them as they are by then
        )
        self._next += 1
        self._xcom_holders = [*_xcom_holders()] if self._is_sound else []

    def load_for(self, program: str) -> None:
        """Import what is to be there when a fork becomes this program, the path of a script."""
        while self._next < STAGES_NEEDED.get(Path(program).name, 0) and self._is_sound:
            self.load_next()

    def can_become(self, program: str) -> bool:
        """Tell whether a fork of this process can go on as that program."""
        needed = STAGES_NEEDED.get(Path(program).name, len(STAGES) + 1)
        return self._next >= needed and self._is_sound and self._made_from == self._state()

    def become(
        self, program: str, arguments: Sequence[str], environment: Mapping[str, str]
    ) -> NoReturn:
        """Go on as that program, in a child process.

        Parameters
        ----------
        program
            The path of its script.
        arguments
            With the program's name as the first.
        environment
            The whole of it.
        """
        _forget_the_parent()
        _become_environment(environment)
        sys.argv = [program, *arguments[1:]]
        sys.path[0] = str(Path(program).parent)
        _finish(_run(program, self._xcom_holders))

    def _state(self) -> State:
        return tuple(map(_version_of, self._sources))


def _version_of(source: Path) -> tuple[int, int] | None:
    try:
        status = source.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _import(names: Iterable[str]) -> bool:
    """Import modules; tell whether all of them could be."""
    from setproctitle import getproctitle

    getproctitle()  # it finds its place behind the arguments before the environment changes, or not
    gc.disable()  # looking for garbage is a fourth of the time that imports take
    environment = dict(os.environ)
    os.environ.update(WHILE_IMPORTING)
    is_complete = all(map(_can_import, names))
    _become_environment(environment)
    gc.freeze()  # a collection writes to every page, which is then shared no more
    gc.enable()
    return is_complete


def _can_import(name: str) -> bool:
    module, _, function = name.partition(":")
    try:
        imported = importlib.import_module(module)
        if function:
            getattr(imported, function)()
    except (Exception, SystemExit):
        return False
    return True


def _forget_the_parent() -> None:
    """Undo what belongs to supervisord alone: its signal handlers, and our modules as they were.

    A new program imports our code as it is now.
    """
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in _own_modules():
        del sys.modules[name]


def _become_environment(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


def _own_modules() -> list[str]:
    return [name for name in sys.modules if name.split(".")[0] == OWN_PACKAGE]


def _xcom_holders() -> Iterator[ModuleType]:
    """Yield the modules that have looked the XCom backend up already."""
    base = sys.modules.get("airflow.sdk.bases.xcom")
    for module in list(sys.modules.values()) if base else []:
        if getattr(module, "__dict__", {}).get("XCom") is vars(base)["BaseXCom"]:
            yield module


def _run(program: str, xcom_holders: Iterable[ModuleType]) -> int:
    """Run a program's script as if it had been executed; return its exit status."""
    from airflow import settings
    from airflow.sdk.execution_time.xcom import resolve_xcom_backend
    from setproctitle import setproctitle

    setproctitle(" ".join([Path(program).name, *sys.argv[1:]]))
    try:
        settings.initialize()  # type: ignore[no-untyped-call]  # not typed
        backend = resolve_xcom_backend()  # type: ignore[no-untyped-call]  # not typed
        for module in xcom_holders:
            vars(module)["XCom"] = backend
        runpy.run_path(program, run_name="__main__")
    except SystemExit as reason:
        return _exit_status(reason)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _exit_status(reason: SystemExit) -> int:
    if reason.code is None or isinstance(reason.code, int):
        return reason.code or 0
    print(reason.code, file=sys.stderr)
    return 1


def _finish(status: int) -> NoReturn:
    """End as an interpreter does, but for its memory: the system takes that back faster."""
    with suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]  # as multiprocessing's children do
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(status)

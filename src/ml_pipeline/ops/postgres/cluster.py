"""The embedded PostgreSQL cluster of one clone: make it, start it, stop it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from secrets import token_urlsafe

import psutil

from ml_pipeline.errors import DatabaseError
from ml_pipeline.ops import secrets
from ml_pipeline.ops.postgres import binaries, placement, ports, postmaster, record, settings
from ml_pipeline.ops.postgres.account import Account, server_account
from ml_pipeline.ops.postgres.binaries import Binaries
from ml_pipeline.ops.project import Project

SUPERUSER = "postgres"
PASSWORD = "postgres_password"  # noqa: S105 - the name of its secret
INITDB_SECONDS = 180
START_SECONDS = 120  # after a crash the server replays its log first
FAST_STOP_SECONDS = 30
FIRST_BUILTIN_LOCALE_MAJOR = 17


@dataclass(frozen=True)
class Cluster:
    """One clone's server and its data.

    Parameters
    ----------
    project
        The clone.
    """

    project: Project

    @classmethod
    def of(cls, project: Project) -> Cluster:
        """Return the clone's cluster, whether it exists yet or not."""
        return cls(project)

    @property
    def home(self) -> Path:
        """The folder that holds the data and, where they had to be copied, the programs."""
        return placement.home(self.project)

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.home / "data"

    @property
    def port(self) -> int | None:
        """The recorded port; None before the first start."""
        return record.read(self.project).port

    @property
    def log(self) -> Path:
        """What a server prints that was started without the stack."""
        return self.project.logs / "postgres-detached.log"

    @cached_property
    def account(self) -> Account:
        """Who runs the server."""
        return server_account(self.data)

    @cached_property
    def binaries(self) -> Binaries:
        """The programs that made this cluster, or will make it, where its account can run them."""
        return placement.reachable_binaries(self.find_binaries(), self.account, self.home)

    def find_binaries(self) -> Binaries:
        """Return the programs that made this cluster, or will make it, where they are now."""
        return binaries.find(self.project, self._major())

    def is_initialised(self) -> bool:
        """Tell whether the data folder is there; it never is there half made."""
        return os.access(self.data, os.F_OK)

    def is_running(self) -> bool:
        """Tell whether our server is alive (it may still be starting)."""
        return self.server_pid() is not None

    def server_pid(self) -> int | None:
        """Return the server's process id, or None when it is down."""
        server = postmaster.find(self.data)
        return server.pid if server else None

    def initialise(self) -> None:
        """Make the data folder, once.

        It is made beside its place and renamed, so that what an interrupted initdb leaves is never
        taken for a database.
        """
        placement.settle(self.project, self.account)
        if self.is_initialised():
            self._take_back()
            return
        password = secrets.ensure(self.project.secrets, PASSWORD)
        for left_over in self.home.glob("data.partial-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        beside = Path(tempfile.mkdtemp(prefix="data.partial-", dir=self.home))
        self.account.own(beside)
        self._initdb(beside, password)
        settings.include(beside)
        beside.rename(self.data)
        recorded = None if self.binaries.is_bundled else str(self.binaries.folder)
        record.update(self.project, binaries=recorded)

    def settle_port(self) -> None:
        """Keep the recorded port, or pick another when somebody else has taken it."""
        port = self.port
        if port is None or not ports.is_free(port):
            port = ports.pick()
            record.update(self.project, port=port)
        settings.write(self.data, port, self.account)

    def ensure_password(self) -> None:
        """Give the superuser a new password when the secret is lost; the server has to be down."""
        if secrets.read(self.project.secrets, PASSWORD) is not None:
            return
        password = token_urlsafe(secrets.TOKEN_BYTES)
        done = self.account.run(
            [self.binaries.program("postgres"), "--single", "-D", self.data, "postgres"],
            output=subprocess.DEVNULL,
            seconds=START_SECONDS,
            text=f"ALTER ROLE {SUPERUSER} PASSWORD '{password}'\n",
        )
        if done.returncode != 0:
            raise DatabaseError(
                f"{self.project.secrets / PASSWORD} is lost, and PostgreSQL does not run on "
                f"{self.data} to be given another."
            )
        secrets.write(self.project.secrets, PASSWORD, password)

    def command(self) -> list[str]:
        """Return the server's command line."""
        return [str(self.binaries.program("postgres")), "-D", str(self.data)]

    def start(self) -> None:
        """Start a server that outlives this process; return when it answers.

        Raises
        ------
        DatabaseError
            When it does not start; with the last lines of its log.
        """
        self.project.logs.mkdir(parents=True, exist_ok=True)
        pg_ctl: list[str | Path] = [self.binaries.program("pg_ctl"), "start", "-D", self.data]
        waiting = ["-w", "-t", str(START_SECONDS), "-s"]
        self.log.touch(mode=0o600)
        with self.log.open("wb") as log:  # a file: the server keeps it open
            done = self.account.run([*pg_ctl, *waiting], output=log, seconds=START_SECONDS + 30)
        if done.returncode != 0:
            raise DatabaseError(
                f"PostgreSQL did not start. The end of {self.log}:\n{_end_of(self.log)}"
            )

    def stop(self) -> None:
        """Shut the server down cleanly; at once, and then by force, if that takes too long."""
        server = postmaster.find(self.data)
        if server is None:
            return
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):  # fast, immediate, by force
            if _has_ended_after(server, number):
                return
        raise DatabaseError(f"PostgreSQL (process {server.pid}) cannot be stopped.")

    def _take_back(self) -> None:
        """Mend a data folder that root has copied without its owners: nobody could run it."""
        if os.geteuid() == 0 and self.data.stat().st_uid == 0:
            self.account.own_tree(self.data)

    def _initdb(self, data: Path, password: str) -> None:
        with self._password_file(password) as password_file, tempfile.TemporaryFile() as output:
            done = self.account.run(
                [
                    self.binaries.program("initdb"),
                    f"--pgdata={data}",
                    f"--pwfile={password_file}",
                    f"--username={SUPERUSER}",
                    "--auth-local=scram-sha-256",
                    "--auth-host=scram-sha-256",
                    "--encoding=UTF8",
                    "--data-checksums",
                    *_locale(self.binaries.major),
                ],
                output=output,
                seconds=INITDB_SECONDS,
            )
            output.seek(0)
            text = output.read().decode(errors="replace").strip()
        if done.returncode != 0:
            raise DatabaseError(f"PostgreSQL's initdb failed in {data}:\n{text}")

    @contextmanager
    def _password_file(self, password: str) -> Iterator[Path]:
        descriptor, name = tempfile.mkstemp(dir=self.home)  # 0600
        path = Path(name)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(password)
            self.account.own(path)
            yield path
        finally:
            path.unlink()

    def _major(self) -> int | None:
        try:
            return int((self.data / "PG_VERSION").read_text())
        except FileNotFoundError:
            return None


def _locale(major: int) -> tuple[str, ...]:
    """Sort by code point, the same on every system, so that no upgrade of it spoils an index."""
    if major >= FIRST_BUILTIN_LOCALE_MAJOR:
        return ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    return ("--locale=C",)


def _has_ended_after(server: psutil.Process, number: signal.Signals) -> bool:
    deadline = time.monotonic() + FAST_STOP_SECONDS
    try:
        server.send_signal(number)
        while server.is_running() and server.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
    except psutil.NoSuchProcess:
        pass
    return True


def _end_of(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])

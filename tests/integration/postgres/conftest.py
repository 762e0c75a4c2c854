"""Queries on real servers, and a server such as a user already has."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from ml_pipeline.ops import secrets
from ml_pipeline.ops.postgres import binaries, ports
from ml_pipeline.ops.postgres.account import Account, server_account
from ml_pipeline.ops.postgres.binaries import Binaries
from ml_pipeline.ops.postgres.urls import DatabaseUrl, parse
from ml_pipeline.ops.project import Project

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
ADMIN_PASSWORD = "p@ss w/ö:rd%?#"
NEEDS_ROOT = pytest.mark.skipif(
    "__import__('os').geteuid() != 0", reason="only root has to run PostgreSQL as somebody else"
)
URL_SECRETS = ("sql_alchemy_conn", "sql_alchemy_conn_async", "mlflow_db_url", "results_db_url")
NewClone = Callable[[], Project]
Use = Callable[[DatabaseUrl | str], None]


def query(url: str | DatabaseUrl, statement: str) -> list[tuple[Any, ...]]:
    """Run one statement and return its rows."""
    text = url.libpq() if isinstance(url, DatabaseUrl) else parse(url).libpq()
    connection = psycopg2.connect(text, connect_timeout=5)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def superuser_url(project: Project) -> DatabaseUrl:
    """Return the embedded server's superuser."""
    metadata = parse(secret(project, "sql_alchemy_conn"))
    return metadata.for_role("postgres", secret(project, "postgres_password"), "postgres")


def secret(project: Project, name: str) -> str:
    """Return a secret that has to be there."""
    text = secrets.read(project.secrets, name)
    assert text is not None, name
    return text


def add_history(project: Project) -> None:
    """Store something that a later start has to find again."""
    url = secret(project, "results_db_url")
    query(url, "DROP TABLE IF EXISTS history")
    query(url, "CREATE TABLE history AS SELECT 42 AS answer")


def has_history(project: Project) -> bool:
    """Tell whether it is there."""
    return query(secret(project, "results_db_url"), "SELECT answer FROM history") == [(42,)]


@dataclass(frozen=True)
class OwnServer:
    """A server that was there before this project, with an administrator and lesser roles.

    `maker` may create roles and databases, `limited` may not.
    """

    data: Path
    binaries: Binaries
    account: Account
    admin: DatabaseUrl

    def url_of(self, role: str) -> DatabaseUrl:
        return replace(self.admin, user=role)

    def run(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        return query(replace(self.admin, database=database), statement)

    def roles(self) -> set[str]:
        rows = self.run("SELECT rolname FROM pg_roles WHERE rolname ~ '^(airflow|ml)_user$'")
        return {row[0] for row in rows}

    def databases(self) -> set[str]:
        rows = self.run("SELECT datname FROM pg_database WHERE datname ~ '_db$'")
        return {row[0] for row in rows}

    def log(self) -> str:
        return (self.data.parent / "log").read_text()

    def clear(self) -> None:
        """Drop everything that a test has made."""
        for database in self.databases():
            self.run(f"DROP DATABASE {database} WITH (FORCE)")
        for role in self.roles():
            self.run(f"DROP ROLE {role}")

    def control(self, *arguments: str) -> None:
        with (self.data.parent / "log").open("ab") as log:
            done = self.account.run(
                [self.binaries.program("pg_ctl"), "-D", self.data, "-w", "-s", *arguments],
                output=log,
                seconds=60,
            )
        assert done.returncode == 0, self.log()


def assert_nothing_is_made(server: OwnServer, project: Project) -> None:
    """Hold a refused server, and the clone, against what they were."""
    assert server.roles() == server.databases() == set()
    assert not [
        name for name in (*URL_SECRETS, "database_url") if (project.secrets / name).exists()
    ]


def _own_server_binaries(major: int) -> Binaries:
    folder = DEBIAN_15 if major == 15 else binaries.bundled_folders()[1]
    if not (folder / "initdb").exists():
        pytest.skip(f"no PostgreSQL {major} in {folder}")
    return Binaries(folder, major)


@pytest.fixture(scope="session", params=[15, 16])
def running_own_server(request: pytest.FixtureRequest, open_folder: Path) -> Iterator[OwnServer]:
    """PostgreSQL 15 and 16: between them the rights of who may create roles were changed."""
    found = _own_server_binaries(request.param)
    home = Path(tempfile.mkdtemp(dir=open_folder))
    home.chmod(0o755)
    data = home / "data"
    data.mkdir(mode=0o700)
    account = server_account(data)
    account.own(data)
    server = OwnServer(data, found, account, _initialised(data, found, account))
    server.control("start")
    server.run(f"CREATE ROLE maker LOGIN CREATEROLE CREATEDB PASSWORD '{ADMIN_PASSWORD}'")
    server.run(f"CREATE ROLE limited LOGIN PASSWORD '{ADMIN_PASSWORD}'")
    yield server
    server.control("stop", "-m", "immediate")


@pytest.fixture
def own_server(running_own_server: OwnServer) -> Iterator[OwnServer]:
    yield running_own_server
    running_own_server.clear()


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Set the user's own URL."""

    def set_url(url: DatabaseUrl | str) -> None:
        text = url.libpq() if isinstance(url, DatabaseUrl) else url
        monkeypatch.setenv("ML_PIPELINE_DATABASE_URL", text)

    return set_url


@pytest.fixture
def new_clone(open_folder: Path) -> Callable[[], Project]:
    """Make a clone that was never started."""
    return lambda: Project(Path(tempfile.mkdtemp(dir=open_folder)))


def _initialised(data: Path, found: Binaries, account: Account) -> DatabaseUrl:
    password = data.parent / "password"
    password.write_text(ADMIN_PASSWORD)
    subprocess.run(["chmod", "644", password], check=True)
    initdb = [found.program("initdb"), "-D", data, "-U", "administrator", "-A", "scram-sha-256"]
    options = [f"--pwfile={password}", "-E", "UTF8", "--locale=C", "--no-sync"]
    done = account.run([*initdb, *options], output=subprocess.DEVNULL, seconds=60)
    assert done.returncode == 0
    port = ports.pick()
    with (data / "postgresql.conf").open("a") as settings:
        settings.write(
            f"port={port}\nlisten_addresses='127.0.0.1'\nunix_socket_directories=''\n"
            "fsync=off\nlog_statement=all\n"
        )
    return DatabaseUrl("127.0.0.1", port, "postgres", "administrator", ADMIN_PASSWORD)

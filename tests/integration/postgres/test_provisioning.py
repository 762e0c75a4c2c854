"""Roles, databases and URLs: on the embedded server and on one that the user brings."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest

from ml_pipeline.errors import DatabaseError
from ml_pipeline.ops import postgres
from ml_pipeline.ops.postgres.urls import DatabaseUrl, parse
from ml_pipeline.ops.project import Project
from tests.integration.conftest import MakeClone
from tests.integration.postgres.conftest import (
    ADMIN_PASSWORD,
    OwnServer,
    query,
    secret,
    superuser_url,
)
from tests.unit.docs.documents import document

URL_SECRETS = ("sql_alchemy_conn", "sql_alchemy_conn_async", "mlflow_db_url", "results_db_url")
NewClone = Callable[[], Project]
Use = Callable[[DatabaseUrl | str], None]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Set the user's own URL."""

    def set_url(url: DatabaseUrl | str) -> None:
        text = url.libpq() if isinstance(url, DatabaseUrl) else url
        monkeypatch.setenv("ML_PIPELINE_DATABASE_URL", text)

    return set_url


def assert_nothing_is_made(server: OwnServer, project: Project) -> None:
    assert server.roles() == server.databases() == set()
    assert not [
        name for name in (*URL_SECRETS, "database_url") if (project.secrets / name).exists()
    ]


def test_each_role_owns_its_databases(project: Project) -> None:
    owners = query(
        superuser_url(project),
        "SELECT datname, pg_get_userbyid(datdba) FROM pg_database WHERE datname ~ '_db$'",
    )
    assert dict(owners) == {
        "airflow_db": "airflow_user",
        "mlflow_db": "ml_user",
        "results_db": "ml_user",
    }


@pytest.mark.parametrize("name", ["sql_alchemy_conn", "mlflow_db_url", "results_db_url"])
def test_each_url_lets_its_role_make_tables(project: Project, name: str) -> None:
    query(secret(project, name), "CREATE TABLE probe (id int)")
    query(secret(project, name), "DROP TABLE probe")


def test_pipeline_role_may_not_enter_the_metadata(project: Project) -> None:
    url = parse(secret(project, "results_db_url"))
    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        query(replace(url, database="airflow_db"), "SELECT 1")


def test_no_role_is_more_than_it_needs(project: Project) -> None:
    rows = query(
        superuser_url(project),
        "SELECT count(*) FROM pg_roles WHERE rolname IN ('airflow_user', 'ml_user') "
        "AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication)",
    )
    assert rows == [(0,)]


def test_provision_twice_changes_nothing(project: Project) -> None:
    before = {file.name: file.stat().st_mtime_ns for file in project.secrets.iterdir()}
    postgres.provision(project)
    assert {file.name: file.stat().st_mtime_ns for file in project.secrets.iterdir()} == before


@pytest.mark.parametrize("lost", ["sql_alchemy_conn", "airflow_user_password", "ml_user_password"])
def test_provision_after_an_interruption_completes(clone: Project, lost: str) -> None:
    postgres.start(clone)
    (clone.secrets / lost).unlink()
    postgres.provision(clone)
    for name in ("sql_alchemy_conn", "mlflow_db_url", "results_db_url"):
        assert query(secret(clone, name), "SELECT 1") == [(1,)]


def test_provision_when_the_embedded_server_is_down_says_how_to_start_it(
    make_clone: MakeClone,
) -> None:
    clone = make_clone()
    (clone.secrets / "sql_alchemy_conn").unlink()
    with pytest.raises(DatabaseError, match="ml-pipeline db start"):
        postgres.provision(clone)


@pytest.mark.parametrize("role", ["administrator", "maker"])
def test_own_server_whose_role_may_create_is_provisioned(
    own_server: OwnServer, new_clone: NewClone, use: Use, role: str
) -> None:
    project = new_clone()
    use(own_server.url_of(role))
    postgres.provision(project)
    assert own_server.databases() == {"airflow_db", "mlflow_db", "results_db"}
    assert not postgres.is_embedded(project)
    assert postgres.is_ready(project)
    for name in ("sql_alchemy_conn", "mlflow_db_url", "results_db_url"):
        query(secret(project, name), "CREATE TABLE probe (id int)")


def test_own_server_is_remembered_without_the_variable(
    own_server: OwnServer, new_clone: NewClone, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = new_clone()
    use(own_server.url_of("maker"))
    postgres.provision(project)
    monkeypatch.delenv("ML_PIPELINE_DATABASE_URL")
    assert not postgres.is_embedded(project)
    postgres.prepare(project)
    postgres.start(project)
    assert not project.postgres.exists()
    assert postgres.is_ready(project)


def test_own_server_never_sees_a_password_in_a_statement(
    own_server: OwnServer, new_clone: NewClone, use: Use
) -> None:
    project = new_clone()
    use(own_server.url_of("maker"))
    postgres.provision(project)
    log = own_server.log()
    assert "CREATE ROLE airflow_user" in log
    assert secret(project, "airflow_user_password") not in log
    assert secret(project, "ml_user_password") not in log


def test_own_server_leaves_its_role_no_membership(
    own_server: OwnServer, new_clone: NewClone, use: Use
) -> None:
    use(own_server.url_of("maker"))
    postgres.provision(new_clone())
    rows = own_server.run(
        "SELECT count(*) FROM pg_auth_members WHERE member = 'maker'::regrole "
        "AND grantor = 'maker'::regrole"
    )
    assert rows == [(0,)]


def test_own_server_whose_role_may_not_create_gets_sql_for_its_administrator(
    own_server: OwnServer, new_clone: NewClone, use: Use
) -> None:
    project = new_clone()
    use(own_server.url_of("limited"))
    with pytest.raises(DatabaseError) as refusal:
        postgres.provision(project)
    assert_nothing_is_made(own_server, project)
    message = str(refusal.value)
    passwords = [file.read_text() for file in project.secrets.glob("*_password")]
    assert not [text for text in (*passwords, ADMIN_PASSWORD) if text in message]
    for statement in message.split("\n\n")[1].strip().splitlines():
        own_server.run(statement)
    postgres.provision(project)
    assert query(secret(project, "sql_alchemy_conn"), "SELECT 1") == [(1,)]
    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        query(replace(parse(secret(project, "results_db_url")), database="airflow_db"), "SELECT 1")


def test_the_page_on_deployment_shows_the_sql_that_the_administrator_gets(
    own_server: OwnServer, new_clone: NewClone, use: Use
) -> None:
    use(own_server.url_of("limited"))
    with pytest.raises(DatabaseError) as refusal:
        postgres.provision(new_clone())
    given = str(refusal.value).split("\n\n")[1].strip()
    shown = document("docs/deployment.md").blocks("sql")[0].strip()
    assert re.sub(r"'SCRAM-SHA-256\$[^']*'", "'SCRAM-SHA-256$…'", given) == shown


def test_own_server_that_another_clone_uses_is_left_alone(
    own_server: OwnServer, new_clone: NewClone, use: Use
) -> None:
    first, second = new_clone(), new_clone()
    use(own_server.url_of("administrator"))
    postgres.provision(first)
    for _ in range(2):
        with pytest.raises(DatabaseError, match="another clone may be at work there"):
            postgres.provision(second)
    assert not (second.secrets / "sql_alchemy_conn").exists()
    assert query(secret(first, "sql_alchemy_conn"), "SELECT 1") == [(1,)]


def test_own_server_with_a_foreign_database_of_the_same_name_is_left_alone(
    own_server: OwnServer, new_clone: NewClone, use: Use
) -> None:
    own_server.run("CREATE DATABASE results_db")
    use(own_server.url_of("administrator"))
    with pytest.raises(DatabaseError, match=r"results_db exists .* belongs to the role admin"):
        postgres.provision(new_clone())
    assert own_server.roles() == set()
    assert own_server.databases() == {"results_db"}


@pytest.mark.parametrize("role", ["administrator", "maker"])
def test_own_server_that_keeps_the_new_roles_out_is_left_as_it_was(
    own_server: OwnServer, new_clone: NewClone, use: Use, role: str
) -> None:
    project = new_clone()
    rules = own_server.data / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"host all ml_user 127.0.0.1/32 reject\n{before}")
    own_server.control("reload")
    try:
        use(own_server.url_of(role))
        with pytest.raises(DatabaseError, match=r"ml_user.*pg_hba\.conf"):
            postgres.provision(project)
        assert_nothing_is_made(own_server, project)
    finally:
        rules.write_text(before)
        own_server.control("reload")


def test_change_from_the_embedded_to_an_own_server_moves_every_url(
    make_clone: MakeClone, own_server: OwnServer, use: Use
) -> None:
    clone = make_clone()
    use(own_server.url_of("maker"))
    postgres.provision(clone)
    for name in URL_SECRETS:
        assert own_server.admin.place in secret(clone, name)


def test_wrong_password_is_one_line_without_it(
    own_server: OwnServer, new_clone: NewClone, use: Use
) -> None:
    project = new_clone()
    use(replace(own_server.admin, password="not-the-password"))
    with pytest.raises(DatabaseError, match="does not accept the password of the role") as refusal:
        postgres.provision(project)
    assert "\n" not in str(refusal.value) and "not-the-password" not in str(refusal.value)
    assert_nothing_is_made(own_server, project)


def test_unknown_database_is_one_line_that_names_it(
    own_server: OwnServer, new_clone: NewClone, use: Use
) -> None:
    use(replace(own_server.admin, database="nowhere"))
    with pytest.raises(DatabaseError, match='database "nowhere" does not exist') as refusal:
        postgres.provision(new_clone())
    assert "\n" not in str(refusal.value)


def test_closed_port_is_one_line_that_names_it(new_clone: NewClone, use: Use) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    use(f"postgresql://u:s3cr3t@127.0.0.1:{port}/db")
    project = new_clone()
    with pytest.raises(
        DatabaseError, match=f"No PostgreSQL answers at 127.0.0.1:{port}"
    ) as refusal:
        postgres.provision(project)
    assert "\n" not in str(refusal.value) and "s3cr3t" not in str(refusal.value)
    assert not project.airflow_home.exists()


def test_unknown_host_is_one_line_that_names_it(new_clone: NewClone, use: Use) -> None:
    use("postgresql://u:s3cr3t@host.invalid/db")
    with pytest.raises(DatabaseError, match=r"No PostgreSQL answers at host\.invalid:5432"):
        postgres.provision(new_clone())


def test_silent_host_is_given_up_after_the_time_out(new_clone: NewClone, use: Use) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        use(f"postgresql://u:s3cr3t@127.0.0.1:{port}/db?connect_timeout=2")
        with pytest.raises(DatabaseError, match="timeout expired"):
            postgres.provision(new_clone())


@contextmanager
def _server_of_version(version: str) -> Iterator[int]:
    """Speak as much of PostgreSQL's protocol as a log-in needs."""

    def message(kind: bytes, body: bytes) -> bytes:
        return kind + (len(body) + 4).to_bytes(4, "big") + body

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                while len(request := client.recv(4096)) == 8:  # asks for TLS or Kerberos
                    client.sendall(b"N")
                client.sendall(message(b"R", bytes(4)))
                for name, value in (
                    ("server_version", version),
                    ("client_encoding", "UTF8"),
                    ("DateStyle", "ISO"),
                ):
                    client.sendall(message(b"S", f"{name}\0{value}\0".encode()))
                client.sendall(message(b"Z", b"I"))
                client.recv(4096)
                assert request

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def test_too_old_server_is_one_line_that_names_its_version(new_clone: NewClone, use: Use) -> None:
    project = new_clone()
    with _server_of_version("13.9") as port:
        use(f"postgresql://u:s3cr3t@127.0.0.1:{port}/db")
        with pytest.raises(DatabaseError, match="is PostgreSQL 13; 14 or newer is needed"):
            postgres.provision(project)
    assert not project.airflow_home.exists()


@contextmanager
def _with_tls(server: OwnServer) -> Iterator[Path]:
    """Switch TLS on, with a certificate that signs itself; yield the certificate."""
    certificate, key = server.data / "server.crt", server.data / "server.key"
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-out", certificate, "-keyout", key]
    command = ["openssl", "req", "-new", "-x509", "-nodes", "-days", "2", *name, *files]
    subprocess.run(command, check=True, capture_output=True)
    public = Path(shutil.copy2(certificate, server.data.parent))
    for path in (certificate, key):
        path.chmod(0o600)
        server.account.own(path)
    server.run("ALTER SYSTEM SET ssl = on")
    server.control("reload")
    yield public
    server.run("ALTER SYSTEM RESET ssl")
    server.control("reload")


async def _is_encrypted(url: str) -> bool:
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(url)
    async with engine.connect() as connection:
        statement = text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        answer = bool((await connection.execute(statement)).scalar())
    await engine.dispose()
    return answer


@pytest.mark.parametrize("running_own_server", [15], indirect=True)  # the wheel's has no TLS
@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl to make a certificate")
def test_tls_parameters_reach_both_drivers_of_airflow(
    own_server: OwnServer, new_clone: NewClone, use: Use
) -> None:
    project = new_clone()
    with _with_tls(own_server) as certificate:
        parameters = (("sslmode", "verify-full"), ("sslrootcert", str(certificate)))
        use(replace(own_server.url_of("maker"), parameters=parameters))
        postgres.provision(project)
        asynchronous = secret(project, "sql_alchemy_conn_async")
        assert asyncio.run(_is_encrypted(asynchronous))
        encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        assert query(secret(project, "sql_alchemy_conn"), encrypted) == [(True,)]
        certificate.write_text("")  # asyncpg must look at it, not merely encrypt
        with pytest.raises((ssl.SSLError, OSError)):
            asyncio.run(_is_encrypted(asynchronous))

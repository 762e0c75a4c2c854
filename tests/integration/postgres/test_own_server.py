"""A server that the user brings: what is wrong with it is one line, and it stays as it was."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ml_pipeline.errors import DatabaseError
from ml_pipeline.ops import postgres
from tests.integration.postgres.conftest import (
    NewClone,
    OwnServer,
    Use,
    assert_nothing_is_made,
    query,
    secret,
)


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

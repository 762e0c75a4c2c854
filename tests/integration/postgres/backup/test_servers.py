"""Backups across major versions, on servers of the user's own, and over TLS."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ml_pipeline.errors import DatabaseError
from ml_pipeline.ops import backup, postgres
from ml_pipeline.ops.backup.manifest import BackupError
from ml_pipeline.ops.postgres import binaries, client_programs
from ml_pipeline.ops.postgres.cluster import Cluster
from ml_pipeline.ops.project import Project
from tests.integration.conftest import MakeClone
from tests.integration.postgres.backup.saved import (
    begin,
    remember,
    remembered,
)
from tests.integration.postgres.conftest import DEBIAN_15, OwnServer, query, secret

NEEDS_15 = pytest.mark.skipif(not DEBIAN_15.is_dir(), reason=f"no PostgreSQL 15 in {DEBIAN_15}")


@NEEDS_15
def test_backup_of_postgresql_15_restores_into_18(
    make_clone: MakeClone,
    new_clone: Callable[[], Project],
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = new_clone()
    old.root.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setenv(binaries.VARIABLE, str(DEBIAN_15))
        postgres.start(old)
        postgres.provision(old)
        begin(old)
        assert backup.save(old, file).server_major == 15
        postgres.stop(old)
    new = make_clone()
    backup.restore(new, file)
    postgres.start(new)
    assert query(secret(new, "sql_alchemy_conn"), "SHOW server_version")[0][0].startswith("18.")
    assert remembered(new) == ["before", "password of before"]


@NEEDS_15
def test_backup_of_postgresql_18_into_15_is_refused_before_anything_is_made(
    saved: Path, new_clone: Callable[[], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = new_clone()
    monkeypatch.setenv(binaries.VARIABLE, str(DEBIAN_15))
    with pytest.raises(BackupError, match="PostgreSQL 18, and the server here is PostgreSQL 15"):
        backup.restore(old, saved)
    assert not Cluster.of(old).is_initialised()


@pytest.fixture
def guest(
    own_server: OwnServer, new_clone: Callable[[], Project], monkeypatch: pytest.MonkeyPatch
) -> Project:
    """A clone on a user's server, where its role may create roles and databases."""
    monkeypatch.setenv(postgres.URL_VARIABLE, own_server.url_of("maker").psycopg2())
    project = new_clone()
    postgres.provision(project)
    begin(project)
    return project


def test_backup_of_a_user_s_own_server_comes_back(guest: Project, file: Path) -> None:
    backup.save(guest, file)
    remember(guest, "after")
    backup.restore(guest, file)
    assert remembered(guest) == ["before", "password of before"]


def test_restore_on_a_user_s_server_leaves_no_membership_behind(
    guest: Project, file: Path, own_server: OwnServer
) -> None:
    before = own_server.run("SELECT count(*) FROM pg_auth_members")
    backup.save(guest, file)
    backup.restore(guest, file)
    assert own_server.run("SELECT count(*) FROM pg_auth_members") == before


def test_restore_with_a_role_that_may_not_create_databases_prints_the_sql_that_helps(
    guest: Project, file: Path, own_server: OwnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup.save(guest, file)
    remember(guest, "after")
    monkeypatch.setenv(postgres.URL_VARIABLE, own_server.url_of("limited").psycopg2())
    with pytest.raises(BackupError, match="Have the server's administrator run this") as caught:
        backup.restore(guest, file)
    assert remembered(guest)[:2] == ["before", "after"]
    for statement in re.findall(r"^[A-Z].*;$", str(caught.value), re.MULTILINE):
        own_server.run(statement)
    try:
        backup.restore(guest, file)
    finally:
        own_server.run("ALTER ROLE limited NOCREATEDB")
    assert remembered(guest) == ["before", "password of before"]


def test_backup_of_a_user_s_server_without_programs_of_its_own_uses_the_bundled_ones(
    guest: Project, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundled = [(folder, True) for folder in binaries.bundled_folders()]
    monkeypatch.setattr(client_programs, "_candidates", lambda project: iter(bundled))
    assert backup.save(guest, file).dump_major == 16
    remember(guest, "after")
    backup.restore(guest, file)
    assert remembered(guest) == ["before", "password of before"]


@NEEDS_15
@pytest.mark.parametrize("running_own_server", [15], indirect=True)  # the wheel's have no TLS
def test_backup_over_tls_wants_programs_that_have_it(
    own_server: OwnServer, guest: Project, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with encrypting(own_server):
        backup.save(guest, file)
        backup.restore(guest, file)
        assert remembered(guest) == ["before", "password of before"]
        bundled = [(folder, True) for folder in binaries.bundled_folders()]
        monkeypatch.setattr(client_programs, "_candidates", lambda project: iter(bundled))
        with pytest.raises(DatabaseError, match="15 or newer with TLS are needed"):
            backup.save(guest, file.with_name("second.zip"))


@contextmanager
def encrypting(server: OwnServer) -> Iterator[None]:
    """Have the server accept encrypted connections from the network only, and plain ones never."""
    make_certificate(server)
    rules = server.data / "pg_hba.conf"
    plain = rules.read_text()
    rules.write_text(plain.replace("\nhost ", "\nhostssl "))
    server.run("ALTER SYSTEM SET ssl = on")
    server.run("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        rules.write_text(plain)
        server.run("ALTER SYSTEM RESET ssl")
        server.run("SELECT pg_reload_conf()")


def make_certificate(server: OwnServer) -> None:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    for file, content in (
        (server.data / "server.key", private),
        (server.data / "server.crt", certificate.public_bytes(serialization.Encoding.PEM)),
    ):
        file.write_bytes(content)
        file.chmod(0o600)
        server.account.own(file)

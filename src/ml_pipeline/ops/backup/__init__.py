"""Back up the databases and the secrets that belong to them into one file, and restore it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace as changed
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ml_pipeline.errors import StackError
from ml_pipeline.ops import airflow_setup, postgres, secrets, stack_record
from ml_pipeline.ops.backup import archive, dump, swap
from ml_pipeline.ops.backup.manifest import (
    DUMPS,
    SECRETS,
    Manifest,
    installed_packages,
    require_restorable,
)
from ml_pipeline.ops.postgres import catalog, client_programs, lending, provisioning
from ml_pipeline.ops.postgres.cluster import Cluster
from ml_pipeline.ops.postgres.connections import connected
from ml_pipeline.ops.project import Project

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from ml_pipeline.ops.backup.archive import ArchiveReader, ArchiveWriter
    from ml_pipeline.ops.postgres.urls import DatabaseUrl

# Where alembic notes how far the tables of each database are migrated.
REVISION_TABLES = {
    "airflow_db": ("alembic_version", "alembic_version_fab"),
    "mlflow_db": ("alembic_version",),
}


def save(project: Project, file: Path, *, replace: bool = False) -> Manifest:
    """Write every database that exists, and the secrets that belong to them, into one file.

    Raises
    ------
    PipelineError
        When there is no database, or the file cannot be written; nothing is left of it then.
    """
    with archive.written(file.absolute(), replace=replace) as writer, lending.lent(project):
        urls = _existing(project)
        with connected(next(iter(urls.values()))) as connection:
            server_version = _server_version(connection)
            needs_tls = bool(connection.info.ssl_in_use)
        programs = client_programs.find(project, _major(server_version), needs_tls=needs_tls)
        for database, url in urls.items():
            with writer.member(DUMPS[database]) as member:
                dump.dump(programs, url, member)
        _save_secrets(project, writer)
        manifest = Manifest(
            created_at=datetime.now(UTC),
            server_version=server_version,
            dump_major=programs.major,
            packages=installed_packages(),
            migration_heads=_migration_heads(urls),
            members=writer.members,
        )
        writer.finish(manifest)
    return manifest


def restore(project: Project, file: Path) -> Manifest:
    """Put the databases and secrets of a backup in the place of this clone's, all or none.

    Raises
    ------
    PipelineError
        When the stack runs, or the file does not fit; everything is as it was then.
    """
    with archive.opened(file.absolute()) as reader, _stopped_stack(project):
        reader.verify()
        _require_restorable(project, reader.manifest)
        with lending.started(project):
            postgres.provision(project)
            _replace(project, reader)
    return reader.manifest


def _existing(project: Project) -> dict[str, DatabaseUrl]:
    urls = provisioning.owner_urls(project)
    with connected(provisioning.admin_url(project)) as connection:
        return {name: url for name, url in urls.items() if catalog.owner(connection, name)}


def _save_secrets(project: Project, writer: ArchiveWriter) -> None:
    for name, member_name in SECRETS.items():
        text = secrets.read(project.secrets, name)
        if text is not None:
            with writer.member(member_name) as member:
                member.write(text.encode())


def _migration_heads(urls: Mapping[str, DatabaseUrl]) -> dict[str, str]:
    heads = {}
    for database, tables in REVISION_TABLES.items():
        if database in urls:
            with connected(urls[database]) as connection:
                for table in tables:
                    if head := _head(connection, table):
                        heads[f"{database}.{table}"] = head
    return heads


def _head(connection: Connection, table: str) -> str | None:
    if catalog.value(connection, "SELECT to_regclass(%s)::text", table) is None:
        return None
    return str(catalog.value(connection, f"SELECT version_num FROM {table}"))


@contextmanager
def _stopped_stack(project: Project) -> Iterator[None]:
    if stack_record.is_locked(project):
        raise StackError("The stack is running. Stop it before a restore: ml-pipeline down")
    with stack_record.lock(project):
        yield


def _require_restorable(project: Project, manifest: Manifest) -> None:
    """Hold the backup against this clone, before anything is started or made."""
    if postgres.is_embedded(project):
        server_major = Cluster.of(project).find_binaries().major
    else:
        with connected(provisioning.admin_url(project)) as connection:
            server_major = _major(_server_version(connection))
    require_restorable(manifest, server_major, installed_packages())


def _replace(project: Project, reader: ArchiveReader) -> None:
    manifest, urls = reader.manifest, provisioning.owner_urls(project)
    admin = provisioning.admin_url(project)
    with connected(admin) as connection:
        oldest = max(manifest.dump_major, _major(_server_version(connection)))
        needs_tls = bool(connection.info.ssl_in_use)
        programs = client_programs.find(project, oldest, needs_tls=needs_tls)
        fill = partial(_fill, reader, programs, urls)
        also = _exchanged_secrets(project, reader)
        swap.replace_databases(connection, admin, manifest.databases, fill, also)


def _fill(
    reader: ArchiveReader,
    programs: client_programs.ClientPrograms,
    urls: Mapping[str, DatabaseUrl],
    database: str,
    new_database: str,
) -> None:
    url = changed(urls[database], database=new_database)
    dump.load(programs, url, reader.chunks(DUMPS[database]))
    with connected(url) as connection:
        catalog.execute(connection, url, "ANALYZE")  # a dump holds no statistics


@contextmanager
def _exchanged_secrets(project: Project, reader: ArchiveReader) -> Iterator[None]:
    """Have the backup's secrets, and the set-up done again; the old ones again after a failure."""
    new = {name: reader.text(SECRETS[name]) for name in reader.manifest.secrets}
    old = {name: secrets.read(project.secrets, name) for name in new}
    airflow_setup.forget(project)
    try:
        for name, text in new.items():
            secrets.write(project.secrets, name, text)
        yield
    except BaseException:
        _put_back(project, old)
        raise


def _put_back(project: Project, old: Mapping[str, str | None]) -> None:
    for name, text in old.items():
        if text is None:
            (project.secrets / name).unlink(missing_ok=True)
        else:
            secrets.write(project.secrets, name, text)


def _server_version(connection: Connection) -> str:
    major, minor = divmod(connection.server_version, 10000)
    return f"{major}.{minor}"


def _major(version: str) -> int:
    return int(version.split(".")[0])

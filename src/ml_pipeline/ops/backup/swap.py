"""New databases beside the ones in use, filled and then put in their places in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING

from ml_pipeline.errors import DatabaseError
from ml_pipeline.ops.backup.manifest import BackupError
from ml_pipeline.ops.postgres import catalog
from ml_pipeline.ops.postgres.provisioning import METADATA, OWNERS, create_database
from ml_pipeline.ops.postgres.urls import DatabaseUrl

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

NEW = "_restoring"
OLD = "_replaced"


def replace_databases(
    connection: Connection,
    admin: DatabaseUrl,
    names: Sequence[str],
    fill: Callable[[str, str], None],
    also: AbstractContextManager[None],
) -> None:
    """Replace databases by new ones, all of them or none.

    Parameters
    ----------
    fill
        Called with the name of a database and of the empty one that is to take its place.
    also
        What has to change together with them: entered before they change places, and told by an
        exception when they cannot.

    Raises
    ------
    DatabaseError
        When the server refuses, or somebody is connected; everything is as it was then.
    """
    require_unused(connection, admin, names)
    with _acting_as_owners(connection, admin, names):
        _drop(connection, admin, names)  # what a killed restore left behind
        try:
            for name in names:
                _create_empty(connection, admin, name)
                fill(name, name + NEW)
            with also:
                _change_places(connection, admin, names)
        finally:
            with suppress(DatabaseError):  # or else the next restore drops them
                _drop(connection, admin, names)


def require_unused(connection: Connection, admin: DatabaseUrl, names: Sequence[str]) -> None:
    """Return when nobody is connected to the databases: they could not change places.

    Raises
    ------
    BackupError
        Naming one who is.
    """
    for name in names:
        client = catalog.value(
            connection,
            "SELECT coalesce(nullif(application_name, ''), 'a program') || ' of ' || usename "
            "FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend' LIMIT 1",
            name,
        )
        if client is not None:
            raise BackupError(
                f"Somebody is connected to {name} on {admin.place} ({client}). End what uses the "
                "databases, then restore."
            )


@contextmanager
def _acting_as_owners(
    connection: Connection, admin: DatabaseUrl, names: Sequence[str]
) -> Iterator[None]:
    """Have the rights of the databases' owners, as a superuser has them anyway."""
    owners = sorted({OWNERS[name] for name in names})
    lacking = [owner for owner in owners if not _acts_as(connection, owner)]
    try:
        if not _may_create_databases(connection):
            raise DatabaseError("it may not create databases")
        for owner in lacking:
            catalog.execute(connection, admin, f"GRANT {owner} TO CURRENT_USER")
    except DatabaseError as error:
        raise BackupError(_for_the_administrator(admin, owners, str(error))) from error
    try:
        yield
    finally:
        for owner in lacking:
            catalog.execute(connection, admin, f"REVOKE {owner} FROM CURRENT_USER")


def _acts_as(connection: Connection, owner: str) -> bool:
    return bool(catalog.value(connection, "SELECT pg_has_role(%s, 'USAGE')", owner))


def _may_create_databases(connection: Connection) -> bool:
    query = "SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user"
    return bool(catalog.value(connection, query))


def _create_empty(connection: Connection, admin: DatabaseUrl, name: str) -> None:
    catalog.execute(connection, admin, create_database(name + NEW, OWNERS[name]))
    if name == METADATA:
        revoke = f"REVOKE CONNECT ON DATABASE {name + NEW} FROM PUBLIC"
        catalog.execute(connection, admin, revoke)


def _change_places(connection: Connection, admin: DatabaseUrl, names: Sequence[str]) -> None:
    catalog.execute(connection, admin, "BEGIN")
    try:
        for name in names:
            catalog.execute(connection, admin, f"ALTER DATABASE {name} RENAME TO {name + OLD}")
            catalog.execute(connection, admin, f"ALTER DATABASE {name + NEW} RENAME TO {name}")
        catalog.execute(connection, admin, "COMMIT")
    except BaseException:
        with suppress(DatabaseError):
            catalog.execute(connection, admin, "ROLLBACK")
        raise


def _drop(connection: Connection, admin: DatabaseUrl, names: Sequence[str]) -> None:
    for name in names:
        for suffix in (NEW, OLD):
            catalog.execute(connection, admin, f"DROP DATABASE IF EXISTS {name + suffix}")


def _for_the_administrator(admin: DatabaseUrl, owners: Sequence[str], reason: str) -> str:
    return (
        f"The role {admin.user} on {admin.place} cannot replace databases: {reason}. Have the "
        "server's administrator run this, then repeat your command:\n\n"
        f"ALTER ROLE {admin.user} CREATEDB;\nGRANT {', '.join(owners)} TO {admin.user};\n"
    )

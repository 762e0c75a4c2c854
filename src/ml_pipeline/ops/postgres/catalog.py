"""What a server's catalogues say about roles and databases, and statements that change them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ml_pipeline.errors import DatabaseError
from ml_pipeline.ops.postgres.urls import DatabaseUrl

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection


def verifier(connection: Connection, role: str, password: str) -> str:
    """Return what the server stores instead of the password, so that no log ever sees that."""
    from psycopg2.extensions import encrypt_password

    return str(encrypt_password(password, role, connection, "scram-sha-256"))


def has_role(connection: Connection, role: str) -> bool:
    """Tell whether a role exists."""
    return value(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", role) is not None


def owner(connection: Connection, database: str) -> object:
    """Return the name of a database's owner, None when there is no such database."""
    query = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s"
    return value(connection, query, database)


def may_create(connection: Connection) -> bool:
    """Tell whether the connected role may create roles and databases."""
    query = (
        "SELECT rolsuper OR (rolcreaterole AND rolcreatedb) FROM pg_roles "
        "WHERE rolname = current_user"
    )
    return bool(value(connection, query))


def value(connection: Connection, query: str, *parameters: str) -> object:
    """Return the first value of a query's first row, None when there is none."""
    with connection.cursor() as cursor:
        cursor.execute(query, parameters or None)
        row = cursor.fetchone()
    return row[0] if row else None


def execute(connection: Connection, url: DatabaseUrl, statement: str) -> None:
    """Run a statement; where the server refuses, say so in one line.

    Raises
    ------
    DatabaseError
        Without the statement's values: one may be a password's verifier.
    """
    from psycopg2 import Error

    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    except Error as error:
        kind = " ".join(statement.split()[:3])
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DatabaseError(f"The server at {url.place} refuses {kind}: {reason}") from None

"""Reading tables that may not have been made yet."""

from __future__ import annotations

from typing import Any

from ml_pipeline.errors import DatabaseError
from ml_pipeline.ops.postgres.connections import connected
from ml_pipeline.ops.postgres.urls import DatabaseUrl


def rows(
    url: DatabaseUrl, table: str, query: str, parameters: tuple[str, ...] | None = None
) -> list[Any]:
    """Return what a query finds; nothing when its table was not made yet.

    Raises
    ------
    DatabaseError
        When the database does not answer.
    """
    from psycopg2 import Error

    try:
        with connected(url) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (table,))
            row = cursor.fetchone()
            if not (row and row[0]):
                return []
            cursor.execute(query, parameters)
            return cursor.fetchall()
    except Error as error:
        reason = str(error).strip().splitlines()[0]
        raise DatabaseError(f"{url.database} on {url.place} cannot be read: {reason}") from error

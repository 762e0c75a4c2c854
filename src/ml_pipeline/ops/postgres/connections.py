"""Connect to a server, and say in one line why that failed, never with a password."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ml_pipeline.errors import DatabaseError
from ml_pipeline.ops.postgres.urls import DatabaseUrl

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

CONNECT_SECONDS = 5
OLDEST_MAJOR = 14  # Airflow 3.3 supports no older one
PREFIX = re.compile(
    r"^(?:connection to server .*? failed: |could not connect to server: )?"
    r"(?:FATAL: +|ERROR: +)?"
)
CHECK_URL = (
    "Check ML_PIPELINE_DATABASE_URL, or airflow_home/secrets/database_url, where it was recorded "
    "(special characters of the password percent-encoded), and that the server runs and lets this "
    "machine in."
)
UNREACHABLE = (
    "refused",
    "timeout expired",
    "timed out",
    "could not translate",
    "unreachable",
    "no route",
    "no such file",
)


class WrongPasswordError(DatabaseError):
    """The server does not accept the role's password."""


@contextmanager
def connected(
    url: DatabaseUrl, timeout_seconds: float = CONNECT_SECONDS, remedy: str = CHECK_URL
) -> Iterator[Connection]:
    """Yield a connection that commits each statement, and close it.

    Raises
    ------
    DatabaseError
        When there is no server, it refuses, or it is older than PostgreSQL 14.
    """
    from psycopg2 import OperationalError, connect

    # libpq takes whole seconds, and less than 2 for 2.
    patience = {"connect_timeout": max(2, round(timeout_seconds)), **dict(url.parameters)}
    try:
        connection = connect(url.libpq(), connect_timeout=patience["connect_timeout"])
    except OperationalError as error:
        raise _explained(url, str(error), remedy) from None
    try:
        _check_version(url, connection.server_version)
        connection.autocommit = True
        yield connection
    finally:
        connection.close()


def _check_version(url: DatabaseUrl, version: int) -> None:
    major = version // 10000
    if major < OLDEST_MAJOR:
        raise DatabaseError(
            f"The server at {url.place} is PostgreSQL {major}; {OLDEST_MAJOR} or newer is needed. "
            "Upgrade it, or name another server in ML_PIPELINE_DATABASE_URL."
        )


def _explained(url: DatabaseUrl, message: str, remedy: str) -> DatabaseError:
    # One line for each address tried; hints follow, indented.
    lines = [line for line in message.splitlines() if line and not line[0].isspace()]
    reason = PREFIX.sub("", lines[-1] if lines else message.strip())
    if url.password:
        reason = reason.replace(url.password, "…")
    lowered = reason.lower()
    if "password authentication failed" in lowered or "no password supplied" in lowered:
        return WrongPasswordError(
            f"The server at {url.place} does not accept the password of the role {url.user}. "
            f"{remedy}"
        )
    if any(sign in lowered for sign in UNREACHABLE):
        return DatabaseError(f"No PostgreSQL answers at {url.place} ({reason}). {remedy}")
    return DatabaseError(
        f"The server at {url.place} refuses the role {url.user or '(default)'} on the database "
        f"{url.database}: {reason}. {remedy}"
    )

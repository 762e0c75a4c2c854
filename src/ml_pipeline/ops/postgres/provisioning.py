"""Roles, databases, grants and URL secrets, on the embedded server or the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ml_pipeline.errors import DatabaseError
from ml_pipeline.ops import postgres, secrets
from ml_pipeline.ops.postgres import catalog, urls
from ml_pipeline.ops.postgres.cluster import PASSWORD, SUPERUSER, Cluster
from ml_pipeline.ops.postgres.connections import (
    CHECK_URL,
    WrongPasswordError,
    connected,
)
from ml_pipeline.ops.postgres.ports import LOOPBACK
from ml_pipeline.ops.postgres.urls import DatabaseUrl
from ml_pipeline.ops.project import Project

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

METADATA = "airflow_db"
OWNERS = {METADATA: "airflow_user", "mlflow_db": "ml_user", "results_db": "ml_user"}
ROLES = ("airflow_user", "ml_user")
CHECK_HBA = "See whether the server's pg_hba.conf lets this role in from this machine."


@dataclass(frozen=True)
class Step:
    """One statement, and the statement that takes it back."""

    statement: str
    undo: str


def provision(project: Project) -> None:
    """Make whatever is missing; see `ml_pipeline.ops.postgres.provision`."""
    admin = admin_url(project)
    _require_own_server(project)
    if _is_provisioned(project, admin):
        return
    remedy = _embedded_remedy(project) if postgres.is_embedded(project) else CHECK_URL
    with connected(admin, remedy=remedy) as connection:
        _refuse_foreign(project, connection, admin)
        passwords = {role: secrets.ensure(project.secrets, f"{role}_password") for role in ROLES}
        steps = _missing(connection, passwords, is_ours=postgres.is_embedded(project))
        if steps and not catalog.may_create(connection):
            raise DatabaseError(_for_the_administrator(admin, steps))
        _carry_out(connection, steps, admin, passwords)
    _record(project, admin, passwords)


def answers(project: Project, timeout_seconds: float) -> bool:
    """Tell whether a query comes back, as Airflow's role once it exists."""
    recorded = secrets.read(project.secrets, "sql_alchemy_conn")
    try:
        url = urls.parse(recorded) if recorded else admin_url(project)
        with connected(url, timeout_seconds) as connection:
            return catalog.value(connection, "SELECT 1") == 1
    except DatabaseError:
        return False


def has_clients(project: Project) -> bool:
    """Tell whether anybody but us is connected to the server."""
    query = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    with connected(admin_url(project)) as connection:
        return bool(catalog.value(connection, query))


def refresh_urls(project: Project) -> None:
    """Write the URLs of a provisioned embedded cluster anew where they name an old port."""
    passwords = _recorded_passwords(project)
    if secrets.read(project.secrets, "sql_alchemy_conn") is None or len(passwords) < len(ROLES):
        return
    for name, text in _url_secrets(admin_url(project), passwords).items():
        if secrets.read(project.secrets, name) != text:
            secrets.write(project.secrets, name, text)


def admin_url(project: Project) -> DatabaseUrl:
    """Return the login that makes roles and databases.

    Raises
    ------
    DatabaseError
        When there is no cluster yet, or its superuser's password is lost.
    """
    own = postgres.user_url(project)
    if own is not None:
        return urls.parse(own)
    port = Cluster.of(project).port
    password = secrets.read(project.secrets, PASSWORD)
    if port is None:
        raise DatabaseError("There is no database yet. Make it: ml-pipeline db start")
    if password is None:
        raise DatabaseError(
            f"{project.secrets / PASSWORD} is lost. Stop everything and start again: the next "
            "start makes a new one."
        )
    return DatabaseUrl(LOOPBACK, port, "postgres", SUPERUSER, password)


def owner_urls(project: Project) -> dict[str, DatabaseUrl]:
    """Return the login of each database's owner, by database.

    Raises
    ------
    DatabaseError
        When the databases have not been made yet.
    """
    passwords = _recorded_passwords(project)
    if len(passwords) < len(ROLES):
        raise DatabaseError("There is no database yet. Make it: ml-pipeline db start")
    return _logins(admin_url(project), passwords)


def create_database(name: str, owner: str) -> str:
    """Return the statement that makes an empty database."""
    return f"CREATE DATABASE {name} OWNER {owner} TEMPLATE template0 ENCODING 'UTF8'"


def _require_own_server(project: Project) -> None:
    """On the recorded port of a stopped server a copy of this clone may answer, with its data."""
    if postgres.is_embedded(project) and not postgres.is_running(project):
        raise DatabaseError("PostgreSQL is not running. Start it: ml-pipeline db start")


def _recorded_passwords(project: Project) -> dict[str, str]:
    found = {role: secrets.read(project.secrets, f"{role}_password") for role in ROLES}
    return {role: password for role, password in found.items() if password is not None}


def _is_provisioned(project: Project, admin: DatabaseUrl) -> bool:
    passwords = _recorded_passwords(project)
    if len(passwords) < len(ROLES):
        return False
    expected = _url_secrets(admin, passwords) | _own_url_secret(project)
    if any(secrets.read(project.secrets, name) != text for name, text in expected.items()):
        return False
    try:
        _log_in_everywhere(admin, passwords)
    except DatabaseError:
        return False
    return True


def _refuse_foreign(project: Project, connection: Connection, admin: DatabaseUrl) -> None:
    """Stop before touching roles and databases of the same names that are not this clone's."""
    if postgres.is_embedded(project):
        return
    passwords = _recorded_passwords(project)
    for role in ROLES:
        if catalog.has_role(connection, role) and not _is_accepted(
            admin, role, passwords.get(role)
        ):
            raise DatabaseError(_foreign_role(project, admin, role))
    for database, owner in OWNERS.items():
        actual = catalog.owner(connection, database)
        if actual not in (None, owner):
            raise DatabaseError(
                f"The database {database} exists on {admin.place} and belongs to the role "
                f"{actual}, not to {owner}. Rename it, or use another server."
            )


def _is_accepted(admin: DatabaseUrl, role: str, password: str | None) -> bool:
    if password is None:
        return False
    try:
        with connected(admin.for_role(role, password, admin.database)):
            return True
    except WrongPasswordError:
        return False
    except DatabaseError:
        return True  # it may not enter that database: that is judged after the password


def _missing(connection: Connection, passwords: Mapping[str, str], *, is_ours: bool) -> list[Step]:
    steps = []
    for role in ROLES:
        verifier = catalog.verifier(connection, role, passwords[role])
        if not catalog.has_role(connection, role):
            steps.append(
                Step(f"CREATE ROLE {role} LOGIN PASSWORD '{verifier}'", f"DROP ROLE {role}")
            )
        elif is_ours:  # on the clone's own server its secrets decide
            steps.append(Step(f"ALTER ROLE {role} LOGIN PASSWORD '{verifier}'", ""))
    missing = [name for name in OWNERS if catalog.owner(connection, name) is None]
    owners = sorted({OWNERS[name] for name in missing})
    # Who is no superuser may make a database only for a role that he is a member of.
    steps += [Step(f"GRANT {o} TO CURRENT_USER", f"REVOKE {o} FROM CURRENT_USER") for o in owners]
    steps += [
        Step(create_database(name, OWNERS[name]), f"DROP DATABASE {name}") for name in missing
    ]
    return steps


def _carry_out(
    connection: Connection, steps: list[Step], admin: DatabaseUrl, passwords: Mapping[str, str]
) -> None:
    """Take the steps and prove that they were enough; or take them all back."""
    with ExitStack() as undone:
        for step in steps:
            catalog.execute(connection, admin, step.statement)
            if step.undo:
                undone.callback(catalog.execute, connection, admin, step.undo)
        _close_metadata_to_others(admin, passwords)
        _log_in_everywhere(admin, passwords)
        undone.pop_all()
    for step in steps:
        if step.undo.startswith("REVOKE"):
            catalog.execute(connection, admin, step.undo)


def _close_metadata_to_others(admin: DatabaseUrl, passwords: Mapping[str, str]) -> None:
    """Let nobody but its owner connect to Airflow's database; the owner may say so himself."""
    url = _logins(admin, passwords)[METADATA]
    with connected(url, remedy=CHECK_HBA) as connection:
        catalog.execute(connection, url, f"REVOKE CONNECT ON DATABASE {METADATA} FROM PUBLIC")


def _log_in_everywhere(admin: DatabaseUrl, passwords: Mapping[str, str]) -> None:
    for url in _logins(admin, passwords).values():
        with connected(url, remedy=CHECK_HBA) as connection:
            catalog.value(connection, "SELECT 1")


def _logins(admin: DatabaseUrl, passwords: Mapping[str, str]) -> dict[str, DatabaseUrl]:
    return {
        database: admin.for_role(owner, passwords[owner], database)
        for database, owner in OWNERS.items()
    }


def _record(project: Project, admin: DatabaseUrl, passwords: Mapping[str, str]) -> None:
    for name, text in (_own_url_secret(project) | _url_secrets(admin, passwords)).items():
        secrets.write(project.secrets, name, text)


def _own_url_secret(project: Project) -> dict[str, str]:
    own = postgres.user_url(project)
    return {} if own is None else {"database_url": own}


def _url_secrets(admin: DatabaseUrl, passwords: Mapping[str, str]) -> dict[str, str]:
    logins = _logins(admin, passwords)
    return {
        "results_db_url": logins["results_db"].libpq(),
        "mlflow_db_url": logins["mlflow_db"].psycopg2(),
        "sql_alchemy_conn_async": logins[METADATA].asyncpg(),
        "sql_alchemy_conn": logins[METADATA].psycopg2(),
    }


def _for_the_administrator(admin: DatabaseUrl, steps: list[Step]) -> str:
    statements = [step.statement for step in steps]
    statements += [step.undo for step in steps if step.undo.startswith("REVOKE")]
    sql = "\n".join(f"{statement};" for statement in statements)
    return (
        f"The role {admin.user} on {admin.place} may not create roles and databases. Have the "
        "server's administrator run this (it holds verifiers, no passwords), then repeat your "
        f"command:\n\n{sql}\n"
    )


def _embedded_remedy(project: Project) -> str:
    return (
        f"If {project.secrets / PASSWORD} does not fit this database (any more), stop everything "
        "and remove that file: the next start makes a new one."
    )


def _foreign_role(project: Project, admin: DatabaseUrl, role: str) -> str:
    return (
        f"The role {role} exists on {admin.place} with a password that this folder does not know: "
        "another clone may be at work there. If you moved or cloned that one, copy its "
        f"airflow_user_password and ml_user_password into {project.secrets}; if nobody needs it, "
        f"drop {', '.join(OWNERS)} and the roles {' and '.join(ROLES)}; or use another server."
    )

"""Airflow's own tables, permissions, admin user and connections, in one process.

Every `airflow` command costs seconds of imports; a first start needs five of them. Run as
``python -m ml_pipeline.ops.airflow_setup`` in the environment of `airflow_postgresql_env.sh`; each
finished step is a JSON line on stdout, and an error is one line on stderr.
"""

from __future__ import annotations

import base64
import contextlib
import gc
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from importlib.metadata import version

from ml_pipeline.ops import linux, secrets
from ml_pipeline.ops.project import Project

ADMIN = "admin"
FINGERPRINT = "airflow_setup"
# Airflow's connection ids, each called like its database.
CONNECTIONS = {"results_db": "results_db_url", "mlflow_db": "mlflow_db_url"}
DECIDING_PACKAGES = ("apache-airflow", "apache-airflow-providers-fab")
DECIDING_SECRETS = (
    "sql_alchemy_conn",
    *CONNECTIONS.values(),
    "admin_password",
    "fernet_key",
    "jwt_secret",
    "api_secret_key",
)


def is_current(project: Project) -> bool:
    """Tell, without importing Airflow, whether all of this was done for what is there now."""
    return secrets.read(project.run, FINGERPRINT) == _fingerprint(project)


def await_done(project: Project) -> None:
    """Return when all of this was done once, since `forget`: by the process that does it."""
    while secrets.read(project.run, FINGERPRINT) is None:
        time.sleep(0.1)


def forget(project: Project) -> None:
    """Have all of this done again at the next start: the database is another one."""
    (project.run / FINGERPRINT).unlink(missing_ok=True)


def main() -> int:
    """Do every step; return the exit status."""
    linux.die_with_parent(signal.SIGTERM)
    logging.disable(logging.INFO)
    gc.disable()  # this process is short, and a fifth of it was looking for garbage
    project = Project.here()
    password = _ensure_secrets(project)
    stdout = sys.stdout
    try:
        with contextlib.redirect_stdout(sys.stderr):  # Airflow prints as it goes
            for step in (
                migrate,
                lambda: set_up_users(password),
                lambda: connect_databases(project),
            ):
                name = getattr(step, "__name__", "")
                _timed(step, name, stdout.write)
    except Exception as error:
        print(f"{type(error).__name__}: {error}".splitlines()[0], file=sys.stderr)
        return 1
    secrets.write(project.run, FINGERPRINT, _fingerprint(project))
    return 0


def migrate() -> None:
    """Create or upgrade the tables of Airflow and of its auth manager."""
    from airflow.utils.db import initdb

    initdb()


def set_up_users(password: str) -> None:
    """Synchronise roles and permissions; make the admin user, or give it its password back."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        builder.add_permissions(update_perms=True)  # type: ignore[no-untyped-call]  # not typed
        builder.sm.sync_roles()
        user = builder.sm.find_user(ADMIN)
        if user:
            builder.sm.reset_password(user.id, password)
        else:
            role = builder.sm.find_role("Admin")
            builder.sm.add_user(ADMIN, "Admin", "User", "admin@localhost", role, password)


def connect_databases(project: Project) -> None:
    """Store the connections to results and registry, encrypted with the Fernet key."""
    from airflow.models import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    from ml_pipeline.ops.postgres import urls

    with create_session() as session:
        for name, secret in CONNECTIONS.items():
            url = urls.parse(secrets.read(project.secrets, secret) or "")
            session.execute(delete(Connection).where(Connection.conn_id == name))
            session.add(Connection(conn_id=name, uri=url.libpq()))


def _ensure_secrets(project: Project) -> str:
    """Generate the keys that Airflow is about to read; return the admin's password."""
    fernet_key = base64.urlsafe_b64encode(os.urandom(32)).decode()
    secrets.ensure(project.secrets, "fernet_key", lambda: fernet_key)
    secrets.ensure(project.secrets, "jwt_secret")
    secrets.ensure(project.secrets, "api_secret_key")
    return secrets.ensure(project.secrets, "admin_password")


def _timed(step: Callable[[], None], name: str, write: Callable[[str], object]) -> None:
    started_at = time.monotonic()
    step()
    write(json.dumps({"step": name, "seconds": round(time.monotonic() - started_at, 1)}) + "\n")


def _fingerprint(project: Project) -> str:
    parts = [f"{package} {version(package)}" for package in DECIDING_PACKAGES]
    parts += [str(secrets.read(project.secrets, name)) for name in DECIDING_SECRETS]
    return sha256("\n".join(parts).encode()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())

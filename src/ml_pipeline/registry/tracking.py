"""The way into MLflow: its client on our PostgreSQL, or on the server of the user's choice.

Importing this module switches MLflow's own telemetry off; MLflow itself is imported on use.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ml_pipeline.errors import PipelineError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from sqlalchemy import Engine

URI_VARIABLE = "MLFLOW_TRACKING_URI"
SCHEMA_LOCK = 20241125
LOGIN = re.compile(r"//[^/\s@]*@")  # before the host of a URL
# Read by MLflow when it is imported; a user's own setting wins.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
# No connection outlives its use: a command that started the database for itself stops it again.
os.environ.setdefault("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")
# A server that is down is told within seconds; MLflow's own seven tries take minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")


class RegistryError(PipelineError):
    """The model registry does not answer, or has no such version."""


def tracking_uri(own_database: str | None) -> str:
    """Return where MLflow keeps its records: `MLFLOW_TRACKING_URI`, else our own database.

    Parameters
    ----------
    own_database
        SQLAlchemy URL of `mlflow_db`, or None where it was not made yet.

    Raises
    ------
    RegistryError
        When there is neither.
    """
    uri = os.environ.get(URI_VARIABLE) or own_database
    if not uri:
        raise RegistryError("There is no model registry yet. Make it: ./start_airflow.sh")
    return uri


def open_client(uri: str, artifacts: str) -> MlflowClient:
    """Return MLflow's client for tracking and registry, with its tables made or upgraded.

    Parameters
    ----------
    uri
        As `tracking_uri` returns it.
    artifacts
        Where runs without a place of their own would put files: never the current folder.

    Raises
    ------
    RegistryError
        When nothing answers there.
    """
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        if uri.startswith("postgresql"):
            _prepare_tables(uri, artifacts)
        return MlflowClient(tracking_uri=uri, registry_uri=uri)
    except (MlflowException, SQLAlchemyError) as error:
        raise unreachable(error, uri) from error


def reason_of(error: Exception) -> str:
    """Return what an error says, in one line and without a password: MLflow quotes its URL."""
    return " ".join(LOGIN.sub("//", str(error)).split())[:200]


def _prepare_tables(uri: str, artifacts: str) -> None:
    """Make or upgrade MLflow's tables; of several processes one does it and the others wait.

    MLflow makes them by itself in an empty database, without a lock between processes, and refuses
    those of an older version, for which its command line calls the same function.
    """
    from mlflow.store.db import utils
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    engine = utils.create_sqlalchemy_engine(uri)
    try:
        if utils._get_schema_version(engine) == utils._get_latest_schema_revision():
            return
        with _locked(engine):
            if utils._is_empty_database(engine):
                utils._initialize_tables(engine)
            else:
                utils._upgrade_db(engine)
            SqlAlchemyStore(uri, artifacts)  # makes the default experiment, which has a place too
    finally:
        engine.dispose()


@contextmanager
def _locked(engine: Engine) -> Iterator[None]:
    from sqlalchemy import text

    with engine.connect() as connection:
        connection.execute(text(f"SELECT pg_advisory_lock({SCHEMA_LOCK})"))
        try:
            yield
        finally:
            connection.execute(text(f"SELECT pg_advisory_unlock({SCHEMA_LOCK})"))


def unreachable(error: Any, uri: str | None = None) -> RegistryError:
    """Say that a registry does not answer, naming its place without a password.

    Parameters
    ----------
    error
        What MLflow said.
    uri
        The place; without it, `MLFLOW_TRACKING_URI`.
    """
    place = (uri or os.environ.get(URI_VARIABLE) or "mlflow_db").rsplit("@", 1)[-1]
    return RegistryError(
        f"The model registry at {place} does not answer: {reason_of(error)}. "
        f"Start the stack, or correct {URI_VARIABLE}"
    )

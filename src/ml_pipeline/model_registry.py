"""The model registry for commands and notebooks: its database is started where it is down."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ml_pipeline.ops import secrets
from ml_pipeline.ops.postgres.lending import lent
from ml_pipeline.ops.project import Project
from ml_pipeline.registry import tracking
from ml_pipeline.registry.tracking import RegistryError
from ml_pipeline.registry.versions import Version, Versions, problems

if TYPE_CHECKING:
    from mlflow import MlflowClient


@contextmanager
def registry_client() -> Iterator[MlflowClient]:
    """Yield MLflow's client; our own database is started for it where it is down.

    Raises
    ------
    RegistryError, DatabaseError
        When there is no registry yet, or it does not answer.
    """
    project = Project.here()
    artifacts = (project.root / "results").as_uri()
    if os.environ.get(tracking.URI_VARIABLE):
        yield tracking.open_client(tracking.tracking_uri(None), artifacts)
        return
    with lent(project):
        uri = tracking.tracking_uri(_own_database())
        yield tracking.open_client(uri, artifacts)


@contextmanager
def versions_of(problem: str | None) -> Iterator[Versions]:
    """Yield the versions of a problem, or of the only one there is.

    Raises
    ------
    RegistryError
        When nothing is registered of it, or it has to be named.
    """
    with registry_client() as client:
        names = problems(client)
        name = problem or (names[0] if len(names) == 1 else None)
        if not names:
            raise RegistryError("No run has registered a model yet")
        if name is None or name not in names:
            asked = f"Got the problem {problem!r}" if problem else "There are several problems"
            raise RegistryError(f"{asked}. The problem must be one of {', '.join(names)}")
        yield Versions(client, name)


def superseded_runs() -> frozenset[tuple[str | None, str | None]]:
    """Return the runs, as DAG and run id, that the registry knows and that nothing needs any more.

    Raises
    ------
    RegistryError, DatabaseError
        When the registry does not answer: who does not know what is in use must remove nothing.
    """
    if not os.environ.get(tracking.URI_VARIABLE) and _own_database() is None:
        return frozenset()
    with registry_client() as client:
        versions = [one for name in problems(client) for one in Versions(client, name).all()]
    needed = {version.run for version in versions if version.is_needed}
    return frozenset(version.run for version in versions if version.run not in needed)


def aliased(alias: str, problem: str | None = None) -> Version:
    """Return the version of a problem that bears an alias.

    Raises
    ------
    RegistryError
        When there is none.
    """
    with versions_of(problem) as versions:
        version = versions.aliased(alias)
        if version is None:
            raise RegistryError(f"{versions.problem} has no {alias}. See: ml-pipeline models list")
        return version


def _own_database() -> str | None:
    return secrets.read(Project.here().secrets, "mlflow_db_url")

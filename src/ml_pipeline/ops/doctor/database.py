"""What the database needs: programs and an account to run it, or the user's server that answers."""

from __future__ import annotations

from ml_pipeline.errors import PipelineError
from ml_pipeline.ops import postgres
from ml_pipeline.ops.doctor.check import Check
from ml_pipeline.ops.postgres import ports, provisioning
from ml_pipeline.ops.postgres.cluster import Cluster
from ml_pipeline.ops.postgres.connections import connected
from ml_pipeline.ops.project import Project


def check_postgres(project: Project) -> Check:
    """Check that there are programs and an account to run them, or that the user's server answers.

    Nothing is started or made.
    """
    try:
        if not postgres.is_embedded(project):
            return _check_own_server(project)
        cluster = Cluster.of(project)
        binaries = cluster.find_binaries()
        account = cluster.account
    except PipelineError as error:
        return Check("PostgreSQL", "not usable", str(error))
    return Check("PostgreSQL", f"{binaries.major}, {binaries.folder}, run by {account.name}")


def check_port(project: Project) -> Check:
    """Say which port the database has; none is ever in the way, since another can be picked."""
    if not postgres.is_embedded(project):
        return Check("database port", "your own server's")
    port = Cluster.of(project).port
    if port is None:
        return Check("database port", "picked at the first start")
    if postgres.is_running(project):
        return Check("database port", f"{port}, taken by this clone's server")
    found = f"{port} is free" if ports.is_free(port) else f"{port} is taken: another is picked"
    return Check("database port", found)


def _check_own_server(project: Project) -> Check:
    url = provisioning.admin_url(project)
    try:
        with connected(url) as connection:
            major = connection.server_version // 10000
    except PipelineError as error:
        return Check("PostgreSQL", f"your own server at {url.place} is not usable", str(error))
    return Check("PostgreSQL", f"your own server at {url.place} answers: {major}")

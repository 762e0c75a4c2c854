"""PostgreSQL for Airflow and the pipeline: embedded by default, or the user's own server."""

from __future__ import annotations

import os

from ml_pipeline.errors import DatabaseError
from ml_pipeline.ops import secrets
from ml_pipeline.ops.project import Project

URL_VARIABLE = "ML_PIPELINE_DATABASE_URL"

# What these functions need is imported when they are called: `status` and `--help` must be quick.


def is_embedded(project: Project) -> bool:
    """Tell whether this clone runs its own server instead of using the user's."""
    return user_url(project) is None


def user_url(project: Project) -> str | None:
    """Return the URL of the user's own server: the variable's, or the recorded one."""
    return os.environ.get(URL_VARIABLE) or secrets.read(project.secrets, "database_url")


def prepare(project: Project) -> None:
    """Make the embedded cluster and give it a port, whatever of it is missing; start nothing."""
    if not is_embedded(project):
        return
    from ml_pipeline.ops.postgres.cluster import Cluster

    cluster = Cluster.of(project)
    if cluster.is_running():
        return
    try:
        cluster.initialise()
        make_startable(project)
    except OSError as error:
        raise DatabaseError(f"PostgreSQL cannot be set up in {cluster.home}: {error}") from error


def make_startable(project: Project) -> None:
    """Clear away what a killed server left, and settle the port and the URLs that name it.

    Raises
    ------
    DatabaseError
        When there is no cluster yet.
    """
    from ml_pipeline.ops.postgres import postmaster, provisioning
    from ml_pipeline.ops.postgres.cluster import Cluster

    cluster = Cluster.of(project)
    if not cluster.is_initialised():
        raise DatabaseError("There is no database yet. Make it: ml-pipeline db start")
    postmaster.clear_remains(cluster.data)
    cluster.ensure_password()
    cluster.settle_port()
    provisioning.refresh_urls(project)


def start(project: Project) -> bool:
    """Start the embedded server, detached, and tell whether that was needed.

    Nothing is done when it runs, or when it is the user's. Of several who start it at once, one
    does, and all return when it answers.
    """
    if not is_embedded(project):
        return False
    from ml_pipeline.ops.postgres import sharing
    from ml_pipeline.ops.postgres.cluster import Cluster

    with sharing.turn(project):
        cluster = Cluster.of(project)
        if cluster.is_running():
            return False
        prepare(project)
        cluster.start()
        sharing.keep(project)
    return True


def stop(project: Project) -> None:
    """Shut the embedded server down cleanly; do nothing when it is down, or the user's."""
    if not is_embedded(project):
        return
    from ml_pipeline.ops.postgres import sharing
    from ml_pipeline.ops.postgres.cluster import Cluster

    with sharing.turn(project):
        Cluster.of(project).stop()


def is_running(project: Project) -> bool:
    """Tell whether this clone's embedded server is alive, whoever started it."""
    if not is_embedded(project):
        return False
    from ml_pipeline.ops.postgres.cluster import Cluster

    return Cluster.of(project).is_running()


def phase(project: Project) -> str:
    """Return what the embedded server says that it does: starting, ready or stopping.

    Empty when it is down.
    """
    from ml_pipeline.ops.postgres import postmaster
    from ml_pipeline.ops.postgres.cluster import Cluster

    noted = postmaster.read_pid_file(Cluster.of(project).data)
    return noted.phase if noted and is_running(project) else ""


def is_ready(project: Project, timeout_seconds: float = 2) -> bool:
    """Tell whether the database answers a query.

    As `airflow_user` once that role exists. The embedded server has to be this clone's own: on its
    recorded port another clone's may answer.
    """
    from ml_pipeline.ops.postgres import provisioning
    from ml_pipeline.ops.postgres.cluster import Cluster

    if is_embedded(project) and not Cluster.of(project).is_running():
        return False
    return provisioning.answers(project, timeout_seconds)


def has_clients(project: Project) -> bool:
    """Tell whether anybody but us is connected to the server."""
    from ml_pipeline.ops.postgres import provisioning

    return provisioning.has_clients(project)


def provision(project: Project) -> None:
    """Make roles, databases, grants and the secrets with their URLs, whatever is missing.

    Raises
    ------
    DatabaseError
        When the server is unreachable, too old or refuses; where its administrator has to act,
        with the exact SQL. Nothing is left half made.
    """
    from ml_pipeline.ops.postgres import provisioning

    provisioning.provision(project)

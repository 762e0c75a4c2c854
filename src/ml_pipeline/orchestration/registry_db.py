"""The model registry as tasks see it: MLflow on `mlflow_db`, checksums from `results_db`."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow.providers.postgres.hooks.postgres import PostgresHook

from ml_pipeline.orchestration import results_db

if TYPE_CHECKING:
    from ml_pipeline.config import ProblemConfig
    from ml_pipeline.lifecycle import Incumbent
    from ml_pipeline.registry.versions import Version, Versions

CONNECTION = "mlflow_db"


def versions(config: ProblemConfig) -> Versions:
    """Return the registered versions of a problem's model."""
    from ml_pipeline.lifecycle import location_uri
    from ml_pipeline.registry import tracking
    from ml_pipeline.registry.versions import Versions
    from ml_pipeline.storage import results_root

    own = None if os.environ.get(tracking.URI_VARIABLE) else _own_database()
    artifacts = location_uri(results_root(config))
    return Versions(tracking.open_client(tracking.tracking_uri(own), artifacts), config.name)


def incumbent(known: Versions, config: ProblemConfig) -> Incumbent | None:
    """Return the champion with its model, as far as that is there and may be loaded."""
    from ml_pipeline.lifecycle import Incumbent
    from ml_pipeline.registry.model_files import ModelRefused
    from ml_pipeline.registry.tracking import RegistryError
    from ml_pipeline.registry.versions import CHAMPION

    version = known.aliased(CHAMPION)
    if version is None:
        return None
    model = None
    with suppress(ModelRefused, RegistryError):
        model = load(version, config)
    return Incumbent(version, model)


def load(version: Version, config: ProblemConfig) -> Any:
    """Load a version's published model, if it is the one that `results_db` records.

    Raises
    ------
    ModelRefused
        When its file is missing, or is not what was recorded, or not trusted.
    RegistryError
        When no run of this pipeline registered it.
    """
    from ml_pipeline.registry import model_files
    from ml_pipeline.storage import results_root

    checksum = results_db.recorded_checksum(version.fact("dag_id"), version.fact("run_id"))
    if checksum != version.fact("sha256"):
        raise model_files.ModelRefused(
            f"Version {version.number} of {version.problem}: results_db does not record its "
            "checksum (any more). Train again, or promote another version"
        )
    return model_files.load_model(results_root(config) / version.fact("uri"), checksum)


def _own_database() -> str:
    url = PostgresHook(postgres_conn_id=CONNECTION).sqlalchemy_url
    return str(url.set(drivername="postgresql+psycopg2").render_as_string(hide_password=False))

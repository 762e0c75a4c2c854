"""MLflow's client on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from ml_pipeline.ops import secrets
from ml_pipeline.ops.project import Project
from ml_pipeline.registry import tracking
from ml_pipeline.registry.versions import Version, Versions

names = count()
Register = Callable[..., Version]


@pytest.fixture
def registry_uri(project: Project, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv(tracking.URI_VARIABLE, raising=False)
    return tracking.tracking_uri(secrets.read(project.secrets, "mlflow_db_url"))


@pytest.fixture
def versions(registry_uri: str, project: Project) -> Versions:
    """A problem of which nothing is registered yet."""
    client = tracking.open_client(registry_uri, (project.root / "results").as_uri())
    return Versions(client, f"problem_{next(names)}")


@pytest.fixture
def register(versions: Versions) -> Register:
    """Register the model of a run."""

    def add(run_id: str, sha256: str = "a" * 64, **facts: str) -> Version:
        known = {"dag_id": "d", "run_id": run_id, "sha256": sha256, "uri": f"{run_id}/model.skops"}
        return versions.add(f"results:/{run_id}/model.skops", known | facts)

    return add

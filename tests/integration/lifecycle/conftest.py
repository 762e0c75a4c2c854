"""A clone in which models were trained, one after the other, and new rows were scored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ml_pipeline.ops import postgres, secrets
from ml_pipeline.ops.project import Project
from ml_pipeline.registry import tracking
from ml_pipeline.registry.versions import Version, Versions
from tests import toy_clone
from tests.integration.conftest import copy_of
from tests.integration.orchestration.conftest import Played

SCENARIOS = Path(__file__).with_name("scenarios.py")


@pytest.fixture(scope="session")
def lived(stopped_project: Project, open_folder: Path) -> Iterator[Played]:
    """Play all scenarios in a process of their own; the database runs until the session ends."""
    project = copy_of(stopped_project, open_folder / "a clone with models")
    toy_clone.lay_out(project.root)
    postgres.start(project)
    try:
        done = toy_clone.run(project.root, SCENARIOS, project.root)
        assert done.returncode == 0, done.stdout + done.stderr
        yield Played(project, json.loads((project.root / "played.json").read_text()))
    finally:
        postgres.stop(project)


@pytest.fixture(scope="session")
def contest(lived: Played) -> Versions:
    """The registered versions of the problem that all scenarios are about."""
    uri = tracking.tracking_uri(secrets.read(lived.project.secrets, "mlflow_db_url"))
    return Versions(tracking.open_client(uri, lived.results.as_uri()), "contest")


@pytest.fixture(scope="session")
def version_of(lived: Played, contest: Versions) -> dict[str, Version]:
    """Every version, by the scenario that trained it."""
    runs = {n: r for n, r in lived.report.items() if r.get("dag_id") == "contest_ml_pipeline"}
    found = {name: contest.of_run(run["dag_id"], run["run_id"]) for name, run in runs.items()}
    return {name: version for name, version in found.items() if version}

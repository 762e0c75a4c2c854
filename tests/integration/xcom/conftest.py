"""A clone with its own database, in which every DAG of `xcom_dags.py` is played once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ml_pipeline.ops import postgres
from ml_pipeline.ops.project import Project
from tests import toy_clone
from tests.integration.conftest import copy_of

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def played(stopped_project: Project, open_folder: Path) -> Iterator[dict[str, Any]]:
    """Return what came of each DAG, as `scenarios.py` tells it."""
    project = copy_of(stopped_project, open_folder / "a clone that passes frames")
    toy_clone.lay_out(project.root)
    shutil.copy(HERE / "xcom_dags.py", project.root / "dags")
    postgres.start(project)
    try:
        done = toy_clone.run(project.root, HERE / "scenarios.py", project.root)
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        postgres.stop(project)
    yield json.loads((project.root / "played.json").read_text())

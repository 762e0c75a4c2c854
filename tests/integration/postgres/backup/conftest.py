"""A clone with something to lose, and a backup of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ml_pipeline.ops import backup, postgres
from ml_pipeline.ops.project import Project
from tests.integration.postgres.backup.saved import begin, remember


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "backup.zip"


@pytest.fixture
def running(clone: Project) -> Project:
    """A clone whose database runs and holds a row."""
    postgres.start(clone)
    begin(clone)
    return clone


@pytest.fixture
def saved(running: Project, file: Path) -> Path:
    """A backup of that clone, after which the clone was changed."""
    backup.save(running, file)
    remember(running, "after")
    return file

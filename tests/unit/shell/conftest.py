from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .shells import SHELLS, Shell, make_clone


@pytest.fixture(params=SHELLS.values(), ids=SHELLS)
def shell(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    command: tuple[str, ...] = request.param
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    return Shell(command, tmp_path_factory.mktemp("home"))


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return make_clone(tmp_path / "clone")

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.shell.small_clone import (
    SmallClone,
    make_python,
    make_small_clone,
    make_tools,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shell")


@pytest.fixture(scope="module")
def tools(folder: Path) -> Path:
    return make_tools(folder / "tools")


@pytest.fixture(scope="module")
def python(folder: Path) -> Path:
    """A folder for PATH that holds a Python, and no uv."""
    return make_python(folder / "python")


@pytest.fixture(scope="module")
def uv(folder: Path) -> Path:
    """A folder for PATH that holds the uv of these tests' environment."""
    (folder / "uv").mkdir()
    found = shutil.which("uv")
    assert found, "uv is one of the locked packages"
    (folder / "uv" / "uv").symlink_to(found)
    return folder / "uv"


@pytest.fixture
def new_clone(tmp_path: Path, tools: Path) -> SmallClone:
    """A clone that nothing has set up yet."""
    return make_small_clone(tmp_path / "a new clone", tools)


@pytest.fixture(scope="module")
def whole(folder: Path, tools: Path, python: Path) -> SmallClone:
    """A clone set up as on a machine with only a Python; for tests that leave it as it is."""
    clone = make_small_clone(folder / "ein Klön with spaces", tools)
    result = clone.bootstrap(python, wanted="dev")
    assert result.returncode == 0, result.stderr
    return clone


@pytest.fixture
def copied(whole: SmallClone, tmp_path: Path) -> SmallClone:
    """A copy of the clone that was set up, at another place."""
    return whole.copy(tmp_path / "copy of it")


@pytest.fixture
def no_network() -> Iterator[dict[str, str]]:
    """Variables that lead to a package index whose port is closed."""
    with closing(socket.socket()) as unheard:
        unheard.bind(("127.0.0.1", 0))
        yield _index_at(unheard)


@pytest.fixture
def silent_network() -> Iterator[dict[str, str]]:
    """Variables that lead to a package index that takes calls and never answers."""
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        yield _index_at(silent)


def _index_at(listener: socket.socket) -> dict[str, str]:
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/index"
    here = {"UV_DEFAULT_INDEX": address, "PIP_INDEX_URL": address, "PIP_CONFIG_FILE": "/dev/null"}
    return here | {"UV_HTTP_RETRIES": "0", "PIP_RETRIES": "0"}

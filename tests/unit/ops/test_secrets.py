"""Secrets are whole, closed to others, and made once."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ml_pipeline.errors import ConfigError
from ml_pipeline.ops import secrets


def test_read_of_a_missing_secret_is_none(tmp_path: Path) -> None:
    assert secrets.read(tmp_path / "secrets", "name") is None


def test_write_closes_file_and_folder_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o755)
    secrets.write(folder, "name", "text")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "name").stat().st_mode) == 0o600


def test_write_adds_no_newline_and_leaves_nothing_beside(tmp_path: Path) -> None:
    secrets.write(tmp_path, "name", "old")
    secrets.write(tmp_path, "name", "text")
    assert (tmp_path / "name").read_bytes() == b"text"
    assert [file.name for file in tmp_path.iterdir()] == ["name"]


def test_ensure_makes_a_secret_once(tmp_path: Path) -> None:
    first = secrets.ensure(tmp_path, "name")
    assert len(first) >= 43
    assert secrets.ensure(tmp_path, "name") == first != secrets.ensure(tmp_path, "other")


def test_ensure_when_another_process_was_faster_returns_the_others(tmp_path: Path) -> None:
    def slow() -> str:
        secrets.write(tmp_path, "name", "the other's")
        return "mine"

    assert secrets.ensure(tmp_path, "name", slow) == "the other's"
    assert secrets.read(tmp_path, "name") == "the other's"


def test_ensure_takes_what_the_caller_generates(tmp_path: Path) -> None:
    assert secrets.ensure(tmp_path, "name", lambda: "generated") == "generated"


def test_read_of_another_users_secret_says_whose_command_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(path: Path) -> str:
        raise PermissionError(path)

    monkeypatch.setattr(Path, "read_text", closed)
    with pytest.raises(ConfigError, match="belongs to another user"):
        secrets.read(tmp_path, "name")

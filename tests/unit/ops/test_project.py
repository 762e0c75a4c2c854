from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ml_pipeline.errors import StackError
from ml_pipeline.ops.project import Project


def test_here_is_the_clone_that_the_package_lies_in() -> None:
    assert Project.here().root == Path(__file__).resolve().parents[3]


def test_here_when_the_environment_was_copied_to_another_clone_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "a copy"
    (copy / ".venv").mkdir(parents=True)
    (copy / "airflow_postgresql_env.sh").touch()
    monkeypatch.setattr(sys, "prefix", str(copy / ".venv"))
    with pytest.raises(StackError, match="still belongs to") as refusal:
        Project.here()
    assert f"Mend it: {copy}/start_airflow.sh" in str(refusal.value)


def test_here_when_the_environment_lies_elsewhere_is_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    assert Project.here().root == Path(__file__).resolve().parents[3]

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import typer
from rich.console import Console

from ml_pipeline.cli.first_run import run_once
from ml_pipeline.cli.progress import Progress
from ml_pipeline.cli.up import _stay
from ml_pipeline.ops.project import Project
from ml_pipeline.ops.stack_record import StackRecord


@pytest.fixture
def shown() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def progress(shown: io.StringIO) -> Progress:
    return Progress(Console(file=shown, highlight=False))


def launched(tmp_path: Path, status: int) -> Any:
    """A stack whose keeper has ended with a status, and of which nothing is left."""
    return SimpleNamespace(project=Project(tmp_path), wait=lambda: status)


def test_up_when_the_keeper_obeyed_somebody_else_s_signal_ends_well(
    tmp_path: Path, progress: Progress, shown: io.StringIO
) -> None:
    _stay(launched(tmp_path, 143), progress)
    assert "Stopped from outside" in shown.getvalue()


@pytest.mark.parametrize("status", [-9, 0, 1])
def test_up_when_the_keeper_died_or_failed_says_so_and_fails(
    status: int, tmp_path: Path, progress: Progress, shown: io.StringIO
) -> None:
    with pytest.raises(typer.Exit) as ended:
        _stay(launched(tmp_path, status), progress)
    assert ended.value.exit_code == 1
    assert "keeper.log" in shown.getvalue()


def test_first_run_when_the_example_was_taken_out_waits_for_no_dag(
    tmp_path: Path, progress: Progress
) -> None:
    nobody = cast(StackRecord, None)  # there is nobody to ask
    assert run_once(Project(tmp_path), nobody, progress)

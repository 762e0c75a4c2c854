"""The programs that a backup runs: what they are told, and what an interruption leaves."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from ml_pipeline.ops import backup, postgres
from ml_pipeline.ops.postgres import binaries, client_programs
from ml_pipeline.ops.project import Project
from tests.integration.postgres.backup.saved import (
    DATABASES,
    databases,
    remembered,
)
from tests.integration.postgres.conftest import secret


def recording_programs(folder: Path, *, before: str = "") -> Path:
    """Make programs that note their arguments and environment, and then are the bundled ones."""
    bundle = binaries.bundled_folders()[0]
    for program in bundle.iterdir():
        wrapper = folder / program.name
        wrapper.write_text(
            f"#!/bin/sh\nif [ $# -gt 1 ]; then\n  echo \"$@\" >>'{folder}/arguments'\n"
            f"  env >>'{folder}/environment'\n  {before}\nfi\nexec '{program}' \"$@\"\n"
        )
        wrapper.chmod(0o755)
    return folder


def test_no_secret_is_in_arguments_or_environment(
    running: Project,
    file: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = recording_programs(tmp_path_factory.mktemp("programs"))
    monkeypatch.setattr(client_programs, "_candidates", lambda project: iter([(folder, False)]))
    backup.save(running, file)
    backup.restore(running, file)
    seen = (folder / "arguments").read_text() + (folder / "environment").read_text()
    assert seen.count("--dbname=service=ml_pipeline") == 6
    for name in ("airflow_user_password", "ml_user_password", "postgres_password"):
        assert secret(running, name) not in seen


SAVE_OR_RESTORE = """
import sys, signal
from pathlib import Path
from ml_pipeline.ops import backup
from ml_pipeline.ops.postgres import client_programs
from ml_pipeline.ops.project import Project
what, root, file, programs = sys.argv[1:]
client_programs._candidates = lambda project: iter([(Path(programs), False)])
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
getattr(backup, what)(Project(Path(root)), Path(file))
"""


@pytest.fixture
def interrupted(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str, Project, Path, signal.Signals], int]]:
    """Begin `save` or `restore` in a process and end it by a signal when the third dump begins."""
    folder = tmp_path_factory.mktemp("slow")
    wait = f"[ $(grep -c . '{folder}/arguments') -lt 3 ] || exec sleep 100"
    programs = recording_programs(folder, before=wait)

    def interrupt(what: str, project: Project, file: Path, number: signal.Signals) -> int:
        command = [sys.executable, "-c", SAVE_OR_RESTORE, what, str(project.root), str(file)]
        process = psutil.Popen([*command, str(programs)])
        arguments = folder / "arguments"
        while not arguments.exists() or len(arguments.read_text().splitlines()) < 3:
            assert process.poll() is None
            time.sleep(0.02)
        (program,) = process.children()
        process.send_signal(number)
        status = int(process.wait(30))
        if number == signal.SIGKILL:
            program.kill()
        program.wait(10)
        return status

    yield interrupt


def test_save_when_interrupted_leaves_no_file_and_no_process(
    clone: Project, file: Path, interrupted: Callable[..., int]
) -> None:
    assert interrupted("save", clone, file, signal.SIGTERM) == 128 + signal.SIGTERM
    assert not list(file.parent.iterdir())
    assert not postgres.is_running(clone)


def test_restore_when_interrupted_changes_nothing(
    running: Project, saved: Path, interrupted: Callable[..., int]
) -> None:
    assert interrupted("restore", running, saved, signal.SIGTERM) == 128 + signal.SIGTERM
    assert remembered(running) == ["before", "after", "password of after"]
    assert databases(running) == DATABASES


def test_restore_after_a_killed_one_finds_everything_in_place_and_clears_up(
    running: Project, saved: Path, interrupted: Callable[..., int]
) -> None:
    assert interrupted("restore", running, saved, signal.SIGKILL) == -signal.SIGKILL
    assert remembered(running) == ["before", "after", "password of after"]
    assert databases(running) > DATABASES
    backup.restore(running, saved)
    assert remembered(running) == ["before", "password of before"]
    assert databases(running) == DATABASES

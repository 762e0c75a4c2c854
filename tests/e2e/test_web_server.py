"""`ml-pipeline restart api-server` on a whole stack, under load and while a run is under way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.http_load import load
from tests.running_clone import DAG_ID, Clone

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(500)]
RESTART = "ml-pipeline restart api-server"


@pytest.fixture
def settings(clone: Clone) -> Iterator[Path]:
    """The web server's settings, to be changed."""
    yield from _lent(clone.root / "gunicorn.conf.py")


@pytest.fixture
def worker_code(clone: Clone) -> Iterator[Path]:
    """Code of the package that only the web server runs, to be changed."""
    yield from _lent(clone.root / "src" / "ml_pipeline" / "ops" / "web_worker.py")


def _lent(file: Path) -> Iterator[Path]:
    source = file.read_text()
    yield file
    file.write_text(source)


def test_restart_under_load_and_during_a_run_loses_nothing_and_runs_new_code(
    clone: Clone, settings: Path, worker_code: Path
) -> None:
    before = clone.component("api-server")
    sign = clone.project.run / "new code ran"
    worker_code.write_text(
        f"{worker_code.read_text()}\n__import__('pathlib').Path({str(sign)!r}).touch()\n"
    )
    settings.write_text(f"{settings.read_text()}\nworkers = 3\n")
    run_id = clone.api().trigger(DAG_ID)
    paths = ("/", "/api/v2/version", "/api/v2/monitor/health")
    with load([clone.record.url + path for path in paths]) as outcome:
        restart = clone.sh(RESTART, timeout_seconds=400)
    assert restart.returncode == 0, restart.stderr
    assert outcome.failures == {}
    assert outcome.requests > 100
    assert sign.exists()
    assert len(before.children()) == 3
    assert clone.component("api-server") == before
    assert clone.finish(run_id) == "success"


def test_restart_when_the_new_settings_are_broken_says_so_and_lets_the_old_server_go_on(
    clone: Clone, settings: Path
) -> None:
    workers = clone.component("api-server").children()
    settings.write_text(f"{settings.read_text()}\nimport no_such_module\n")
    restart = clone.sh(RESTART, timeout_seconds=400)
    assert restart.returncode == 1
    assert "No module named 'no_such_module'" in restart.stderr
    assert RESTART in restart.stderr
    assert clone.component("api-server").children() == workers
    clone.await_health()

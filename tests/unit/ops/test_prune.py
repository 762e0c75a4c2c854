"""Pruning by age, on real files; what the databases say is in tests/integration/test_prune.py."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ml_pipeline.cli import app
from ml_pipeline.ops.project import Project
from ml_pipeline.ops.prune import prune
from ml_pipeline.ops.prune.known_runs import Run
from ml_pipeline.registry.tracking import RegistryError

DAY = 86400
NOTHING: frozenset[Run] = frozenset()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A clone that never had a database."""
    project = Project(tmp_path / "clone")
    monkeypatch.setenv("ML_PIPELINE_RESULTS", str(project.root / "results"))
    return project


def made(path: Path, days: float, text: str = "x" * 10) -> Path:
    """Make a file that was last written to some days ago, and age the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    age(path, days)
    age(path.parent, days)
    return path


def age(path: Path, days: float) -> None:
    moment = time.time() - days * DAY
    os.utime(path, (moment, moment), follow_symlinks=False)


def log_of(project: Project, run: str, task: str = "train", days: float = 40) -> Path:
    folder = project.logs / "dag_id=d" / f"run_id={run}" / f"task_id={task}"
    log = made(folder / "attempt=1.log", days)
    age(folder.parent, days)
    return log


def published(project: Project, name: str, days: float = 40, dag_id: str | None = None) -> Path:
    """Make the folder of a run; without a DAG, that of `ml-pipeline run`."""
    text = json.dumps({"dag_id": dag_id, "run_id": name})
    return made(project.root / "results" / name / "manifest.json", days, text).parent


def removed(
    project: Project, *, dry_run: bool = False, superseded: frozenset[Run] | None = None
) -> dict[str, tuple[int, int]]:
    """Prune what is older than 30 days and return count and bytes of each area."""
    areas = prune(project, 30, dry_run=dry_run, superseded=superseded)
    assert not [failure for area in areas for failure in area.failures]
    return {area.area: (area.count, area.size_bytes) for area in areas}


def test_prune_removes_the_logs_of_old_runs_and_keeps_the_new(project: Project) -> None:
    old, new = log_of(project, "old"), log_of(project, "new", days=20)
    assert removed(project)["task logs"] == (1, 10)
    assert not old.parents[1].exists()
    assert new.exists()


def test_prune_keeps_a_run_whole_when_one_of_its_logs_is_new(project: Project) -> None:
    first = log_of(project, "cleared", "first")
    log_of(project, "cleared", "second", days=1)
    age(first.parents[1], 40)  # an existing log that is written to changes no folder
    assert removed(project)["task logs"] == (0, 0)
    assert first.exists()


def test_prune_dry_run_says_the_same_and_removes_nothing(project: Project) -> None:
    old, staged = log_of(project, "old"), made(project.root / "results" / "a.partial" / "f", 40)
    says = removed(project, dry_run=True)
    assert old.exists() and staged.exists()
    assert removed(project) == says
    assert says["task logs"] == (1, 10) and says["unpublished results"] == (1, 10)


def test_prune_removes_what_components_have_put_aside_and_no_current_log(
    project: Project,
) -> None:
    day = made(project.logs / "dag_processor" / "2024-01-01" / "training.py.log", 40)
    rotated = made(project.logs / "stack" / "scheduler.log.1", 40)
    current = made(project.logs / "stack" / "scheduler.log", 40)
    recent = made(project.logs / "stack" / "scheduler.log.2", 1)
    assert removed(project)["component logs"] == (2, 20)
    assert not day.parent.exists() and not rotated.exists()
    assert current.exists() and recent.exists()


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file of somebody else's, old, in a folder such as ours."""
    return made(tmp_path / "outside" / "run_id=theirs" / "precious", 90)


@pytest.mark.parametrize(
    "link", ["dag_id=d/run_id=link", "dag_id=link", "dag_processor", "dag_processor/link", "stack"]
)
def test_prune_follows_no_link_out_of_the_logs(link: str, project: Project, outside: Path) -> None:
    place = project.logs / link
    place.parent.mkdir(parents=True)
    place.symlink_to(outside.parents[1], target_is_directory=True)
    made(outside.parents[1] / "scheduler.log.1", 90)
    age(place, 90)
    removed(project)
    assert outside.exists() and (outside.parents[1] / "scheduler.log.1").exists()
    assert place.is_symlink()


def test_prune_of_a_run_with_a_link_in_it_removes_the_link_alone(
    project: Project, outside: Path
) -> None:
    link = log_of(project, "old").with_name("link")
    link.symlink_to(outside.parent, target_is_directory=True)
    age(link, 40)
    age(link.parent, 40)
    assert removed(project)["task logs"] == (1, 10)
    assert outside.exists()


def test_prune_when_the_logs_themselves_lie_elsewhere_prunes_them_there(
    project: Project, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "large disk"
    elsewhere.mkdir()
    project.airflow_home.mkdir(parents=True)
    project.logs.symlink_to(elsewhere, target_is_directory=True)
    log_of(project, "old")
    assert removed(project)["task logs"] == (1, 10)


def test_prune_removes_staged_results_that_nobody_touched_for_long(project: Project) -> None:
    old = made(project.root / "results" / "gone.partial" / "model.skops", 40)
    new = made(project.root / "results" / "at-work.partial" / "model.skops", 1)
    assert removed(project)["unpublished results"] == (1, 10)
    assert not old.parent.exists()
    assert new.exists()


def test_prune_keeps_the_only_copy_that_an_interrupted_replacement_left(project: Project) -> None:
    only = made(project.root / "results" / "one.replaced" / "manifest.json", 40)
    second = made(project.root / "results" / "two.replaced" / "manifest.json", 40)
    published(project, "two")
    assert removed(project, superseded=NOTHING)["unpublished results"] == (1, 10)
    assert only.exists()
    assert not second.parent.exists()


def test_prune_removes_published_results_on_request_only_and_never_the_latest(
    project: Project,
) -> None:
    old, latest, new = (
        published(project, "old"),
        published(project, "last"),
        published(project, "new", days=1),
    )
    (project.root / "results" / "latest").symlink_to("last", target_is_directory=True)
    removed(project)
    assert old.exists()
    assert removed(project, superseded=NOTHING)["results"][0] == 1
    assert not old.exists()
    assert latest.exists() and new.exists()


def test_prune_of_results_removes_of_a_dags_runs_only_those_that_the_registry_has_superseded(
    project: Project,
) -> None:
    superseded = published(project, "superseded", dag_id="d")
    champion = published(project, "champion", dag_id="d")
    elsewhere = published(project, "another-registrys", dag_id="e")
    unreadable = made(project.root / "results" / "unreadable" / "manifest.json", 40)
    assert removed(project, superseded=frozenset({("d", "superseded")}))["results"][0] == 1
    assert not superseded.exists()
    assert champion.exists() and elsewhere.exists() and unreadable.exists()


def test_prune_of_results_removes_old_scorings_but_not_a_problems_latest(
    project: Project,
) -> None:
    old, latest = (
        published(project, f"scoring/cancer/{day}", dag_id="cancer_scoring")
        for day in ("2024-01-01", "2024-01-02")
    )
    new = published(project, "scoring/cancer/2024-01-03", 1, dag_id="cancer_scoring")
    (latest.parent / "latest").symlink_to(latest.name, target_is_directory=True)
    removed(project)
    assert old.exists()
    assert removed(project, superseded=NOTHING)["scorings"][0] == 1
    assert not old.exists()
    assert latest.exists() and new.exists()


def test_prune_removes_what_a_broken_off_scoring_has_left(project: Project) -> None:
    old = made(project.root / "results" / "scoring" / "cancer" / "x.partial" / "f", 40)
    assert removed(project)["unpublished results"] == (1, 10)
    assert not old.parent.exists()


def test_prune_of_results_when_the_tracking_server_is_down_refuses_and_removes_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, log = published(project, "old"), log_of(project, "old")
    monkeypatch.setattr(Project, "here", classmethod(lambda cls: project))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    result = CliRunner().invoke(app, ["prune", "--results"])
    assert isinstance(result.exception, RegistryError)
    assert "127.0.0.1:1 does not answer" in str(result.exception)
    assert "secret" not in str(result.exception)
    assert old.exists() and log.exists()


def test_prune_leaves_folders_in_the_results_that_no_run_published(project: Project) -> None:
    notes = made(project.root / "results" / "my notes" / "notes.txt", 90)
    removed(project, superseded=NOTHING)
    assert notes.exists()


def test_prune_names_what_it_cannot_remove_and_goes_on(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a published run is to be put aside before it is removed, somebody is at work."""
    first, second = published(project, "a"), published(project, "b")
    at_work = made(project.root / "results" / "a.partial" / "f", 1)
    monkeypatch.setattr(Project, "here", classmethod(lambda cls: project))
    result = CliRunner().invoke(app, ["prune", "--results", "--json"])
    document = json.loads(result.stdout)
    assert result.exit_code == 1
    assert len(document["failures"]) == 1 and str(first) in document["failures"][0]
    assert document["areas"]["results"]["count"] == 1
    assert first.exists() and at_work.exists()
    assert not second.exists()


def test_prune_prints_what_it_removed_and_how_much(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_of(project, "old")
    monkeypatch.setattr(Project, "here", classmethod(lambda cls: project))
    would = CliRunner().invoke(app, ["prune", "--dry-run", "--older-than", "39"])
    assert would.stdout.endswith("Would remove 10 bytes.\n")
    assert CliRunner().invoke(app, ["prune", "--older-than", "41"]).stdout.endswith("0 bytes.\n")
    did = CliRunner().invoke(app, ["prune"], env={"ML_PIPELINE_KEEP_DAYS": "39"})
    assert "task logs:                1   10 bytes\n" in did.stdout
    assert did.stdout.endswith("Removed 10 bytes.\n")


def test_prune_refuses_an_age_of_less_than_a_day(project: Project) -> None:
    assert CliRunner().invoke(app, ["prune", "--older-than", "0"]).exit_code == 2

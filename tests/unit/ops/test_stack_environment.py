from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from ml_pipeline.ops.project import Project
from ml_pipeline.ops.service import Kind, unit
from ml_pipeline.ops.stack_environment import stack_environment
from ml_pipeline.ops.stack_record import StackRecord


def environment(
    host: str = "127.0.0.1", platform: str = "linux", **inherited: str
) -> dict[str, str]:
    record = StackRecord(1, 2.0, "the marker", host, 8123)
    return stack_environment(Project(Path("/srv/clone")), record, inherited, platform)


@pytest.mark.parametrize("name", ["AIRFLOW__CORE__PARALLELISM", "MALLOC_ARENA_MAX"])
def test_stack_environment_keeps_the_caller_s_tuning(name: str) -> None:
    assert int(environment()[name]) >= 2
    assert environment(**{name: "7"})[name] == "7"


def test_stack_environment_never_carries_the_user_s_database_url() -> None:
    inherited = {"ML_PIPELINE_DATABASE_URL": "postgresql://me:secret@db/x"}
    assert not any("secret" in value for value in environment(**inherited).values())


def test_stack_environment_bears_the_marker_that_makes_processes_ours() -> None:
    assert environment()["ML_PIPELINE_STACK"] == "the marker"


@pytest.mark.parametrize(
    ("host", "api"),
    [
        ("127.0.0.1", "http://127.0.0.1:8123/execution/"),
        ("0.0.0.0", "http://127.0.0.1:8123/execution/"),
        ("192.0.2.7", "http://192.0.2.7:8123/execution/"),
        ("::1", "http://[::1]:8123/execution/"),
        ("::", "http://127.0.0.1:8123/execution/"),
    ],
)
def test_stack_environment_points_tasks_to_where_the_web_server_listens(
    host: str, api: str
) -> None:
    made = environment(host)
    assert made["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == api
    assert (made["AIRFLOW__API__HOST"], made["AIRFLOW__API__PORT"]) == (host, "8123")


def test_user_when_logname_still_names_who_typed_su_is_the_one_that_runs_this(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("LOGNAME", "USER"):
        monkeypatch.setenv(name, "somebody-else")
    user = pwd.getpwuid(os.geteuid()).pw_name
    assert environment()["ML_PIPELINE_USER"] == user
    assert f"\nUser={user}\n" in unit(Project.here(), Kind.SYSTEMD_SYSTEM)


@pytest.mark.parametrize(("platform", "is_pinned"), [("linux", True), ("darwin", False)])
def test_start_method_is_pinned_to_fork_on_linux_only(platform: str, is_pinned: bool) -> None:
    assert ("AIRFLOW__SCHEDULER__MP_START_METHOD" in environment(platform=platform)) is is_pinned

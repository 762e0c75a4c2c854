"""The maintenance DAG, read in a fresh process; tests/e2e/test_care.py runs it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests import toy_clone

REPORT = """
import json, os, subprocess, time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.sdk.execution_time.supervisor import block_orm_access
from airflow.timetables.base import TimeRestriction
from airflow.timetables.trigger import CronTriggerTimetable
from airflow.utils.db_cleanup import config_dict

from ml_pipeline.errors import ConfigError
from ml_pipeline.orchestration import maintenance


def first_run_in_seconds(set_up_days_ago):
    moment = time.time() - set_up_days_ago * 86400
    os.utime(Path(os.environ["AIRFLOW_HOME"]) / "secrets" / "fernet_key", (moment, moment))
    catch_up = maintenance.build_maintenance_dag().timetable.run_immediately
    timetable = CronTriggerTimetable(maintenance.NIGHT, timezone="UTC", run_immediately=catch_up)
    info = timetable.next_dagrun_info(
        last_automated_data_interval=None, restriction=TimeRestriction(None, None, False)
    )
    return (info.run_after - datetime.now(UTC)).total_seconds()


def keep_days(text):
    os.environ["ML_PIPELINE_KEEP_DAYS"] = text
    try:
        return maintenance.build_maintenance_dag().params["keep_days"]
    except ConfigError as error:
        return str(error)


def database(preparation):
    ask = "exec airflow config get-value database sql_alchemy_conn"
    answer = subprocess.run(["bash", "-c", preparation + ask], capture_output=True, text=True)
    return answer.stdout.strip() or answer.stderr.strip().splitlines()[-1]


report = {
    "known": sorted(config_dict),
    "cleaned": list(maintenance.TABLES),
    "tasks": sorted(maintenance.build_maintenance_dag().task_ids),
    "first_run": {days: first_run_in_seconds(days) for days in (0.5, 1.5)},
    "keep_days": {text: keep_days(text) for text in ("", "90", "0", "-1", "many")},
}
block_orm_access()  # as in the process of a task
report["database"] = {"of a task": database(""), "opened": database(maintenance.WITH_DATABASE)}
print(json.dumps(report))
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    root = tmp_path_factory.mktemp("clone")
    toy_clone.lay_out(root)
    done = toy_clone.run(root, "-c", REPORT)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_a_program_that_a_task_starts_finds_the_database_once_it_is_opened(
    report: dict[str, Any],
) -> None:
    assert "Could not parse SQLAlchemy URL" in report["database"]["of a task"]
    assert report["database"]["opened"] == toy_clone.SECRETS["sql_alchemy_conn"]


def test_every_table_that_airflow_can_clean_is_cleaned_but_the_dags_themselves(
    report: dict[str, Any],
) -> None:
    archives = {name for name in report["known"] if name.endswith("_archive")}
    assert set(report["cleaned"]) == set(report["known"]) - archives - {"dag"}


def test_first_run_is_not_on_the_day_of_the_set_up_and_later_makes_up_for_a_missed_night(
    report: dict[str, Any],
) -> None:
    assert 0 < report["first_run"]["0.5"] <= 86400
    assert -86400 <= report["first_run"]["1.5"] <= 0


def test_days_to_keep_come_from_the_environment_and_are_checked(report: dict[str, Any]) -> None:
    days = report["keep_days"]
    assert (days[""], days["90"]) == (30, 90)
    for text in ("0", "-1", "many"):
        assert days[text] == (
            f"ML_PIPELINE_KEEP_DAYS: Got {text!r}. Must be a whole number of days from 1."
        )

"""The maintenance DAG: old rows leave Airflow's database, old logs and leftovers the disk.

A task has no access to the database in Airflow 3: where it runs, the variable that names it is set
to something unusable. The programs that it starts may have access, as when a person types them,
once they do not inherit that variable: then the clone's own `*_CMD` variable counts again.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, CronTriggerTimetable, Param

from ml_pipeline.errors import ConfigError

DAYS_VARIABLE = "ML_PIPELINE_KEEP_DAYS"
DEFAULT_DAYS = 30
NIGHT = "0 4 * * *"
LONGEST = timedelta(hours=2)
# All that `airflow db clean` knows but `dag`: it would forget a DAG, with its pause, that could not
# be read for a while, or not yet since a stack was started that had stood still for long.
TABLES = (
    "asset_event",
    "callback",
    "celery_taskmeta",
    "celery_tasksetmeta",
    "connection_test_request",
    "dag_run",
    "dag_version",
    "deadline",
    "import_error",
    "job",
    "log",
    "partitioned_asset_key_log",
    "revoked_token",
    "session",
    "task_instance",
    "task_instance_history",
    "task_reschedule",
    "task_state_store",
    "trigger",
    "xcom",
)
WITH_DATABASE = "unset AIRFLOW__DATABASE__SQL_ALCHEMY_CONN AIRFLOW__CORE__SQL_ALCHEMY_CONN; "
CLEAN = (
    f"{WITH_DATABASE}exec airflow db clean --yes --skip-archive --error-on-cleanup-failure "
    f"--tables {','.join(TABLES)} --clean-before-timestamp "
    "'{{ dag_run.run_after - macros.timedelta(days=params.keep_days) }}'"
)
PRUNE = "exec ml-pipeline prune --older-than {{ params.keep_days }}"

DOC = """
Removes what is older than `keep_days`: rows of runs, tasks, XComs and events from Airflow's
database (each DAG's last scheduled run stays), and logs of finished runs and leftovers of
unpublished ones from the disk. Results stay: `ml-pipeline prune --results` removes old ones.
"""


def build_maintenance_dag() -> DAG:
    """Return the DAG that keeps database and disk small.

    Raises
    ------
    ConfigError
        When ML_PIPELINE_KEEP_DAYS is no number of days.
    """
    with DAG(
        dag_id="maintenance",
        description="Remove old rows, logs and leftovers",
        doc_md=DOC,
        schedule=_schedule(),
        catchup=False,
        max_active_runs=1,
        max_active_tasks=1,  # both are in no hurry, and the machine may be small
        is_paused_upon_creation=False,
        params={"keep_days": Param(_keep_days(), type="integer", minimum=1)},
        tags=["maintenance"],
        default_args={
            "owner": "ml-pipeline",
            "retries": 1,
            "retry_delay": timedelta(minutes=5),
            "execution_timeout": LONGEST,
        },
    ) as dag:
        BashOperator(task_id="clean_database", bash_command=CLEAN, priority_weight=2)
        BashOperator(task_id="prune_files", bash_command=PRUNE)
    return dag


def _keep_days() -> int:
    text = os.environ.get(DAYS_VARIABLE, "")
    if text and not (text.isdecimal() and int(text) > 0):
        raise ConfigError(f"{DAYS_VARIABLE}: Got {text!r}. Must be a whole number of days from 1.")
    return int(text or DEFAULT_DAYS)


def _schedule() -> CronTriggerTimetable:
    """Return: every night; and where the machine is off at night, with its next start.

    Not on the day of the set-up, though: nothing is old then, and a first start has better to do.
    A start date would say so as well, but tasks that are triggered by hand before it do not run.
    """
    has_nights_behind_it = datetime.now(UTC) - _set_up_at() > timedelta(days=1)
    catch_up: bool | timedelta = True if has_nights_behind_it else timedelta(0)
    return CronTriggerTimetable(NIGHT, timezone="UTC", run_immediately=catch_up)


def _set_up_at() -> datetime:
    key = Path(os.environ.get("AIRFLOW_HOME", "")) / "secrets" / "fernet_key"
    try:
        return datetime.fromtimestamp(key.stat().st_mtime, UTC)
    except FileNotFoundError:
        return datetime.now(UTC)

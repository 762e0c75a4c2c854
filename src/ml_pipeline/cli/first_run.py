"""The first run of the pipeline: each task as it starts and ends, then the metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ml_pipeline.cli.tables import metrics_table
from ml_pipeline.ops import secrets
from ml_pipeline.ops.airflow_api import AirflowApi, TaskState
from ml_pipeline.ops.postgres.provisioning import owner_urls
from ml_pipeline.ops.postgres.tables import rows

if TYPE_CHECKING:
    from ml_pipeline.cli.progress import Progress
    from ml_pipeline.ops.project import Project
    from ml_pipeline.ops.stack_record import StackRecord
    from ml_pipeline.storage import Place

EXAMPLE = "breast_cancer"
DAG_ID = f"{EXAMPLE}_ml_pipeline"
LAST_TASK = "save_results"


def run_once(project: Project, record: StackRecord, progress: Progress) -> bool:
    """Run the example's pipeline unless it ever ran; return whether all is well.

    Airflow forgets old runs (`airflow db clean`); their results are remembered longer.
    """
    if not (project.root / "config" / f"{EXAMPLE}.yaml").exists():
        return True  # taken out by who has problems of his own
    if _has_results(project):
        return True
    password = secrets.read(project.secrets, "admin_password") or ""
    api = AirflowApi(record.own_url, "admin", password)
    with progress.activity("Waiting for Airflow to read the DAG"):
        api.await_dag(DAG_ID)
    if api.has_run(DAG_ID):
        return True
    progress.say()
    progress.say(f"Running {DAG_ID} for the first time", style="bold")
    run_id = api.trigger(DAG_ID)
    with progress.activity("Waiting for the first task") as tell:
        for task in api.follow(DAG_ID, run_id):
            if task and task.state == "running":
                tell(task.title)
            elif task:
                _show_end(task, api, run_id, progress)
    if api.run_state(DAG_ID, run_id) != "success":
        where = f"{record.url}/dags/{DAG_ID}/runs/{run_id}"
        progress.failed(f"The run failed. Its logs are in the UI: {where}")
        return False
    summary = api.xcom(DAG_ID, run_id, LAST_TASK)
    progress.say()
    progress.console.print(metrics_table(summary["metrics"]))
    progress.say(f"Results:        {_results_root(project) / summary['run']}")
    return True


def _has_results(project: Project) -> bool:
    """Tell whether a run of the DAG was ever published, as `results_db` records it."""
    query = "SELECT 1 FROM runs WHERE dag_id = %s LIMIT 1"
    return bool(rows(owner_urls(project)["results_db"], "runs", query, (DAG_ID,)))


def _results_root(project: Project) -> Place:
    from ml_pipeline.config import load
    from ml_pipeline.storage import results_root

    return results_root(load(project.root / "config" / f"{EXAMPLE}.yaml"))


def _show_end(task: TaskState, api: AirflowApi, run_id: str, progress: Progress) -> None:
    if task.state == "success":
        progress.done(task.title, task.seconds)
    elif task.state in {"failed", "up_for_retry"}:
        remark = "failed" if task.state == "failed" else "failed, will be tried again"
        progress.failed(f"{task.title} {remark}", task.seconds)
        for message in api.errors_in_log(DAG_ID, run_id, task):
            progress.say(f"    {message}", style="red")

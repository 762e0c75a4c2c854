"""Run in a clone's environment: sets Airflow up, plays every scenario by `dag.test()`, reports.

``scenarios.py CLONE``. One process for all of them, because importing Airflow costs seconds.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from ml_pipeline.ops import airflow_setup, secrets
from ml_pipeline.ops.postgres.connections import connected
from ml_pipeline.ops.postgres.urls import parse
from ml_pipeline.ops.project import Project

CANCER, QUICK = "breast_cancer_ml_pipeline", "quick_ml_pipeline"
BAD_DATA = ("missing_file", "one_class", "no_labels", "not_numeric")
FIRST_DAY = datetime(2025, 1, 1, tzinfo=UTC)
RECORDS = {
    "other checksum": "UPDATE models SET sha256 = repeat('0', 64)",
    "no checksum": "DELETE FROM models",
}
NOBODY = "postgresql://ml_user:secret@127.0.0.1:1/results_db"


class Stage:
    """Where scenarios are played, and what came of them.

    Parameters
    ----------
    root
        The clone's folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.played: dict[str, Any] = {}

    def dag(self, dag_id: str) -> Any:
        return self.bag().dags[dag_id]

    def bag(self) -> Any:
        from airflow.dag_processing.dagbag import BundleDagBag

        dags = self.root / "dags"
        return BundleDagBag(dag_folder=str(dags), bundle_path=dags, bundle_name="dags-folder")

    def play(self, name: str, dag: Any, conf: dict[str, Any] | None = None, day: int = 0) -> None:
        """Run a DAG to its end; the same DAG on the same day is the same run again."""
        moment = FIRST_DAY + timedelta(days=day)
        with self.logged(name):
            run = dag.test(logical_date=moment, run_after=moment, run_conf=conf)
        self.played[name] = {
            "dag_id": dag.dag_id,
            "run_id": run.run_id,
            "state": str(run.state),
            "tasks": {
                one.task_id if one.map_index < 0 else f"{one.task_id} {one.rendered_map_index}": [
                    str(one.state),
                    one.try_number,
                ]
                for one in run.get_task_instances()
            },
            "log": self.log_file(name).read_text(),
        }

    @contextmanager
    def logged(self, name: str) -> Iterator[None]:
        """Send all that this process prints into a file."""
        kept = [os.dup(1), os.dup(2)]
        with self.log_file(name).open("w") as file:
            for descriptor in (1, 2):
                os.dup2(file.fileno(), descriptor)
            try:
                yield
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                for descriptor, original in zip((1, 2), kept, strict=True):
                    os.dup2(original, descriptor)
                    os.close(original)

    def log_file(self, name: str) -> Path:
        return self.root / f"{name}.log"


def successes(stage: Stage) -> None:
    stage.play("whole", stage.dag(CANCER))
    stage.play("quick", stage.dag(QUICK))
    stage.play("quick again", stage.dag(QUICK))
    stage.play("quick next day", stage.dag(QUICK), day=1)


def params(stage: Stage) -> None:
    chosen = {"model": "k_nearest_neighbors", "random_state": 7, "test_size": 0.3}
    stage.play("params", stage.dag(QUICK), chosen, day=2)
    stage.play("unknown param", stage.dag(QUICK), {"modle": "svc"}, day=3)


def param_outside_its_schema(stage: Stage) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    name = "param outside its schema"
    with stage.logged(name):
        try:
            stage.dag(QUICK).test(logical_date=FIRST_DAY, run_conf={"test_size": 0.9})
        except ParamValidationError as error:
            stage.played[name] = str(error)


def bad_data(stage: Stage) -> None:
    for problem in BAD_DATA:
        stage.play(problem, stage.dag(f"{problem}_ml_pipeline"))


def unreachable_at_first(stage: Stage) -> None:
    """`results_db` does not answer before the first retry is due."""
    restore = partial(airflow_setup.connect_databases, Project(stage.root))
    connect(NOBODY)
    dag = stage.dag(QUICK)
    task = dag.get_task("train_model")
    task.retry_delay = timedelta(seconds=0.1)
    task.on_retry_callback = [lambda context: restore()]
    stage.play("unreachable at first", dag, day=4)
    restore()


def connect(url: str) -> None:
    from airflow.models import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import update

    with create_session() as session:
        other = Connection(conn_id="results_db", uri=url)
        statement = update(Connection).where(Connection.conn_id == "results_db")
        session.execute(statement.values(host=other.host, port=other.port))


def tampered(stage: Stage) -> None:
    """Somebody changes the model file after it was recorded."""

    def change(context: Any) -> None:
        (file,) = (stage.root / "results").glob("*.partial/model.skops")
        file.write_bytes(file.read_bytes() + b"\0")

    play_after_training(stage, "tampered", change, day=5)


def other_record(stage: Stage) -> None:
    """What `results_db` records is not what the file and its reference say."""
    for day, (name, statement) in enumerate(RECORDS.items(), start=6):
        play_after_training(stage, name, partial(execute, stage, statement), day)


def execute(stage: Stage, statement: str, context: Any) -> None:
    url = secrets.read(stage.root / "airflow_home" / "secrets", "results_db_url")
    with connected(parse(str(url)), 5) as connection, connection.cursor() as cursor:
        cursor.execute(f"{statement} WHERE run_id = %s", (context["run_id"],))


def play_after_training(stage: Stage, name: str, act: Callable[[Any], None], day: int) -> None:
    dag = stage.dag(QUICK)
    dag.get_task("train_model").on_success_callback = [act]
    stage.play(name, dag, day=day)


def broken_configuration(stage: Stage) -> None:
    """What the database says of the DAGs while one of their configurations is not valid."""
    file = stage.root / "config" / "quick.yaml"
    text = file.read_text()
    file.write_text(text.replace("test_size: 0.2", "test_size: 2"))
    stage.played["broken configuration"] = synchronised(stage)
    file.write_text(text)
    stage.played["mended configuration"] = synchronised(stage)


def synchronised(stage: Stage) -> dict[str, Any]:
    from airflow.dag_processing.dagbag import sync_bag_to_db
    from airflow.models.dag import DagModel
    from airflow.models.errors import ParseImportError
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with stage.logged("synchronised"):
        sync_bag_to_db(stage.bag(), "dags-folder", None)
    with create_session() as session:
        cancer = session.scalar(select(DagModel).where(DagModel.dag_id == CANCER))
        errors = session.scalars(select(ParseImportError)).all()
        return {
            "is_stale": cancer.is_stale,
            "has_import_errors": cancer.has_import_errors,
            "import_errors": {error.filename: error.stacktrace for error in errors},
        }


def set_up(stage: Stage) -> None:
    """Do what the first start does: tables, permissions, admin user, connection."""
    project = Project(stage.root)
    Project.here = lambda: project  # type: ignore[method-assign]
    with stage.logged("set up"):
        status = airflow_setup.main()
    logging.disable(logging.NOTSET)
    lines = stage.log_file("set up").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in lines if line.startswith('{"step"')]
    stage.played["set up"] = {
        "status": status,
        "steps": steps,
        "is_current": airflow_setup.is_current(project),
    }


SCENARIOS: tuple[Callable[[Stage], None], ...] = (
    successes,
    params,
    param_outside_its_schema,
    bad_data,
    unreachable_at_first,
    tampered,
    other_record,
    broken_configuration,
)


def main(root: Path) -> None:
    stage = Stage(root)
    set_up(stage)
    for scenario in SCENARIOS:
        scenario(stage)
    (root / "played.json").write_text(json.dumps(stage.played))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

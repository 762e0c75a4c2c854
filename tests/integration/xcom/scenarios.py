"""Run in a clone's environment: plays the DAGs of `xcom_dags.py`, reports as JSON what they left.

``scenarios.py CLONE``. One process for all of them, because importing Airflow costs seconds.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ml_pipeline.ops import airflow_setup

DAGS = (
    "nested",
    "outputs",
    "mapped",
    "listed",
    "retried",
    "refused",
    "plain",
    "deleted",
    "gone",
    "history",
)
FIRST_DAY = datetime(2025, 1, 1, tzinfo=UTC)
REMOTE = "memory://bucket/xcom"


def play(root: Path, dag_id: str, day: int = 0) -> dict[str, Any]:
    """Run a DAG to its end; tell its states, what is stored, and what it said."""
    from airflow.dag_processing.dagbag import BundleDagBag

    dags = root / "dags"
    bag = BundleDagBag(dag_folder=str(dags), bundle_path=dags, bundle_name="dags-folder")
    log = root / f"{dag_id}.log"
    moment = FIRST_DAY + timedelta(days=day)
    with written_to(log):
        run = bag.dags[dag_id].test(logical_date=moment, run_after=moment)
    return {
        "state": str(run.state),
        "tasks": {
            f"{one.task_id}[{one.map_index}]": [str(one.state), one.try_number]
            for one in run.get_task_instances()
        },
        "stored": stored(run),
        "files": files_of(root, dag_id),
        "log": log.read_text(),
    }


def stored(run: Any) -> dict[str, Any]:
    """Return what the database holds of a run, by task, map index and key."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    query = select(XComModel).where(XComModel.run_id == run.run_id, XComModel.dag_id == run.dag_id)
    with create_session() as session:
        return {
            f"{row.task_id}[{row.map_index}] {row.key}": row.value for row in session.scalars(query)
        }


def files_of(root: Path, dag_id: str) -> list[str]:
    folder = root / "airflow_home" / "xcom"
    found = (path for path in (folder / dag_id).rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in found)


@contextmanager
def written_to(log: Path) -> Iterator[None]:
    """Send all that this process prints into a file."""
    kept = [os.dup(1), os.dup(2)]
    with log.open("w") as file:
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


def remote(root: Path) -> dict[str, Any]:
    """Play a DAG whose files lie on another file system, and on one that nobody knows."""
    import fsspec

    os.environ["ML_PIPELINE_XCOM_URL"] = REMOTE
    played = play(root, "outputs", day=1)
    played["files"] = sorted(fsspec.filesystem("memory").find("bucket"))
    os.environ["ML_PIPELINE_XCOM_URL"] = "nowhere://bucket"
    return {"remote": played, "unknown scheme": play(root, "outputs", day=2)}


def connected(root: Path) -> dict[str, Any]:
    """Play a DAG whose URL names an Airflow connection, through Airflow's ObjectStoragePath."""
    import fsspec
    from airflow.sdk.io import fs

    asked = []

    def memory(conn_id: str | None, options: dict[str, Any]) -> Any:
        asked.append(conn_id)
        return fsspec.filesystem("memory", **options)

    fs._register_filesystems()["memory"] = memory
    os.environ["ML_PIPELINE_XCOM_URL"] = REMOTE.replace("://", "://store@")
    played = play(root, "outputs", day=3)
    return {"connection": {**played, "asked": sorted(set(asked))}}


def main(root: Path) -> None:
    with written_to(root / "migration.log"):
        airflow_setup.migrate()
    played = {dag_id: play(root, dag_id) for dag_id in DAGS}
    played.update(remote(root))
    played.update(connected(root))
    (root / "played.json").write_text(json.dumps(played))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ml_pipeline.ops import airflow_process, airflow_setup, secrets, task_end
from ml_pipeline.ops.project import Project
from tests.running_clone import user_environment

ENDS_AFTER_PREPARING = """
import atexit, gc
atexit.register(lambda: print(gc.get_freeze_count()))  # runs last
from ml_pipeline.ops.airflow_process import prepare
prepare(["airflow", "version"], {}, "linux")
"""


def test_process_when_it_ends_leaves_nothing_for_the_garbage_collector_to_search() -> None:
    process = subprocess.run(
        [sys.executable, "-c", ENDS_AFTER_PREPARING], capture_output=True, text=True, check=True
    )
    assert int(process.stdout) > 1000


FREEZES_AROUND_ITS_FORKS = """
import gc, sys
from ml_pipeline.ops.airflow_process import prepare
of_stack = {"ML_PIPELINE_STACK": "a"} if sys.argv[1] == "triggerer" else {}
prepare(sys.argv, {"ML_PIPELINE_PRELOAD": "", **of_stack}, "linux")
from airflow.executors.local_executor import LocalExecutor
LocalExecutor._spawn_workers_with_gc_freeze(None, 0)
assert gc.isenabled(), "only while preloading it is off"
print(gc.get_freeze_count())
"""


@pytest.mark.parametrize(("command", "is_frozen"), [("scheduler", True), ("triggerer", False)])
def test_what_was_there_before_a_fork_stays_frozen_where_tasks_are_forked(
    command: str, is_frozen: bool, tmp_path: Path
) -> None:
    airflow = tmp_path / "airflow"
    airflow.write_text(FREEZES_AROUND_ITS_FORKS)
    process = subprocess.run(
        [sys.executable, str(airflow), command],
        capture_output=True,
        text=True,
        check=True,
        env={**user_environment(), "AIRFLOW_HOME": str(tmp_path)},
    )
    assert (int(process.stdout.splitlines()[-1]) > 1000) is is_frozen


WAITS = """
import sys
from pathlib import Path
from ml_pipeline.ops.airflow_process import prepare
from ml_pipeline.ops.project import Project
Project.here = classmethod(lambda cls: Project(Path(sys.argv[0]).parent))
print("starts", flush=True)
prepare(sys.argv, {"ML_PIPELINE_PRELOAD": "", "ML_PIPELINE_STACK": "a"}, "linux")
print("goes on", flush=True)
"""


def test_scheduler_of_a_stack_waits_until_the_database_is_set_up(tmp_path: Path) -> None:
    airflow = tmp_path / "airflow"
    airflow.write_text(WAITS)
    with subprocess.Popen(
        [sys.executable, str(airflow), "scheduler"],
        stdout=subprocess.PIPE,
        text=True,
        env={**user_environment(), "AIRFLOW_HOME": str(tmp_path)},
    ) as scheduler:
        try:
            assert scheduler.stdout is not None
            assert scheduler.stdout.readline() == "starts\n"
            with pytest.raises(subprocess.TimeoutExpired):
                scheduler.wait(2)
            secrets.write(Project(tmp_path).run, airflow_setup.FINGERPRINT, "any")
            assert scheduler.stdout.readline() == "goes on\n"
        finally:
            scheduler.kill()


@pytest.mark.parametrize(
    ("environment", "has_database"), [({}, True), ({"ML_PIPELINE_STACK": "a"}, False)]
)
def test_triggerer_that_a_person_types_gets_the_database_too(
    environment: dict[str, str], has_database: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(airflow_process, "_provide_database", lambda: done.append("database"))
    monkeypatch.setattr(task_end, "notice_at_once", lambda: done.append("supervision"))
    airflow_process.prepare(["airflow", "triggerer"], environment, "linux")
    assert done == [*["database"] * has_database, "supervision"]

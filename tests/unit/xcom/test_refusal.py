"""A scheduler or worker whose tasks could not read each other's files does not start."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests import toy_clone

START = """
import os, sys
sys.argv = ["/any/where/bin/airflow", *sys.argv[2:]]
os.environ.update(variable.split("=") for variable in SETTINGS.split())
if "api-server" in sys.argv:  # as a component: it is not given a database, as a typed one is
    os.environ["ML_PIPELINE_STACK"] = "a stack"
import airflow.sdk.execution_time.xcom
print("started")
"""


CELERY = "AIRFLOW__CORE__EXECUTOR=CeleryExecutor"
Start = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Return what starts a process with a command line, and tells its status, output and errors."""
    root = tmp_path_factory.mktemp("clone")
    toy_clone.lay_out(root)

    def run(settings: str, *arguments: str) -> tuple[int, str, str]:
        program = START.replace("SETTINGS", repr(settings))
        done = toy_clone.run(root, "-c", program, "airflow", *arguments)
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.mark.parametrize("command", [("scheduler",), ("celery", "worker")])
def test_celery_with_a_local_folder_ends_with_one_line(
    start: Start, command: tuple[str, ...]
) -> None:
    status, output, errors = start(CELERY, *command)

    assert (status, output) == (1, "")
    assert errors.startswith("Error: CeleryExecutor may run tasks on other machines")
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("settings", "command"),
    [
        ("AIRFLOW__CORE__EXECUTOR=LocalExecutor", "scheduler"),
        (f"{CELERY} ML_PIPELINE_XCOM_SHARED=1", "scheduler"),
        (f"{CELERY} ML_PIPELINE_XCOM_URL=s3://bucket/xcom", "scheduler"),
        (CELERY, "api-server"),
    ],
)
def test_whatever_can_work_starts(start: Start, settings: str, command: str) -> None:
    assert start(settings, command)[:2] == (0, "started\n")

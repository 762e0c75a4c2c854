"""A subject from its start to its end: healthy, at work, gone with everything that it started."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from benchmarks.process_census import Census
from benchmarks.subjects import Subject, await_healthy
from ml_pipeline.ops.airflow_api import FINISHED, AirflowApi

FINISHED_WITHIN_SECONDS = 900.0
GONE_WITHIN_SECONDS = 60.0


@dataclass(frozen=True)
class Running:
    """A subject that runs.

    Parameters
    ----------
    subject
        What runs.
    top
        Its first process, which a person would end.
    census
        Its processes.
    start_seconds
        From its launch until it was healthy.
    """

    subject: Subject
    top: psutil.Process
    census: Census
    start_seconds: float

    def cpu_seconds(self) -> float:
        """Return the processor time that all its processes have used so far."""
        self.census.count()
        return self.census.cpu_seconds()


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a folder that every user can reach: as root, PostgreSQL runs as another one.

    A benchmark that is asked to end ends what it has started first.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="ml-pipeline-bench-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def running(
    subject: Subject,
    dag_id: str | None = None,
    gone_within_seconds: float = GONE_WITHIN_SECONDS,
) -> Iterator[Running]:
    """Start a subject, wait until it is healthy and has read its DAG; leave nothing of it."""
    started_at, launched_at = time.time(), time.monotonic()
    top, census = subject.launch()
    try:
        await_healthy(subject, since=started_at)
        seconds = time.monotonic() - launched_at
        if dag_id:
            subject.api().await_dag(dag_id)
        yield Running(subject, top, census, seconds)
    finally:
        _end(top, census, gone_within_seconds)


def _end(top: psutil.Process, census: Census, within_seconds: float) -> None:
    census.count()
    if top.is_running():
        top.terminate()
        await_true(lambda: not _counted_alive(census), within_seconds)
    census.count()
    census.end()


def _counted_alive(census: Census) -> bool:
    census.count()
    return bool(census.alive())


def seconds_of_run(
    api: AirflowApi,
    dag_id: str,
    conf: dict[str, Any] | None = None,
    within_seconds: float = FINISHED_WITHIN_SECONDS,
) -> float:
    """Trigger a run and wait for it; return the time from the trigger to its end.

    Raises
    ------
    RuntimeError
        When it does not end in success, or not in time.
    """
    triggered_at = time.time()
    run_id = api.trigger(dag_id, conf)
    await_true(lambda: api.run_state(dag_id, run_id) in FINISHED, within_seconds, 0.25)
    run = api.run(dag_id, run_id)
    if run["state"] != "success":
        raise RuntimeError(f"{dag_id} {run_id} is {run['state']} after {within_seconds:.0f} s")
    return datetime.fromisoformat(run["end_date"]).timestamp() - triggered_at


def await_true(
    condition: Callable[[], bool], within_seconds: float, every_seconds: float = 0.5
) -> bool:
    """Wait until a condition holds; return False when it does not in time."""
    deadline = time.monotonic() + within_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every_seconds)
    return True

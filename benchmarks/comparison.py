"""What is left behind, what becomes a zombie, and what it costs: this stack and others.

``python -m benchmarks.comparison`` runs the same program, DAG and machine for each: stock
`airflow standalone`, this stack, this stack without its subreaper, and without any help of the
kernel, which is what macOS has. Celery is not compared yet: this stack does not start it yet.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe_machine
from benchmarks.process_census import Census
from benchmarks.running import (
    FINISHED_WITHIN_SECONDS,
    Running,
    await_true,
    running,
    temporary_folder,
)
from benchmarks.subjects import (
    OURS,
    OurStack,
    Standalone,
    Subject,
    is_healthy,
    without_kernel_help,
    without_subreaper,
)
from ml_pipeline.errors import StackError
from ml_pipeline.ops.airflow_api import FINISHED, AirflowApi

OUTPUT = Path("benchmarks") / "results" / "comparison.json"
DAG_ID, TASKS = "ten_tasks", 10
RUNS = 10  # a hundred tasks
BUSY_LOOPS = 2
SETTLED_SECONDS = 20.0
LEFT_AFTER_SECONDS = 60.0
MEGABYTE = 2**20


@dataclass
class Figures:
    """What was measured of one subject; each field is a row of the table."""

    name: str
    start_seconds: float = 0.0
    processes_idle: int = 0
    memory_idle_mb: int = 0
    memory_after_mb: int = 0
    seconds_for_100_tasks: float = 0.0
    runs_in_success: str = ""
    zombies_in_100_tasks: int = 0
    timeouts_in_100_tasks: int = 0
    loaded_seconds_for_100_tasks: float = 0.0
    loaded_runs_in_success: str = ""
    loaded_zombies_in_100_tasks: int = 0
    loaded_timeouts_in_100_tasks: int = 0
    alive_after_scheduler_kill: int = 0
    zombies_after_scheduler_kill: int = 0
    scheduler_back_after_seconds: float | None = None
    run_after_scheduler_kill: str = ""
    end_seconds_after_term: float | None = None
    alive_after_term: int = 0
    zombies_after_term: int = 0
    remarks: list[str] = field(default_factory=list)


def measure(make_subject: Callable[[], Subject]) -> Figures:
    """Start the subject anew for each of four trials: what one leaves must not spoil the next."""
    figures = Figures(make_subject().name)
    for trial in (_measure_work, _measure_loaded_work, _measure_scheduler_kill, _measure_end):
        subject = make_subject()
        with running(subject, DAG_ID) as started, started.census.taken():
            trial(subject, started, figures)
    return figures


def _measure_work(subject: Subject, started: Running, figures: Figures) -> None:
    census = started.census
    figures.start_seconds = round(started.start_seconds, 1)
    time.sleep(SETTLED_SECONDS)
    figures.processes_idle = len(census.alive())
    figures.memory_idle_mb = census.pss_bytes() // MEGABYTE
    started_at = time.monotonic()
    figures.runs_in_success = _run(subject, census, RUNS, figures)
    figures.seconds_for_100_tasks = round(time.monotonic() - started_at, 1)
    figures.memory_after_mb = census.pss_bytes() // MEGABYTE
    figures.zombies_in_100_tasks = census.lasting_zombies
    figures.timeouts_in_100_tasks = subject.heartbeat_timeouts()


def _measure_loaded_work(subject: Subject, started: Running, figures: Figures) -> None:
    census, timeouts = started.census, subject.heartbeat_timeouts()
    started_at = time.monotonic()
    with busy_machine():
        figures.loaded_runs_in_success = _run(subject, census, RUNS, figures)
    figures.loaded_seconds_for_100_tasks = round(time.monotonic() - started_at, 1)
    figures.loaded_zombies_in_100_tasks = census.lasting_zombies
    figures.loaded_timeouts_in_100_tasks = subject.heartbeat_timeouts() - timeouts


def _measure_scheduler_kill(subject: Subject, started: Running, figures: Figures) -> None:
    """Kill the scheduler while a run is under way; count what it leaves, a minute later."""
    api = subject.api()
    run_id = api.trigger(DAG_ID)
    await_true(lambda: _state(api, run_id) == "running", 60)
    started.census.count()
    scheduler = _scheduler(started.census)
    if scheduler is None:
        raise RuntimeError(f"{subject.name}: no scheduler is seen")
    family = [scheduler, *scheduler.children(recursive=True)]
    killed_at, clock = time.time(), time.monotonic()
    scheduler.kill()
    if await_true(lambda: is_healthy(subject, since=killed_at), LEFT_AFTER_SECONDS):
        figures.scheduler_back_after_seconds = round(time.monotonic() - clock, 1)
    await_true(lambda: _state(api, run_id) in FINISHED, 3 * LEFT_AFTER_SECONDS)
    figures.run_after_scheduler_kill = _state(api, run_id)
    time.sleep(max(0.0, clock + LEFT_AFTER_SECONDS - time.monotonic()))
    statuses = [_status(process) for process in family]
    figures.zombies_after_scheduler_kill = statuses.count("zombie")
    figures.alive_after_scheduler_kill = len([each for each in statuses if each not in GONE])


def _measure_end(subject: Subject, started: Running, figures: Figures) -> None:
    census = started.census
    _run(subject, census, 1, figures)
    census.count()
    clock = time.monotonic()
    started.top.terminate()
    if await_true(lambda: not census.alive() and not census.zombies(), LEFT_AFTER_SECONDS):
        figures.end_seconds_after_term = round(time.monotonic() - clock, 1)
    figures.alive_after_term = len(census.alive())
    figures.zombies_after_term = len(census.zombies())


def _run(subject: Subject, census: Census, count: int, figures: Figures) -> str:
    """Trigger runs and wait for their end, or for the scheduler's; tell how many succeeded."""
    api = subject.api()
    runs = [api.trigger(DAG_ID) for _ in range(count)]
    states: dict[str, str] = {}
    has_lost_its_scheduler = Lasting(lambda: _scheduler(census) is None, LEFT_AFTER_SECONDS)

    def is_over() -> bool:
        states.update({run: _state(api, run) for run in runs})
        return set(states.values()) <= FINISHED or has_lost_its_scheduler()

    await_true(is_over, FINISHED_WITHIN_SECONDS)
    if has_lost_its_scheduler():
        figures.remarks.append(f"in {count} runs its scheduler ended and stayed away")
    return f"{list(states.values()).count('success')} of {count}"


@dataclass
class Lasting:
    """A condition that counts only once it has held for a while."""

    condition: Callable[[], bool]
    seconds: float
    since: float | None = None

    def __call__(self) -> bool:
        """Look again."""
        if not self.condition():
            self.since = None
            return False
        self.since = self.since or time.monotonic()
        return time.monotonic() - self.since >= self.seconds


def _state(api: AirflowApi, run: str) -> str:
    """Ask for a run's state; under load stock's web server may need more than half a minute."""
    try:
        return api.run_state(DAG_ID, run)
    except StackError:
        return "unanswered"


@contextmanager
def busy_machine() -> Iterator[None]:
    """Keep the cores busy with other things."""
    loop = [sys.executable, "-c", "while True: pass"]
    loops = [subprocess.Popen(loop) for _ in range(BUSY_LOOPS)]
    try:
        yield
    finally:
        for each in loops:
            each.kill()
            each.wait()


def _scheduler(census: Census) -> psutil.Process | None:
    """Return the scheduler itself, the oldest of those that bear its name."""
    named = [each for each in census.alive() if _is_scheduler(each)]
    return min(named, key=lambda process: process.create_time(), default=None)


def _is_scheduler(process: psutil.Process) -> bool:
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    is_airflow = len(words) > 2 and Path(words[1]).name == "airflow"
    return is_airflow and words[2] == "scheduler"


GONE = {"", "zombie"}


def _status(process: psutil.Process) -> str:
    try:
        return str(process.status()) if process.is_running() else ""
    except psutil.NoSuchProcess:
        return ""


def table(columns: list[dict[str, object]]) -> Table:
    """Return one row a measure and one column a subject."""
    grid = Table("", box=None, header_style="bold", pad_edge=False)
    columns = [dict(column) for column in columns]
    for column in columns:
        grid.add_column(str(column.pop("name")), justify="right")
    for measured in columns[0]:
        values = [column[measured] for column in columns]
        grid.add_row(measured.replace("_", " "), *(_shown(value) for value in values))
    return grid


def _shown(value: object) -> str:
    return "never" if value is None else "; ".join(value) if isinstance(value, list) else str(value)


def subjects(folder: Path) -> dict[str, Callable[[], Subject]]:
    """Return what makes each subject, so that a clone is set up only when its turn comes.

    Stock gets a new home each time: it may not come up again on runs that it has left unfinished.
    """
    clones = {
        OURS: None,
        "without subreaper": without_subreaper,
        "without kernel help": without_kernel_help,
    }
    stock = {Standalone.name: lambda: Standalone(Path(tempfile.mkdtemp(dir=folder)))}
    return stock | {
        name: cache(partial(OurStack, folder, name, edit)) for name, edit in clones.items()
    }


def record(measured: list[Figures], file: Path) -> list[dict[str, object]]:
    """Write what is known so far, in place of earlier figures of the same subjects."""
    subjects = {each["name"]: each for each in known(file)}
    subjects |= {each.name: asdict(each) for each in measured}
    document = {
        "question": "What do a hundred tasks, a killed scheduler and a stop leave behind?",
        "machine": describe_machine(),
        "subjects": list(subjects.values()),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document, indent=1) + "\n")
    return list(subjects.values())


def known(file: Path) -> list[dict[str, object]]:
    """Return the figures of earlier subjects."""
    return list(json.loads(file.read_text())["subjects"]) if file.exists() else []


def main() -> None:
    """Measure one subject after the other; print the table and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="subjects whose name contains this")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # and clean up
    measured: list[Figures] = []
    with temporary_folder() as folder:
        for name, make_subject in subjects(folder).items():
            if options.only in name:
                measured.append(measure(make_subject))
                rows = record(measured, options.output)
    if not measured:
        parser.error(f"Got --only {options.only!r}, which is part of no subject's name")
    Console(width=160).print(table(rows))
    for each in measured:
        left = each.alive_after_term + each.zombies_after_term
        print(f"comparison: {each.name}: left after SIGTERM {left}")


if __name__ == "__main__":
    main()

"""How long a triggered run takes, the first one after a start and the later ones.

``python -m benchmarks.run`` starts stock `airflow standalone` and this stack side by side, anew a
few times, and triggers the frozen DAG on one after the other. The floor is the same work in a new
plain process; for the product's own DAG it is `ml-pipeline run`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from benchmarks.record import Measure, record
from benchmarks.running import Running, running, seconds_of_run, temporary_folder
from benchmarks.subjects import OurStack, Standalone, copy_dags
from ml_pipeline.ops.airflow_api import AirflowApi

FROZEN, PRODUCT = "frozen_training", "breast_cancer_ml_pipeline"
WARM_TARGET, FIRST_TARGET = 0.22, 1.5
Samples = dict[str, list[float]]


class Side:
    """One of those that are compared, with a session of its API that stays open.

    Parameters
    ----------
    name
        Under which its samples go.
    running
        It.
    samples
        Where its samples go.
    """

    def __init__(self, name: str, running: Running, samples: Samples) -> None:
        self.name = name
        self.samples = samples
        self._running = running
        self._api: AirflowApi = running.subject.api()

    def run(self, what: str, dag_id: str = FROZEN) -> None:
        """Take the time of one run, and the processor time that all its processes have used."""
        cpu = self._running.cpu_seconds()
        seconds = seconds_of_run(self._api, dag_id)
        self.samples[f"{self.name} {what}"].append(seconds)
        self.samples[f"{self.name} {what} cpu"].append(self._running.cpu_seconds() - cpu)


def measure(folder: Path, starts: int, repeats: int) -> list[Measure]:
    """Start both sides some times, with some rounds of runs each time."""
    samples: Samples = defaultdict(list)
    ours, stock = OurStack(folder), Standalone(folder)
    ours.prepare()
    copy_dags(folder / "floor")
    for _ in range(starts):
        with running(stock, FROZEN) as stock_runs, running(ours, FROZEN) as we_run:
            sides = [Side("stock", stock_runs, samples), Side("ours", we_run, samples)]
            for what in ["first", "second", *["warm"] * repeats]:
                _round(what, sides, ours, folder / "floor")
    return _measures(samples)


def _round(what: str, sides: list[Side], ours: OurStack, floor: Path) -> None:
    for side in sides:
        side.run(what)
    samples = sides[-1].samples
    if what == "warm":
        samples["floor"].append(seconds_of(lambda: _plain_process(floor)))
        sides[-1].run("product", PRODUCT)
        samples["product floor"].append(seconds_of(lambda: _pipeline_command(ours)))
    print(what, {name: round(values[-1], 1) for name, values in samples.items()}, flush=True)


def _plain_process(folder: Path) -> None:
    command = [sys.executable, str(folder / "frozen_work.py")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _pipeline_command(ours: OurStack) -> None:
    done = ours.clone.sh("ml-pipeline run --json")
    assert done.returncode == 0, done.stderr


def seconds_of(work: Callable[[], object]) -> float:
    """Do it; return how long it took."""
    started_at = time.monotonic()
    work()
    return time.monotonic() - started_at


def _measures(samples: Samples) -> list[Measure]:
    warm = Measure(
        "warm run of the frozen DAG",
        "s",
        samples["ours warm"],
        samples["stock warm"],
        samples["floor"],
        WARM_TARGET,
        remark="four tasks on 569 rows; from the trigger to the run's end",
    )
    return [
        warm,
        Measure(
            "its processor time",
            "s",
            samples["ours warm cpu"],
            samples["stock warm cpu"],
            remark="of all processes, what they do when idle included",
        ),
        Measure("its first run after a start", "s", samples["ours first"], samples["stock first"]),
        Measure(
            "its first run, in warm runs",
            "times",
            _in_units(samples["ours first"], warm.median("ours")),
            _in_units(samples["stock first"], warm.median("stock")),
            target=FIRST_TARGET,
            judged="ours",
        ),
        Measure(
            "warm run of the product's DAG",
            "s",
            samples["ours product"],
            floor=samples["product floor"],
            remark="cross-validation, report, results folder; floor: `ml-pipeline run`",
        ),
    ]


def _in_units(samples: list[float], unit: float | None) -> list[float]:
    return [sample / unit for sample in samples] if unit else []


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with temporary_folder() as folder:
        measures = measure(folder, options.starts, options.repeats)
    record("run", "How long does a triggered run take?", measures)


if __name__ == "__main__":
    main()

"""How many mapped tasks a second get done, and how that grows with their number.

``python -m benchmarks.mapping`` starts stock `airflow standalone` and this stack side by side; each
in turn maps a task that does next to nothing. Where a side is not done within the bound, its figure
is what it can have reached at most.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

from benchmarks.record import Measure, record
from benchmarks.run import Samples
from benchmarks.running import running, seconds_of_run, temporary_folder
from benchmarks.subjects import OurStack, Standalone
from ml_pipeline.ops.airflow_api import AirflowApi

DAG_ID = "mapped_tasks"
COUNTS = (1, 10, 100, 500)
TARGET = 4.0
BOUND_SECONDS = 600.0
FEW, OFTEN = 100, 3  # up to so many tasks, a run is repeated


def measure(folder: Path, counts: tuple[int, ...], bound_seconds: float) -> list[Measure]:
    """Map over each count on both sides."""
    samples: Samples = defaultdict(list)
    stock, ours = Standalone(folder), OurStack(folder)
    ours.prepare()
    with running(stock, DAG_ID) as stock_runs, running(ours, DAG_ID) as we_run:
        apis = {"stock": stock_runs.subject.api(), "ours": we_run.subject.api()}
        for api in apis.values():
            seconds_of_run(api, DAG_ID, {"count": 2})  # the first run is another benchmark's matter
        for count in counts:
            for _ in range(OFTEN if count < FEW else 1):
                _map(apis, count, bound_seconds, samples)
    return [_measure(count, samples) for count in sorted(counts, key=lambda count: -count)]


def _map(apis: dict[str, AirflowApi], count: int, bound_seconds: float, samples: Samples) -> None:
    for name, api in apis.items():
        seconds = _bounded_seconds(api, count, bound_seconds)
        samples[f"{name} {count}"].append(count / seconds)
        if seconds >= bound_seconds:
            samples[f"bounded {count}"].append(bound_seconds)
        print({name: count, "seconds": round(seconds, 1)}, flush=True)


def _bounded_seconds(api: AirflowApi, count: int, bound_seconds: float) -> float:
    try:
        return seconds_of_run(api, DAG_ID, {"count": count}, bound_seconds)
    except RuntimeError as error:
        print(error, flush=True)
        return bound_seconds


def _measure(count: int, samples: Samples) -> Measure:
    bounded = samples[f"bounded {count}"]
    return Measure(
        f"{count} mapped tasks",
        "tasks/s",
        samples[f"ours {count}"],
        samples[f"stock {count}"],
        target=TARGET,
        is_more_better=True,
        remark=f"stock was not done within {bounded[0]:.0f} s" if bounded else "",
    )


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--bound-seconds", type=float, default=BOUND_SECONDS)
    options = parser.parse_args()
    with temporary_folder() as folder:
        measures = measure(folder, tuple(options.counts), options.bound_seconds)
    record("mapping", "How many mapped tasks a second?", measures)


if __name__ == "__main__":
    main()

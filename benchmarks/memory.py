"""How much memory the whole tree of processes holds, idle and after work, and what idling costs.

``python -m benchmarks.memory`` starts stock `airflow standalone` and this stack in turn. Memory is
the proportional set size: pages that processes share are divided among them.
"""

from __future__ import annotations

import argparse
import time
import urllib.request
from collections import defaultdict
from pathlib import Path

from benchmarks.record import Measure, record
from benchmarks.run import FROZEN, Samples
from benchmarks.running import Running, running, seconds_of_run, temporary_folder
from benchmarks.subjects import OurStack, Standalone, Subject

TARGET = 0.5
MEGABYTE = 2**20
SETTLED_SECONDS, IDLE_SECONDS = 30.0, 60.0
RUNS, REQUESTS = 10, 1000
PAGE = "/api/v2/monitor/health"


def measure(folder: Path, rounds: int) -> list[Measure]:
    """Start each side a few times."""
    samples: Samples = defaultdict(list)
    stock, ours = Standalone(folder), OurStack(folder)
    ours.prepare()
    for _ in range(rounds):
        _measure_side("stock", stock, samples)
        _measure_side("ours", ours, samples)
    return _measures(samples)


def _measure_side(name: str, subject: Subject, samples: Samples) -> None:
    with running(subject, FROZEN) as started:
        time.sleep(SETTLED_SECONDS)
        samples[f"{name} idle"].append(_megabytes(started))
        samples[f"{name} processes"].append(len(started.census.alive()))
        samples[f"{name} cpu"].append(_idle_cpu(started))
        _work(started)
        samples[f"{name} after"].append(_megabytes(started))
    print({what: round(values[-1], 2) for what, values in samples.items()}, flush=True)


def _megabytes(started: Running) -> float:
    started.census.count()
    return started.census.pss_bytes() / MEGABYTE


def _idle_cpu(started: Running) -> float:
    """Return the share of one core that it uses with nothing to do, in percent."""
    before, started_at = started.cpu_seconds(), time.monotonic()
    time.sleep(IDLE_SECONDS)
    return 100 * (started.cpu_seconds() - before) / (time.monotonic() - started_at)


def _work(started: Running) -> None:
    api = started.subject.api()
    for _ in range(RUNS):
        seconds_of_run(api, FROZEN)
    for _ in range(REQUESTS):
        with urllib.request.urlopen(started.subject.url + PAGE, timeout=30) as answer:
            answer.read()


def _measures(samples: Samples) -> list[Measure]:
    return [
        Measure(
            "memory, idle",
            "MiB",
            samples["ours idle"],
            samples["stock idle"],
            target=TARGET,
            remark="ours with PostgreSQL, monitor and preloaded libraries",
        ),
        Measure(
            "memory after work",
            "MiB",
            samples["ours after"],
            samples["stock after"],
            remark=f"{RUNS} runs of the frozen DAG, {REQUESTS} requests",
        ),
        Measure("processes, idle", "", samples["ours processes"], samples["stock processes"]),
        Measure("processor, idle", "% of a core", samples["ours cpu"], samples["stock cpu"]),
    ]


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    with temporary_folder() as folder:
        measures = measure(folder, options.rounds)
    record("memory", "How much memory does it hold?", measures)


if __name__ == "__main__":
    main()

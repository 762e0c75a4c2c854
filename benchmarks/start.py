"""How long a start takes until scheduler, DAG processor, triggerer and API are healthy.

``python -m benchmarks.start`` starts stock `airflow standalone` and this stack in turn: from
nothing (no database yet, packages installed), then again. Last, fresh clones with the packages only
in the installer's cache: until the first run of the pipeline has finished.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

from tests.running_clone import Clone, copy_repository, free_port

from benchmarks.record import Measure, record
from benchmarks.run import Samples, seconds_of
from benchmarks.running import running, temporary_folder
from benchmarks.subjects import OurStack, Standalone, Subject

STOCK_STAYS_SECONDS = 8.0  # its processes do not end with it: what ends by itself has by then
FIRST_TARGET, LATER_TARGET, CLONE_TARGET_SECONDS = 1.25, 0.75, 60.0


def measure(folder: Path, rounds: int, clones: int) -> list[Measure]:
    """Start each side, again and again."""
    samples: Samples = defaultdict(list)
    for number in range(rounds):
        stock, ours = Standalone(folder / f"{number}"), OurStack(folder / f"{number}")
        ours.prepare()
        for when in ("first", "later", "later"):
            _start("stock", stock, when, samples)
            _start("ours", ours, when, samples)
    for number in range(clones):
        samples["clone"].append(_fresh_clone(folder / f"clone {number}"))
        print({"clone": samples["clone"][-1]}, flush=True)
    return _measures(samples)


def _start(name: str, subject: Subject, when: str, samples: Samples) -> None:
    with running(subject, gone_within_seconds=STOCK_STAYS_SECONDS) as started:
        cpu = started.cpu_seconds()
    samples[f"{name} {when}"].append(started.start_seconds)
    samples[f"{name} {when} cpu"].append(cpu)
    print(
        {name: when, "seconds": round(started.start_seconds, 1), "cpu": round(cpu, 1)}, flush=True
    )


def _fresh_clone(root: Path) -> float:
    """Return the seconds from `./start_airflow.sh` in a new clone to its finished first run."""
    copy_repository(root)
    clone = Clone(root, free_port())
    try:
        return seconds_of(lambda: _first_run(clone))
    finally:
        clone.down()


def _first_run(clone: Clone) -> None:
    done = clone.up()
    assert done.returncode == 0, done.stdout + done.stderr


def _measures(samples: Samples) -> list[Measure]:
    return [
        Measure(
            "later start",
            "s",
            samples["ours later"],
            samples["stock later"],
            target=LATER_TARGET,
            remark="until scheduler, DAG processor, triggerer and API are healthy",
        ),
        Measure(
            "first start",
            "s",
            samples["ours first"],
            samples["stock first"],
            target=FIRST_TARGET,
            remark="ours with PostgreSQL, roles, databases, users; stock with SQLite",
        ),
        Measure(
            "processor time, later start",
            "s",
            samples["ours later cpu"],
            samples["stock later cpu"],
        ),
        Measure(
            "processor time, first start",
            "s",
            samples["ours first cpu"],
            samples["stock first cpu"],
        ),
        Measure(
            "fresh clone to its finished first run",
            "s",
            samples["clone"],
            target=CLONE_TARGET_SECONDS,
            judged="ours",
            remark="packages in the installer's cache; with their installation and bytecode",
        ),
    ]


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--clones", type=int, default=2)
    options = parser.parse_args()
    with temporary_folder() as folder:
        measures = measure(folder, options.rounds, options.clones)
    record("start", "How long does a start take?", measures)


if __name__ == "__main__":
    main()

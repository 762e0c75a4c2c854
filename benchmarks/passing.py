"""What a large table adds to a triggered run that passes it from one task to the next.

``python -m benchmarks.passing`` starts stock `airflow standalone` and this stack side by side, and
triggers a DAG of two tasks on one after the other. Stock is asked for as many rows as it can pass:
with 300,000 it fails after a minute, and on a busy machine with fewer. A run that fails has no
figure.
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

DAG_ID = "passing"
BASE, COUNTS = 1_000, (1_000, 10_000, 100_000, 1_000_000)
MOST_OF_STOCK = 100_000
JUDGED, TARGET = 100_000, 1 / 8
LARGE, MOST_EXTRA_SECONDS = 1_000_000, 2.0


def measure(folder: Path, repeats: int) -> list[Measure]:
    """Pass each table some times on both sides."""
    samples: Samples = defaultdict(list)
    stock, ours = Standalone(folder), OurStack(folder)
    ours.prepare()
    with running(stock, DAG_ID) as stock_runs, running(ours, DAG_ID) as we_run:
        apis = {"stock": stock_runs.subject.api(), "ours": we_run.subject.api()}
        for api in apis.values():
            seconds_of_run(api, DAG_ID)  # the first run is another benchmark's matter
        for rows in COUNTS:
            for _ in range(repeats):
                _pass(apis, rows, samples)
    return _measures(samples)


def _pass(apis: dict[str, AirflowApi], rows: int, samples: Samples) -> None:
    for name, api in apis.items():
        if name == "stock" and (rows > MOST_OF_STOCK or samples[f"failed {rows}"]):
            continue
        try:
            seconds = seconds_of_run(api, DAG_ID, {"rows": rows})
        except RuntimeError as failure:
            if name == "ours":
                raise
            samples[f"failed {rows}"].append(1.0)
            print(failure, flush=True)
        else:
            samples[f"{name} {rows}"].append(seconds)
            print({name: rows, "seconds": round(seconds, 2)}, flush=True)


def _measures(samples: Samples) -> list[Measure]:
    runs = [_run(rows, samples) for rows in COUNTS]
    judged = next(run for run, rows in zip(runs, COUNTS, strict=True) if rows == JUDGED)
    base = runs[COUNTS.index(BASE)].median("ours")
    assert base is not None
    extra = Measure(
        f"what {LARGE:,} rows add",
        "s",
        [seconds - base for seconds in samples[f"ours {LARGE}"]],
        target=MOST_EXTRA_SECONDS,
        judged="ours",
        remark=f"to a run with {BASE:,} rows",
    )
    return [judged, extra, *(run for run in runs if run is not judged)]


def _run(rows: int, samples: Samples) -> Measure:
    return Measure(
        f"{rows:,} rows",
        "s",
        samples[f"ours {rows}"],
        samples[f"stock {rows}"],
        target=TARGET if rows == JUDGED else None,
        remark="stock's run failed" if samples[f"failed {rows}"] else "",
    )


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with temporary_folder() as folder:
        measures = measure(folder, options.repeats)
    record("passing", "What does a large table add to a run?", measures)


if __name__ == "__main__":
    main()

"""What it takes to pass a DataFrame of 31 columns from one task to the next, by its rows.

``python -m benchmarks.xcom`` encodes and decodes it, each in a new process with so much memory and
no more: by Airflow's own encoder (the stock way), by its `XComObjectStorageBackend`, and by ours.
The floor is pyarrow alone, a raw Arrow file written and read. Reading includes a look at every
value. Neither the API nor the database takes part: in a run, the stock way sends its JSON through
both.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import psutil

from benchmarks.record import Measure, record
from benchmarks.run import Samples
from benchmarks.running import temporary_folder

STEP = Path(__file__).with_name("xcom_step.py")
COUNTS = (1_000, 10_000, 100_000, 1_000_000, 5_000_000)
WAYS = ("stock", "object storage", "ours", "floor")
JUDGED = 1_000_000
FLOORS, FRAMES = 3.0, 2.0  # the most that ours may take: times of raw Arrow, memory in frames
OFTEN, LIMIT_GIB, MOST_SECONDS = 3, 8.0, 300
MIB, COLUMNS = 2**20, 31
Failures = dict[str, str]


def measure(folder: Path, counts: tuple[int, ...], repeats: int, limit: float) -> list[Measure]:
    """Pass on frames of each size by every way, in turn, as often as asked for."""
    samples: Samples = defaultdict(list)
    failures: Failures = {}
    for count in counts:
        for _ in range(repeats):
            for way in WAYS:
                if f"{way} {count}" not in failures:
                    _pass_on(folder, way, count, limit, samples, failures)
        print({what: round(min(each), 3) for what, each in samples.items()}, flush=True)
    return _measures(counts, samples, failures)


def _pass_on(
    folder: Path, way: str, count: int, limit: float, samples: Samples, failures: Failures
) -> None:
    place = folder / "passed on"
    place.mkdir()
    try:
        costs = [_step(place, way, step, count, limit) for step in ("write", "read")]
    except RuntimeError as error:
        failures[f"{way} {count}"] = str(error)
        print(f"{way}, {count:,} rows: {error}", flush=True)
    else:
        samples[f"{way} {count} s"].append(sum(cost["seconds"] for cost in costs))
        write_mib, read_mib = (cost["mib"] for cost in costs)
        samples[f"{way} {count} MiB"].append(max(_frame_mib(count) + write_mib, read_mib))
        samples[f"{way} {count} stored"].append(_stored_bytes(place) / MIB)
    finally:
        shutil.rmtree(place)


def _step(place: Path, way: str, step: str, count: int, limit: float) -> dict[str, float]:
    """Take one step in a new process.

    Raises
    ------
    RuntimeError
        When it fails, as for want of memory.
    """
    command = [sys.executable, str(STEP), way, step, str(count), str(place), str(limit)]
    try:
        done = subprocess.run(
            command, env=_environment(place), capture_output=True, text=True, timeout=MOST_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{step} takes more than {MOST_SECONDS} s") from None
    if done.returncode:
        reason = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise RuntimeError(f"{step} fails: {reason[-1]}")
    return dict(json.loads(done.stdout))


def _environment(place: Path) -> dict[str, str]:
    """Return the variables of an Airflow of its own, whose database nobody asks."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW", "ML_PIPELINE", "PYTHON"))
    }
    return {
        **ours,
        "AIRFLOW_HOME": str(place / "airflow"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{place}/airflow.db",
        "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH": f"file://{place}/stored",
        "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD": str(MIB // 2),
        "ML_PIPELINE_XCOM_URL": str(place / "stored"),
        "ML_PIPELINE_XCOM_THRESHOLD": str(MIB // 2),
    }


def _stored_bytes(place: Path) -> int:
    files = [place / "value", *(place / "stored").rglob("*")]
    return sum(file.stat().st_size for file in files if file.is_file())


def _measures(counts: tuple[int, ...], samples: Samples, failures: Failures) -> list[Measure]:
    judged = min(counts, key=lambda count: abs(count - JUDGED))
    by_weight = sorted(counts, key=lambda count: abs(count - judged))
    return [
        *(_passing(count, samples, failures) for count in by_weight),
        _against_floor(judged, samples),
        _in_frames(judged, samples),
        *(_against_object_storage(count, samples, failures) for count in by_weight),
        *(_kind(count, "MiB", "most memory of a process", samples) for count in by_weight),
        *(_kind(count, "stored", "stored", samples) for count in by_weight),
    ]


def _passing(count: int, samples: Samples, failures: Failures) -> Measure:
    reasons = [
        f"{way}: {failures[f'{way} {count}']}" for way in WAYS if f"{way} {count}" in failures
    ]
    return Measure(
        f"{count:,} rows, encoded and decoded",
        "s",
        samples[f"ours {count} s"],
        samples[f"stock {count} s"],
        samples[f"floor {count} s"],
        remark="; ".join(reasons),
    )


def _against_floor(count: int, samples: Samples) -> Measure:
    return Measure(
        f"{count:,} rows, ours against raw Arrow",
        "s",
        samples[f"ours {count} s"],
        samples[f"floor {count} s"],
        target=FLOORS,
        remark="raw Arrow stands in the column of the stock way",
    )


def _in_frames(count: int, samples: Samples) -> Measure:
    ours, stock, floor = (
        [mib / _frame_mib(count) for mib in samples[f"{way} {count} MiB"]]
        for way in ("ours", "stock", "floor")
    )
    name = f"{count:,} rows, most memory of a process, its own frame included"
    return Measure(name, "frames", ours, stock, floor, target=FRAMES, judged="ours")


def _frame_mib(count: int) -> float:
    return count * COLUMNS * 8 / MIB


def _against_object_storage(count: int, samples: Samples, failures: Failures) -> Measure:
    return Measure(
        f"{count:,} rows, against XComObjectStorageBackend",
        "s",
        samples[f"ours {count} s"],
        samples[f"object storage {count} s"],
        samples[f"floor {count} s"],
        remark=failures.get(f"object storage {count}", ""),
    )


def _kind(count: int, unit: str, name: str, samples: Samples) -> Measure:
    ours, stock, floor = (samples[f"{way} {count} {unit}"] for way in ("ours", "stock", "floor"))
    return Measure(f"{count:,} rows, {name}", "MiB", ours, stock, floor)


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--repeats", type=int, default=OFTEN)
    parser.add_argument("--limit", type=float, default=LIMIT_GIB, help="GiB of memory per process")
    options = parser.parse_args()
    if psutil.virtual_memory().available < options.limit * 2**30:
        sys.exit(f"Error: less than {options.limit:g} GiB are free. Lower --limit, or wait")
    with temporary_folder() as folder:
        measures = measure(folder, tuple(options.counts), options.repeats, options.limit)
    record("xcom", "What does it take to pass a DataFrame from one task to the next?", measures)


if __name__ == "__main__":
    main()

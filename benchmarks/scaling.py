"""How time and memory of the pipeline grow with the number of rows.

``python -m benchmarks.scaling`` generates tables of 30 features and runs `ml-pipeline run` on each,
a new process every time, with five-fold cross-validation. The floor is reading the table and
fitting the same model once, in a new plain process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import yaml
from tests.running_clone import REPOSITORY, Clone

from benchmarks.record import Measure, record
from benchmarks.run import Samples
from benchmarks.running import temporary_folder

COUNTS = (569, 10_000, 100_000, 1_000_000)
FEATURES = 30
OFTEN = 3
FEW = 100_000  # up to so many rows, a run is repeated
KILOBYTES = 1024  # the unit of ru_maxrss on Linux
MEGABYTE = 2**20
GENERATE = """
import sys
import pandas as pd
from sklearn.datasets import make_classification
rows, file = int(sys.argv[1]), sys.argv[2]
X, y = make_classification(rows, {features}, n_informative=10, flip_y=0.05, random_state=42)
frame = pd.DataFrame(X, columns=[f"feature {{number}}" for number in range({features})])
frame.assign(label=["yes" if each else "no" for each in y]).to_csv(file, index=False)
"""
FLOOR = """
import sys
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
frame = pd.read_csv(sys.argv[1])
make_pipeline(StandardScaler(), LogisticRegression()).fit(frame.drop(columns="label"), frame.label)
"""


def measure(folder: Path, counts: tuple[int, ...]) -> list[Measure]:
    """Run on each table; time and memory."""
    samples: Samples = defaultdict(list)
    for count in counts:
        configuration = generate(folder, count)
        for _ in range(OFTEN if count < FEW else 1):
            _take(
                "floor", [sys.executable, "-c", FLOOR, str(_table(folder, count))], count, samples
            )
            _take("ours", _pipeline_command(configuration), count, samples)
    return _measures(counts, samples)


def generate(folder: Path, count: int) -> Path:
    """Write a table and its configuration; return the latter."""
    program = GENERATE.format(features=FEATURES)
    table = _table(folder, count)
    subprocess.run([sys.executable, "-c", program, str(count), str(table)], check=True)
    configuration = table.with_suffix(".yaml")
    document = {
        "data": {"path": table.name},
        "target": {"column": "label", "positive": "yes"},
        "candidates": ["logistic_regression"],
        "selection": {"folds": 5, "repeats": 1},
        "storage": {"results": "results"},
    }
    configuration.write_text(yaml.safe_dump(document))
    return configuration


def _table(folder: Path, count: int) -> Path:
    return folder / f"rows_{count}.csv"


def _pipeline_command(configuration: Path) -> list[str]:
    return [
        "bash",
        "-c",
        '. ./airflow_postgresql_env.sh && exec ml-pipeline run --json --config "$1"',
        "bash",
        str(configuration),
    ]


def _take(name: str, command: list[str], count: int, samples: Samples) -> None:
    """Run a command; take its seconds and the most memory that it held."""
    started_at = time.monotonic()
    environment = Clone(REPOSITORY, 0).environment
    child = subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert child.stderr is not None
    errors = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, errors.decode()
    samples[f"{name} {count} s"].append(time.monotonic() - started_at)
    samples[f"{name} {count} MiB"].append(usage.ru_maxrss * KILOBYTES / MEGABYTE)
    print({what: round(values[-1], 1) for what, values in samples.items()}, flush=True)


def _measures(counts: tuple[int, ...], samples: Samples) -> list[Measure]:
    pairs = [(count, unit) for count in counts for unit in ("s", "MiB")]
    absolute = [
        Measure(
            f"{count:,} rows",
            unit,
            samples[f"ours {count} {unit}"],
            floor=samples[f"floor {count} {unit}"],
        )
        for count, unit in pairs
    ]
    return [*_per_row(counts, samples), *absolute]


def _per_row(counts: tuple[int, ...], samples: Samples) -> list[Measure]:
    """Return what a row costs between each table and the smallest."""
    return [
        Measure(
            f"each row more, up to {count:,}",
            name,
            _slope(samples, "ours", unit, counts[0], count, factor),
            floor=_slope(samples, "floor", unit, counts[0], count, factor),
        )
        for count in reversed(counts[1:])
        for unit, name, factor in (("s", "µs", 1e6), ("MiB", "KiB", 1024.0))
    ]


def _slope(
    samples: Samples, name: str, unit: str, fewest: int, count: int, factor: float
) -> list[float]:
    least = min(samples[f"{name} {fewest} {unit}"])
    rows = count - fewest
    return [factor * (value - least) / rows for value in samples[f"{name} {count} {unit}"]]


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    options = parser.parse_args()
    with temporary_folder() as folder:
        measures = measure(folder, tuple(options.counts))
    record("scaling", "How does the pipeline grow with the rows?", measures)


if __name__ == "__main__":
    main()

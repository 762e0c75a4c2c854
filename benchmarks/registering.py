"""What the model registry adds to a training run.

``python -m benchmarks.registering`` starts this stack and triggers the product's own DAG, of which
two tasks compare the model with the champion and register it, and by turns the same DAG without
these two.
"""

from __future__ import annotations

import argparse
import shutil
from collections import defaultdict
from pathlib import Path

from benchmarks.record import Measure, record
from benchmarks.running import running, seconds_of_run, temporary_folder
from benchmarks.subjects import OurStack

WITH, WITHOUT = "breast_cancer_ml_pipeline", "unregistered_training"
OWN_DAGS = Path(__file__).parent / "own_dags"
TARGET_SECONDS = 2.0


def measure(folder: Path, repeats: int) -> list[Measure]:
    """Run both DAGs by turns, after a first run of each that does not count."""
    ours = OurStack(folder, edit=_add_dag)
    ours.prepare()
    samples: dict[str, list[float]] = defaultdict(list)
    with running(ours, WITH):
        api = ours.api()
        api.await_dag(WITHOUT)
        for dag_id in (WITH, WITHOUT):
            seconds_of_run(api, dag_id)
        for number in range(repeats):
            for dag_id in (WITH, WITHOUT) if number % 2 else (WITHOUT, WITH):
                samples[dag_id].append(seconds_of_run(api, dag_id))
            print({name: round(taken[-1], 2) for name, taken in samples.items()}, flush=True)
    return _measures(samples)


def _add_dag(root: Path) -> None:
    shutil.copytree(OWN_DAGS, root / "dags", dirs_exist_ok=True)


def _measures(samples: dict[str, list[float]]) -> list[Measure]:
    pairs = zip(samples[WITH], samples[WITHOUT], strict=True)
    return [
        Measure(
            "training run of the product's DAG",
            "s",
            samples[WITH],
            samples[WITHOUT],
            remark="ours: with comparison and registration; stock: the same DAG without; the "
            "champion is the same recipe, so its folds are not computed anew",
        ),
        Measure(
            "what the registry adds to it",
            "s",
            [with_ - without for with_, without in pairs],
            target=TARGET_SECONDS,
            judged="ours",
            remark="run by run, each with its neighbour",
        ),
    ]


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    with temporary_folder() as folder:
        measures = measure(folder, options.repeats)
    record("registering", "What does the model registry add to a run?", measures)


if __name__ == "__main__":
    main()

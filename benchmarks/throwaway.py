"""A fresh clone that is there while it is measured, and gone afterwards."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.running_clone import Clone, copy_repository, free_port

from benchmarks.running import temporary_folder


@contextmanager
def running_clone() -> Iterator[Clone]:
    """Yield a clone with its stack running."""
    with _clone() as clone:
        _do(clone, f"./start_airflow.sh --detach --no-run --port {clone.port}")
        yield clone


@contextmanager
def clone_with_a_run() -> Iterator[Clone]:
    """Yield a clone with one run of the product's DAG; only its database still runs."""
    with _clone() as clone:
        _do(clone, f"./start_airflow.sh --detach --port {clone.port}")
        _do(clone, "ml-pipeline down")
        _do(clone, "ml-pipeline db start")
        yield clone


@contextmanager
def _clone() -> Iterator[Clone]:
    with temporary_folder() as folder:
        clone = Clone(folder / "clone", free_port())
        copy_repository(clone.root)
        try:
            yield clone
        finally:
            clone.down()
            clone.sh("ml-pipeline db stop")


def _do(clone: Clone, command: str) -> None:
    result = clone.sh(command, timeout_seconds=600)
    if result.returncode:
        sys.exit(f"{command}:\n{result.stdout}{result.stderr}")

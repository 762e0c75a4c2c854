"""Run in a clone's environment: writes what a fresh process sees of its DAGs, as JSON.

``dag_report.py CLONE OUTPUT``
"""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

VALUES: dict[str, list[Any]] = {
    "random_state": [0, 2**32 - 1, -1, 2**32, 1.5, "7", None, True],
    "test_size": [0.05, 0.5, 0.04, 0.51, 1, "0.2", None],
    "model": ["svc", "SVC", "", None, 1],
}


def report(clone: Path) -> dict[str, Any]:
    from airflow.dag_processing.dagbag import BundleDagBag

    dags = clone / "dags"
    found = BundleDagBag(dag_folder=str(dags), bundle_path=dags, bundle_name="dags-folder")
    return {
        "import_errors": found.import_errors,
        "modules": sorted(sys.modules),
        "dags": {
            dag_id: described(dag) for dag_id, dag in found.dags.items() if "training" in dag.tags
        },
    }


def described(dag: Any) -> dict[str, Any]:
    return {
        "tasks": {task.task_id: described_task(task) for task in dag.tasks},
        "defaults": dag.params.dump(),
        "models": dag.params.get_param("model").schema["enum"],
        "schedule": dag.schedule,
        "is_paused": dag.is_paused_upon_creation,
        "catchup": dag.catchup,
        "accepted": {
            name: [value for value in values if is_accepted(dag, name, value)]
            for name, values in VALUES.items()
        },
    }


def described_task(task: Any) -> dict[str, Any]:
    return {
        "downstream": sorted(task.downstream_task_ids),
        "mapped_over": mapped_over(task),
        "retries": task.retries,
        "backs_off": bool(task.retry_exponential_backoff),
        "retry_seconds": task.retry_delay.total_seconds(),
        "longest_retry_seconds": task.max_retry_delay.total_seconds(),
    }


def mapped_over(task: Any) -> list[str]:
    """Return the values that a mapped task has a copy for."""
    expanded = getattr(task, "op_kwargs_expand_input", None)
    return list(expanded.value["candidate"]) if expanded else []


def is_accepted(dag: Any, name: str, value: Any) -> bool:
    from airflow.sdk.exceptions import ParamValidationError

    try:
        copy.deepcopy(dag.params)[name] = value
    except ParamValidationError:
        return False
    return True


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(report(Path(sys.argv[1]))))

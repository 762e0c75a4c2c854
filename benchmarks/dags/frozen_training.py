"""The frozen DAG: load, prep, train, evaluate, with DataFrames from task to task."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import frozen_work
from airflow.sdk import DAG, task

with DAG(
    dag_id="frozen_training",
    schedule=None,
    start_date=datetime(2024, 1, 1),
    catchup=False,
    is_paused_upon_creation=False,
):

    @task
    def load() -> Any:
        """Read."""
        return frozen_work.load()

    @task(multiple_outputs=False)
    def prep(frame: Any) -> Any:
        """Split."""
        return frozen_work.prep(frame)

    @task
    def train(parts: Any) -> Any:
        """Fit."""
        return frozen_work.train(parts)

    @task(multiple_outputs=False)
    def evaluate(parts: Any, weights: Any) -> Any:
        """Judge."""
        return frozen_work.evaluate(parts, weights)

    parts = prep(load())
    evaluate(parts, train(parts))

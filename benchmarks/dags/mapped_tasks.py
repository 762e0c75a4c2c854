"""One task for each of as many numbers as the run is asked for; each does next to nothing."""

from __future__ import annotations

from datetime import datetime

from airflow.sdk import DAG, get_current_context, task

with DAG(
    dag_id="mapped_tasks",
    schedule=None,
    start_date=datetime(2024, 1, 1),
    catchup=False,
    is_paused_upon_creation=False,
    params={"count": 1},
):

    @task
    def numbers() -> list[int]:
        """Return as many numbers as asked for."""
        return list(range(get_current_context()["params"]["count"]))

    @task
    def square(number: int) -> int:
        """Return the square."""
        return number * number

    square.expand(number=numbers())

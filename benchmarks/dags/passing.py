"""Two tasks: one makes a table of as many rows as the run is asked for, the other takes it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk import DAG, get_current_context, task

COLUMNS = 31

with DAG(
    dag_id="passing",
    schedule=None,
    start_date=datetime(2024, 1, 1),
    catchup=False,
    is_paused_upon_creation=False,
    params={"rows": 1000},
):

    @task(multiple_outputs=False)
    def make() -> Any:
        """Return the table."""
        import numpy as np
        import pandas as pd

        rows = get_current_context()["params"]["rows"]
        values = np.random.default_rng(42).normal(size=(rows, COLUMNS))
        return pd.DataFrame(values, columns=[f"feature {number}" for number in range(COLUMNS)])

    @task
    def take(frame: Any) -> int:
        """Return the number of its rows."""
        return len(frame)

    take(make())

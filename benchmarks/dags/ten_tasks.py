"""Ten short tasks in two chains: enough runs of it make many processes begin and end."""

from __future__ import annotations

import time
from datetime import datetime

from airflow.sdk import DAG, chain, task

CHAINS, LENGTH = 2, 5


@task(retries=2, retry_delay=5)
def wait_a_little(seconds: float = 0.2) -> None:
    """Last long enough for a process to be seen."""
    time.sleep(seconds)


with DAG(
    dag_id="ten_tasks",
    schedule=None,
    start_date=datetime(2024, 1, 1),
    catchup=False,
    is_paused_upon_creation=False,
):
    for name in range(CHAINS):
        tasks = [wait_a_little.override(task_id=f"task_{name}_{n}")() for n in range(LENGTH)]
        chain(*tasks)

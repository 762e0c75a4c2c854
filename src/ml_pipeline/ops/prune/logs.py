"""Old logs: of tasks, run by run, and of components, as far as nobody writes to them any more."""

from __future__ import annotations

from collections.abc import Iterator

from ml_pipeline.ops.prune.leftovers import Leftover, Order, folders, old


def task_logs(order: Order) -> Iterator[Leftover]:
    """Yield the logs of runs that have ended."""
    for dag in folders(order.project.logs, "dag_id=*"):
        for run in folders(dag, "run_id=*"):
            identity = (dag.name.removeprefix("dag_id="), run.name.removeprefix("run_id="))
            if identity not in order.runs.unfinished:
                yield from old(run, order)


def component_logs(order: Order) -> Iterator[Leftover]:
    """Yield the DAG processor's folders, one per day, and what supervisord has put aside.

    A component's current log stays, however old: its writer holds it open, and it is kept short.
    """
    for processor in folders(order.project.logs, "dag_processor"):
        for day in folders(processor):
            yield from old(day, order)
    for stack in folders(order.project.logs, "stack"):
        for rotated in sorted(stack.glob("*.log.[0-9]*")):
            yield from old(rotated, order)

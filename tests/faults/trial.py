"""One fault on a running stack while DAG runs are under way, and what came of it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ml_pipeline.errors import PipelineError
from ml_pipeline.ops import stack
from tests.faults.faults import Fault, Struck
from tests.faults.ledger import FINISHED, PROBE, Ledger
from tests.running_clone import DAG_ID, Clone

UNDER_WAY_ROWS = 3  # of the twelve that the probe's first task writes
RECOVERED_WITHIN_SECONDS = 300.0
CLEAN_WITHIN_SECONDS = 60.0
SETTLED_SECONDS = 5.0
# One candidate instead of all that compete: half a minute of computing less in every trial.
CONF = {DAG_ID: {"model": "logistic_regression"}}
Run = tuple[str, str]


@dataclass(frozen=True)
class Outcome:
    """What came of one fault.

    Parameters
    ----------
    fault
        Its name.
    seconds_to_end
        Until nothing was left, for a fault that ends the stack; None for others.
    seconds_to_healthy
        From the end of the fault until every component was healthy, and stayed so.
    zombies, orphans
        At the end, at most 60 s after that.
    restarts
        How often each component was started again because of it.
    states
        In which each run has ended.
    complaints
        Everything that is not as promised.
    """

    fault: str
    seconds_to_end: float | None
    seconds_to_healthy: float | None
    zombies: int
    orphans: int
    restarts: dict[str, int]
    states: dict[str, str]
    complaints: list[str] = field(default_factory=list)

    @property
    def has_recovered(self) -> bool:
        """Whether everything is as promised."""
        return not self.complaints


def install_probe(clone: Clone) -> None:
    """Give the clone the DAG that is under way when a fault strikes."""
    target = clone.root / "dags" / f"{PROBE}.py"
    shutil.copy2(Path(__file__).with_name("probe_dag.py"), target)


class Trial:
    """Strikes one fault and watches until the stack has recovered or had its time.

    Parameters
    ----------
    clone
        Its stack runs, with the probe installed.
    fault
        What is struck.
    dag_ids
        The DAGs to run; the probe has to be among them.
    """

    def __init__(self, clone: Clone, fault: Fault, dag_ids: tuple[str, ...] = (PROBE,)) -> None:
        self._clone = clone
        self._fault = fault
        self._dag_ids = dag_ids
        self._ledger = Ledger(clone)
        self._document: dict[str, Any] = {}

    def run(self) -> Outcome:
        """Strike, watch, and judge."""
        self._fault.prepare(self._clone)
        try:
            return self._run()
        finally:
            self._fault.restore(self._clone)

    def _run(self) -> Outcome:
        self._await("healthy before the fault", self._is_healthy, RECOVERED_WITHIN_SECONDS)
        runs_before, restarts_before = self._ledger.runs(), self._restarts()
        runs = self._trigger()
        struck = self._fault.strike(self._clone)
        struck_at = time.monotonic()
        healthy_at = self._watch(struck, runs)
        complaints = self._complaints(runs, runs_before, healthy_at)
        return Outcome(
            fault=self._fault.name,
            seconds_to_end=struck.seconds_to_end,
            seconds_to_healthy=healthy_at and healthy_at - struck_at,
            zombies=self._document.get("zombies", -1),
            orphans=self._document.get("orphans", -1),
            restarts=self._restarts(since=restarts_before),
            states={dag_id: self._state((dag_id, run_id)) for dag_id, run_id in runs},
            complaints=complaints,
        )

    def _trigger(self) -> list[Run]:
        """Trigger the runs; return when the probe is in the midst of its first task."""
        api = self._clone.api()
        for dag_id in self._dag_ids:
            api.await_dag(dag_id)
        runs = [(dag_id, api.trigger(dag_id, CONF.get(dag_id))) for dag_id in self._dag_ids]
        probe = dict(runs)[PROBE]
        self._await(
            "a run under way", lambda: len(self._ledger.acknowledged(probe)) >= UNDER_WAY_ROWS
        )
        return runs

    def _watch(self, struck: Struck, runs: list[Run]) -> float | None:
        """Return since when everything is healthy; None when it never stayed so."""
        deadline = time.monotonic() + RECOVERED_WITHIN_SECONDS
        healthy_at: float | None = None
        while time.monotonic() < deadline:
            now = time.monotonic()
            is_fine = self._is_healthy() and struck.is_over()
            healthy_at = (healthy_at or now) if is_fine else None
            if healthy_at and now - healthy_at > SETTLED_SECONDS and self._are_finished(runs):
                break
            time.sleep(0.5)
        if healthy_at:
            self._await_clean(max(healthy_at + CLEAN_WITHIN_SECONDS, now + SETTLED_SECONDS))
        return healthy_at

    def _await_clean(self, deadline: float) -> None:
        while not (self._is_healthy() and self._is_clean()) and time.monotonic() < deadline:
            time.sleep(0.5)

    def _complaints(
        self, runs: list[Run], runs_before: dict[Run, str], healthy_at: float | None
    ) -> list[str]:
        complaints = [] if healthy_at else ["not every component became healthy"]
        complaints += [] if self._is_clean() else ["zombies or orphans are left"]
        try:
            complaints += self._complaints_of_runs(runs, runs_before)
        except PipelineError as error:
            complaints.append(str(error))
        return complaints

    def _complaints_of_runs(self, runs: list[Run], runs_before: dict[Run, str]) -> list[str]:
        now = self._ledger.runs()
        kept = {run: now.get(run) for run, state in runs_before.items() if state in FINISHED}
        changed = [run for run, state in kept.items() if state != runs_before[run]]
        complaints = [f"the earlier run {run} is lost" for run in changed]
        for run in runs:
            state = now.get(run, "lost")
            if state not in FINISHED:
                complaints.append(f"{run[0]} is {state}")
            complaints += self._ledger.complaints(run, state)
        return complaints

    def _are_finished(self, runs: list[Run]) -> bool:
        return all(self._state(run) in FINISHED for run in runs)

    def _state(self, run: Run) -> str:
        return self._ledger.runs().get(run, "unknown")

    def _is_healthy(self) -> bool:
        """Look, and tell whether every component is healthy."""
        try:
            self._document = stack.describe(self._clone.project)
        except PipelineError:  # supervisord is starting again
            self._document = {}
        components = self._components()
        return bool(components) and all(each["healthy"] for each in components.values())

    def _is_clean(self) -> bool:
        return self._document.get("zombies") == 0 and self._document.get("orphans") == 0

    def _restarts(self, since: Mapping[str, int] = {}) -> dict[str, int]:
        counts = {name: each["restarts"] for name, each in self._components().items()}
        if any(count < since.get(name, 0) for name, count in counts.items()):
            since = {}  # supervisord itself began anew
        return {name: more for name in counts if (more := counts[name] - since.get(name, 0))}

    def _components(self) -> dict[str, dict[str, Any]]:
        return dict(self._document.get("components", {}))

    def _await(self, what: str, condition: Callable[[], bool], within_seconds: float = 120) -> None:
        deadline = time.monotonic() + within_seconds
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"not {what} within {within_seconds:.0f} s")
            time.sleep(0.1)

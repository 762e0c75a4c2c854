"""Strike a running stack with every fault of the suite, round by round, and tell what came of it.

``python -m benchmarks.faults --rounds 20`` is what `make faults ROUNDS=20` runs. A fresh clone is
set up and started once; before each fault a run of the probe and one of the product's DAG begin.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tests.faults.endings import ENDINGS
from tests.faults.faults import Fault, FaultUnavailableError
from tests.faults.hangs import HANGS
from tests.faults.ledger import PROBE
from tests.faults.outages import OUTAGES
from tests.faults.strikes import STRIKES
from tests.faults.trial import Outcome, Trial, install_probe
from tests.running_clone import DAG_ID, Clone, copy_repository, free_port

from benchmarks.machine import describe_machine

OUTPUT = Path("benchmarks") / "results" / "faults.json"
FAULTS: list[Fault] = [*STRIKES, *HANGS, *OUTAGES, *ENDINGS]
# One worker stays idle while both DAGs have a task running.
SETTINGS = {"AIRFLOW__CORE__PARALLELISM": "3"}


@contextmanager
def running_clone() -> Iterator[Clone]:
    """Yield a fresh clone whose stack runs; stop and remove it afterwards."""
    with tempfile.TemporaryDirectory(prefix="ml-pipeline-faults-") as folder:
        Path(folder).chmod(0o755)  # as root, PostgreSQL's account has to reach its cluster
        clone = Clone(Path(folder) / "a clone with a space", free_port(), SETTINGS)
        copy_repository(clone.root)
        install_probe(clone)
        start = clone.up()
        try:
            if start.returncode:
                sys.exit(f"The clone does not start:\n{start.stdout}{start.stderr}")
            yield clone
        finally:
            clone.down()


def strike(clone: Clone, fault: Fault) -> Outcome:
    """Try one fault; what goes wrong with the trial itself counts against the fault."""
    try:
        return Trial(clone, fault, (PROBE, DAG_ID)).run()
    except FaultUnavailableError:
        raise
    except Exception as error:  # the round goes on, on a stack started anew
        clone.down()
        clone.up("--no-run")
        return Outcome(fault.name, None, None, -1, -1, {}, {}, [f"{type(error).__name__}: {error}"])


def strike_all(clone: Clone, faults: list[Fault], rounds: int) -> Iterator[Outcome]:
    """Yield the outcome of each fault, round by round; say at once how each went."""
    for number in range(1, rounds + 1):
        for fault in faults:
            started_at = time.monotonic()
            try:
                outcome = strike(clone, fault)
            except FaultUnavailableError as error:
                print(f"{number} {fault.name}: skipped, {error}", flush=True)
                continue
            seconds = time.monotonic() - started_at
            print(f"{number} {_line(outcome)}  ({seconds:.0f} s)", flush=True)
            yield outcome


def _line(outcome: Outcome) -> str:
    verdict = "ok" if outcome.has_recovered else f"NOT RECOVERED: {'; '.join(outcome.complaints)}"
    facts = [f"healthy after {_seconds(outcome)}"]
    facts += [f"{dag_id} {state}" for dag_id, state in outcome.states.items()]
    facts += [f"{name} restarted {count}x" for name, count in outcome.restarts.items()]
    return f"{outcome.fault}: {verdict}  {', '.join(facts)}"


def _seconds(outcome: Outcome) -> str:
    seconds = outcome.seconds_to_healthy
    return "-" if seconds is None else f"{seconds:.1f} s"


def summary(outcomes: Iterable[Outcome]) -> list[dict[str, str | int]]:
    """Return one row a fault: rounds, recovered, seconds, zombies, orphans."""
    rounds: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        rounds.setdefault(outcome.fault, []).append(outcome)
    return [_row(name, each) for name, each in rounds.items()]


def _row(name: str, rounds: list[Outcome]) -> dict[str, str | int]:
    ends = [each.seconds_to_end for each in rounds if each.seconds_to_end is not None]
    healthy = [each.seconds_to_healthy for each in rounds if each.seconds_to_healthy is not None]
    states = [state for each in rounds for state in each.states.values()]
    return {
        "fault": name,
        "rounds": len(rounds),
        "recovered": sum(each.has_recovered for each in rounds),
        "runs_in_success": f"{states.count('success')} of {len(states)}",
        "ended_in_s": f"{max(ends):.1f}" if ends else "",
        "healthy_in_s_median": f"{statistics.median(healthy):.1f}" if healthy else "-",
        "healthy_in_s_max": f"{max(healthy):.1f}" if healthy else "-",
        "zombies": sum(each.zombies for each in rounds),
        "orphans": sum(each.orphans for each in rounds),
    }


def table(rows: list[dict[str, str | int]]) -> Table:
    """Return the summary for a terminal."""
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for key in rows[0]:
        grid.add_column(key.replace("_", " "), justify="left" if key == "fault" else "right")
    for row in rows:
        grid.add_row(*map(str, row.values()))
    return grid


def write(outcomes: list[Outcome], file: Path) -> None:
    """Write what is known so far: a long run that is broken off has not been for nothing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rounds = {f"{number}": asdict(outcome) for number, outcome in enumerate(outcomes, 1)}
    document = {
        "question": "What becomes of a running stack, and of its runs, when something is struck?",
        "machine": describe_machine(),
        "faults": summary(outcomes),
        "outcomes": rounds,
    }
    file.write_text(json.dumps(document, indent=1) + "\n")


def main() -> None:
    """Run the rounds, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", default="", help="faults whose name contains this")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    faults = [fault for fault in FAULTS if options.only in fault.name]
    if not faults:
        parser.error(f"Got --only {options.only!r}. Must be in one of: " + ", ".join(NAMES))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # and clean up
    outcomes: list[Outcome] = []
    with running_clone() as clone:
        for outcome in strike_all(clone, faults, options.rounds):
            outcomes.append(outcome)
            write(outcomes, options.output)
    if outcomes:
        Console(width=140).print(table(summary(outcomes)))
    recovered = sum(outcome.has_recovered for outcome in outcomes)
    print(f"faults: recovered {recovered} of {len(outcomes)}")
    sys.exit(0 if recovered == len(outcomes) else 1)


NAMES = [fault.name for fault in FAULTS]

if __name__ == "__main__":
    main()

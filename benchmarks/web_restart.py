"""Restart the web server under load in three ways, and count the requests that are lost.

``python -m benchmarks.web_restart`` sets up a fresh clone. Stock are gunicorn's own HUP, which
starts workers from the code that is loaded already, and stopping and starting, both with Airflow's
worker class; ours is `ml-pipeline restart api-server`.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from tests.http_load import Load, load
from tests.running_clone import Clone, eventually

from benchmarks.machine import describe_machine
from benchmarks.record import RESULTS
from benchmarks.throwaway import running_clone
from ml_pipeline.ops import stack_record
from ml_pipeline.ops.supervisor import Supervisor

OUTPUT = RESULTS / "web_restart.json"
QUESTION = "how many requests does a restart of the web server lose?"
NAME = "api-server"
PATHS = ("/", "/api/v2/version", "/api/v2/monitor/health")
STOCK_SETTINGS = """
worker_class = "airflow.api_fastapi.gunicorn_app.AirflowUvicornWorker"
del on_reload
"""
Restart = Callable[[Clone], None]


@dataclass
class Result:
    """What a number of restarts in one way cost.

    Parameters
    ----------
    loads
        The requests sent during each restart, from one second before it to one after.
    restart_seconds
        How long each took.
    """

    way: str
    loads: list[Load] = field(default_factory=list)
    restart_seconds: list[float] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Return the figures, for people and for JSON."""
        failures = sum((each.failures for each in self.loads), Counter[str]())
        total = Load([second for each in self.loads for second in each.seconds], [], failures)
        silences = [each.longest_silence_seconds for each in self.loads]
        return {
            "way": self.way,
            "restarts": len(self.loads),
            "requests": total.requests,
            "lost": failures.total(),
            "lost_per_10000": round(10_000 * failures.total() / total.requests, 2),
            "failures": dict(failures),
            "p50_ms": round(1000 * total.quantile(0.5), 1),
            "p99_ms": round(1000 * total.quantile(0.99), 1),
            "longest_ms": round(1000 * max(total.seconds)),
            "silence_s": round(statistics.median(silences), 2),
            "longest_silence_s": round(max(silences), 2),
            "restart_s": round(statistics.median(self.restart_seconds), 1),
        }


def hang_up(clone: Clone) -> None:
    """Send gunicorn's own HUP; return when the old workers are gone."""
    master = clone.component(NAME)
    old = master.children()
    master.send_signal(signal.SIGHUP)
    eventually(lambda: not any(worker.is_running() for worker in old))
    _await_answer(clone)


def stop_and_start(clone: Clone) -> None:
    """Stop it, start it, return when it answers."""
    supervisor = Supervisor(stack_record.socket_file(clone.project))
    supervisor.stop([NAME], time.sleep)
    supervisor.start(NAME)
    _await_answer(clone)


def renew(clone: Clone) -> None:
    """Restart it as our users do."""
    restart = clone.sh(f"ml-pipeline restart {NAME}", timeout_seconds=400)
    assert restart.returncode == 0, restart.stderr


def measure(clone: Clone, way: str, restart: Restart, times: int) -> Iterator[Result]:
    """Restart a number of times under load; yield the result, which grows, after each."""
    result = Result(way)
    for number in range(1, times + 1):
        with load([clone.record.url + path for path in PATHS]) as outcome:
            time.sleep(1)
            started_at = time.monotonic()
            restart(clone)
            result.restart_seconds.append(time.monotonic() - started_at)
            time.sleep(1)
        result.loads.append(outcome)
        print(
            f"{way} {number}: {outcome.requests} requests, lost {dict(outcome.failures)}",
            flush=True,
        )
        yield result


def measure_all(clone: Clone, times: int, stock_times: int) -> Iterator[Result]:
    """Yield the results of the stock ways with stock settings, then of ours, as they grow."""
    settings = clone.root / "gunicorn.conf.py"
    ours = settings.read_text()
    settings.write_text(ours + STOCK_SETTINGS)
    stop_and_start(clone)
    yield from measure(clone, "stop and start", stop_and_start, stock_times)
    yield from measure(clone, "HUP", hang_up, stock_times)
    settings.write_text(ours)
    stop_and_start(clone)
    yield from measure(clone, "renewal (ours)", renew, times)


def table(ways: list[dict[str, Any]]) -> Table:
    """Return one row a way."""
    grid = Table(*ways[0], box=None, header_style="bold", pad_edge=False)
    for way in ways:
        grid.add_row(*(str(value) for value in way.values()))
    return grid


def _await_answer(clone: Clone) -> None:
    eventually(lambda: clone.status()["components"][NAME]["healthy"], 180)


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--stock-times", type=int, default=10)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    documents: dict[str, dict[str, Any]] = {}
    with running_clone() as clone:
        for result in measure_all(clone, options.times, options.stock_times):
            documents[result.way] = result.document()
            ways = list(documents.values())
            document = {"question": QUESTION, "machine": describe_machine(), "ways": ways}
            options.output.write_text(json.dumps(document, indent=1) + "\n")
    Console(width=200).print(table(ways))
    stock, ours = ways[0]["lost_per_10000"], ways[-1]["lost_per_10000"]
    print(f"web_restart: ratio {ours / stock:.3f} (ours {ours:.2f}, stock {stock:.2f}, floor 0)")


if __name__ == "__main__":
    main()

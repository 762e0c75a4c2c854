"""What the UI asks for, from stock `airflow api-server` and from ours, beside each other.

``python -m benchmarks.web_latency`` sets up a fresh clone with one run. Both servers run on its
database with as many workers, and are asked by turns. The floor is a path without database.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence

from benchmarks.record import Measure, record
from benchmarks.throwaway import clone_with_a_run
from benchmarks.web_servers import PATHS, Server, Variant, web_server

QUESTION = "how fast do the main pages of the UI get what they ask for?"
WITHOUT_DATABASE = "/api/v2/version"
STOCK, OURS = Variant("stock", 2, settings=None), Variant("ours", 2)
Samples = dict[str, list[float]]


def measure(stock: Server, ours: Server, requests: int, rounds: int) -> list[Measure]:
    """Ask both by turns; the very first requests after a start stand apart."""
    samples: Samples = defaultdict(list)
    for side, server in (("stock", stock), ("ours", ours)):
        samples[f"{side} first"].append(max(server.request(len(PATHS))))
    for _ in range(rounds):
        _ask("stock", stock, requests, PATHS, samples)
        _ask("ours", ours, requests, PATHS, samples)
        _ask("floor", ours, requests, [WITHOUT_DATABASE], samples)
        print({what: round(values[-1], 4) for what, values in samples.items()}, flush=True)
    return [
        _measure("the slowest of a hundred (p99)", "s", "p99", samples),
        _measure("half of them (p50)", "s", "p50", samples),
        _measure("requests in a second", "1/s", "rate", samples),
        _measure("the slowest of the first requests after a start", "s", "first", samples),
    ]


def _ask(side: str, server: Server, requests: int, paths: Sequence[str], samples: Samples) -> None:
    started_at = time.perf_counter()
    seconds = sorted(server.request(requests, paths))
    samples[f"{side} rate"].append(requests / (time.perf_counter() - started_at))
    samples[f"{side} p50"].append(statistics.median(seconds))
    samples[f"{side} p99"].append(seconds[int(0.99 * len(seconds))])


def _measure(name: str, unit: str, what: str, samples: Samples) -> Measure:
    ours, stock = samples[f"ours {what}"], samples[f"stock {what}"]
    return Measure(name, unit, ours, stock, samples[f"floor {what}"])


def main() -> None:
    """Measure, print, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with (
        clone_with_a_run() as clone,
        web_server(clone, STOCK) as stock,
        web_server(clone, OURS) as ours,
    ):
        measures = measure(stock, ours, options.requests, options.rounds)
    record("web_latency", QUESTION, measures)


if __name__ == "__main__":
    main()

"""What the UI asks for, from stock `airflow api-server` and from ours: requests per second, p99.

``python -m benchmarks.web_latency`` sets up a fresh clone with one run. Both servers run beside
each other with as many workers, and are asked by turns. The floor is a path without database.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe_machine
from benchmarks.web_servers import PATHS, Server, Variant, clone_with_a_run, web_server

OUTPUT = Path("benchmarks") / "results" / "web_latency.json"
FLOOR = "/api/v2/version"
STOCK, OURS = Variant("stock", 2, settings=None), Variant("ours", 2)
Figures = dict[str, float]


def ask(server: Server, requests: int, paths: Sequence[str] = PATHS) -> Figures:
    """Send requests; return how many were answered in a second, and the quantiles in ms."""
    started_at = time.perf_counter()
    seconds = sorted(server.request(requests, paths))
    passed = time.perf_counter() - started_at
    return {
        "requests_per_s": round(requests / passed, 1),
        "p50_ms": round(1000 * statistics.median(seconds), 1),
        "p99_ms": round(1000 * seconds[int(0.99 * len(seconds))], 1),
    }


def ask_by_turns(servers: dict[str, Server], requests: int, rounds: int) -> dict[str, Figures]:
    """Return the medians over the rounds; the first requests after a start stand apart."""
    figures = {f"{name}, first": ask(server, len(PATHS)) for name, server in servers.items()}
    measured: dict[str, list[Figures]] = {name: [] for name in servers}
    for _ in range(rounds):
        for name, server in servers.items():
            measured[name].append(ask(server, requests))
    medians = {
        name: {key: statistics.median(each[key] for each in rounds_) for key in rounds_[0]}
        for name, rounds_ in measured.items()
    }
    return figures | medians


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    with (
        clone_with_a_run() as clone,
        web_server(clone, STOCK) as stock,
        web_server(clone, OURS) as ours,
    ):
        servers = {STOCK.name: stock, OURS.name: ours}
        figures = ask_by_turns(servers, options.requests, options.rounds)
        figures["floor"] = ask(ours, options.requests, [FLOOR])
    _report(figures, options.output)


def _report(figures: dict[str, Figures], output: Path) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    document: dict[str, Any] = {"machine": describe_machine(), "figures": figures}
    output.write_text(json.dumps(document, indent=1) + "\n")
    grid = Table("server", *figures[OURS.name], box=None, header_style="bold", pad_edge=False)
    for name, each in figures.items():
        grid.add_row(name, *map(str, each.values()))
    Console(width=100).print(grid)
    stock, ours, floor = (figures[name]["p99_ms"] for name in (STOCK.name, OURS.name, "floor"))
    print(f"web_latency: ratio {ours / stock:.2f} (ours {ours}, stock {stock}, floor {floor})")


if __name__ == "__main__":
    main()

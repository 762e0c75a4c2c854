"""The web server's memory, idle and after requests: workers, the garbage collector, stock uvicorn.

``python -m benchmarks.web_memory`` sets up a fresh clone with one run. Each variant is started
alone on its database. Memory is PSS of all its processes: what they share is counted once.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from rich.console import Console
from rich.table import Table
from tests.running_clone import Clone

from benchmarks.machine import describe_machine
from benchmarks.record import RESULTS
from benchmarks.throwaway import clone_with_a_run
from benchmarks.web_servers import Variant, web_server

QUESTION = "what memory does the web server hold, and what keeps it low?"
WITHOUT_FREEZE = "\ngc.freeze = lambda: None\n"
OURS, STOCK = "ours, 2 workers", "stock, 2 workers"
VARIANTS = [
    Variant(STOCK, 2, settings=None),
    Variant("stock, 1 worker", 1, settings=None),
    Variant("ours, 1 worker", 1),
    Variant(OURS, 2),
    Variant("ours, 4 workers", 4),
    Variant("ours, 2 workers, without gc.freeze", 2, WITHOUT_FREEZE),
    Variant("ours, 4 workers, without gc.freeze", 4, WITHOUT_FREEZE),
    Variant("ours, 2 workers, max_requests 500", 2, "\nmax_requests = 500\n"),
]
SMALLEST = 2  # its idle memory is the floor


def measure(clone: Clone, variant: Variant, requests: int) -> dict[str, Any]:
    """Return the memory of a variant, idle, after the requests and after five times as many."""
    with web_server(clone, variant) as server:
        idle = server.memory_bytes()
        server.request(requests)
        used = server.memory_bytes()
        server.request(4 * requests)
        worn = server.memory_bytes()
    return {
        "variant": variant.name,
        "idle_mb": idle >> 20,
        f"after_{requests}_mb": used >> 20,
        f"after_{5 * requests}_mb": worn >> 20,
    }


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=1000)
    options = parser.parse_args()
    with clone_with_a_run() as clone:
        figures = [measure(clone, variant, options.requests) for variant in VARIANTS]
    document = {"question": QUESTION, "machine": describe_machine(), "variants": figures}
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "web_memory.json").write_text(json.dumps(document, indent=1) + "\n")
    grid = Table(*figures[0], box=None, header_style="bold", pad_edge=False)
    for each in figures:
        grid.add_row(*map(str, each.values()))
    Console(width=120).print(grid)
    of = {each["variant"]: each[f"after_{options.requests}_mb"] for each in figures}
    stock, ours, floor = of[STOCK], of[OURS], figures[SMALLEST]["idle_mb"]
    print(f"web_memory: ratio {ours / stock:.2f} (ours {ours}, stock {stock}, floor {floor})")


if __name__ == "__main__":
    main()

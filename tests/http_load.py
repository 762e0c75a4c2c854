"""A bounded load of HTTP requests, which counts what fails; shared with benchmarks/."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import httpx

TIMEOUT_SECONDS = 60.0
# The longest pause of each kind of client. The first two keep one connection, as tasks and browsers
# do; the third opens one for each request, as scripts do. All leave time for the server to work.
PAUSE_SECONDS = {"busy": 0.01, "thinking": 0.2, "new": 0.05}


@dataclass
class Load:
    """What came of the requests so far.

    Parameters
    ----------
    seconds, ended_at
        The time that each answered request took, and when the answer was there.
    failures
        How many requests failed, by the error's name or status.
    """

    seconds: list[float] = field(default_factory=list)
    ended_at: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def requests(self) -> int:
        return len(self.seconds) + self.failures.total()

    @property
    def longest_silence_seconds(self) -> float:
        """The longest time in which no client at all was answered."""
        ends = sorted(self.ended_at)
        return max(b - a for a, b in pairwise(ends))

    def quantile(self, share: float) -> float:
        """Return the time within which that share of the answers came."""
        return sorted(self.seconds)[min(int(share * len(self.seconds)), len(self.seconds) - 1)]


@contextmanager
def load(
    urls: list[str], kinds: Sequence[str] = tuple(PAUSE_SECONDS), clients_of_each: int = 3
) -> Iterator[Load]:
    """Send requests from clients of the given kinds until the block ends."""
    outcome, stop = Load(), threading.Event()
    clients = [*kinds] * clients_of_each
    thread = threading.Thread(target=lambda: asyncio.run(_send(urls, clients, outcome, stop)))
    thread.start()
    try:
        yield outcome
    finally:
        stop.set()
        thread.join()


async def _send(urls: list[str], kinds: list[str], outcome: Load, stop: threading.Event) -> None:
    await asyncio.gather(*(_client(urls, kind, outcome, stop) for kind in kinds))


async def _client(urls: list[str], kind: str, outcome: Load, stop: threading.Event) -> None:
    limits = httpx.Limits(max_keepalive_connections=0 if kind == "new" else 1)
    async with httpx.AsyncClient(limits=limits, timeout=TIMEOUT_SECONDS, trust_env=False) as client:
        while not stop.is_set():
            await _request(client, random.choice(urls), outcome)
            await asyncio.sleep(random.uniform(0, PAUSE_SECONDS[kind]))


async def _request(client: httpx.AsyncClient, url: str, outcome: Load) -> None:
    started_at = time.perf_counter()
    try:
        answer = await client.get(url)
    except httpx.TransportError as error:
        outcome.failures[type(error).__name__] += 1
        await asyncio.sleep(0.1)  # a refused connection must not become a storm
        return
    if answer.status_code >= 500:
        outcome.failures[str(answer.status_code)] += 1
    else:
        ended_at = time.perf_counter()
        outcome.seconds.append(ended_at - started_at)
        outcome.ended_at.append(ended_at)

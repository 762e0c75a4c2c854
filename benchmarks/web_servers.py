"""Web servers beside one clone's database, stock and ours, and requests such as the UI sends."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice

import httpx
import psutil
from tests.running_clone import DAG_ID, Clone, eventually, free_port

READY_WITHIN_SECONDS = 600.0
CLIENTS = 4  # what one page of the UI asks for at once
PATHS = (
    "/",
    "/ui/config",
    "/ui/auth/me",
    "/ui/dags?limit=50",
    "/ui/dashboard/dag_stats",
    "/ui/dashboard/historical_metrics_data?start_date=2020-01-01T00:00:00Z",
    f"/ui/grid/structure/{DAG_ID}",
    f"/ui/grid/runs/{DAG_ID}",
    f"/api/v2/dags/{DAG_ID}/details",
    f"/api/v2/dags/{DAG_ID}/dagRuns",
    f"/api/v2/dags/{DAG_ID}/dagRuns/~/taskInstances",
    "/api/v2/monitor/health",
)


@dataclass(frozen=True)
class Variant:
    """A way to run the web server.

    Parameters
    ----------
    name
        For the table.
    workers
        How many processes serve.
    settings
        Appended to `gunicorn.conf.py`; None for stock `airflow api-server`.
    """

    name: str
    workers: int
    settings: str | None = ""

    def command(self, clone: Clone, port: int) -> str:
        """Return the shell's command line."""
        if self.settings is None:
            return f"airflow api-server --port {port} --workers {self.workers}"
        file = clone.root / f"variant-{port}.conf.py"
        file.write_text((clone.root / "gunicorn.conf.py").read_text() + self.settings)
        return f"gunicorn -c {file.name} airflow.api_fastapi.main:app"


@dataclass
class Server:
    """A running web server."""

    url: str
    process: psutil.Process
    headers: dict[str, str]

    def memory_bytes(self) -> int:
        """Return the memory of all its processes, what they share counted once (PSS)."""
        tree = [self.process, *self.process.children(recursive=True)]
        return sum(int(each.memory_full_info().pss) for each in tree)

    def request(self, count: int, paths: Sequence[str] = PATHS) -> list[float]:
        """Send so many requests, each path in turn; return the seconds that each took."""
        return asyncio.run(self._request(islice(cycle(paths), count)))

    async def _request(self, paths: Iterator[str]) -> list[float]:
        async with httpx.AsyncClient(
            base_url=self.url, headers=self.headers, timeout=60, trust_env=False
        ) as client:
            seconds = await asyncio.gather(*(_client(client, paths) for _ in range(CLIENTS)))
        return [each for client_seconds in seconds for each in client_seconds]


async def _client(client: httpx.AsyncClient, paths: Iterator[str]) -> list[float]:
    seconds = []
    for path in paths:
        started_at = time.perf_counter()
        answer = await client.get(path)
        seconds.append(time.perf_counter() - started_at)
        answer.raise_for_status()
    return seconds


@contextmanager
def web_server(clone: Clone, variant: Variant) -> Iterator[Server]:
    """Start a web server on the clone's database, and stop it afterwards."""
    port = free_port()
    own = {"ML_PIPELINE_PORT": str(port), "ML_PIPELINE_API_WORKERS": str(variant.workers)}
    with (clone.root / "web-server.log").open("a") as log:
        process = subprocess.Popen(
            ["bash", "-c", f". ./airflow_postgresql_env.sh && exec {variant.command(clone, port)}"],
            cwd=clone.root,
            env={**clone.environment, **own},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        url = f"http://localhost:{port}"
        eventually(lambda: process.poll() is not None or _answers(url), READY_WITHIN_SECONDS)
        login = {"username": "admin", "password": clone.password()}
        token = httpx.post(f"{url}/auth/token", json=login, trust_env=False).json()["access_token"]
        yield Server(url, psutil.Process(process.pid), {"Authorization": f"Bearer {token}"})
    finally:
        process.terminate()
        process.wait(60)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/v2/version", trust_env=False).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False

"""The web server's settings: what differs from gunicorn's defaults, each with its reason.

Started as ``gunicorn -c gunicorn.conf.py airflow.api_fastapi.main:app``: Airflow's own way to start
gunicorn reads no configuration file.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml_pipeline.ops import linux, web_succession
from ml_pipeline.ops.web_worker import DrainingWorker

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter
    from gunicorn.workers.base import Worker

COLD_PATHS = ("/execution/none", "/api/v2/none", "/auth/none")
SHARED_MEMORY = Path("/dev/shm")


def can_preload(platform: str) -> bool:
    """Tell whether workers may be forked from a loaded application: never on macOS."""
    return platform == "linux"


# Set by `ml-pipeline up`; loopback unless the user says otherwise.
bind = web_succession.address(
    os.environ.get("AIRFLOW__API__HOST", "127.0.0.1"), os.environ.get("AIRFLOW__API__PORT", "8080")
)

# Lets kept-alive connections end without a reset, and leaves Airflow's logging in place.
worker_class = DrainingWorker

# One more than a single one, so that a slow request delays nobody. A single one would save 42 MB of
# the idle stack's 1,159, and 101 of 1,287 after some runs.
workers = int(os.environ.get("ML_PIPELINE_API_WORKERS", "2"))

# The application is imported once, in the master, and shared by the workers.
preload_app = can_preload(sys.platform)

if preload_app:
    # Until all is loaded, see _warm: looking for garbage is a fifth of the time that it takes.
    gc.disable()

# A worker's heartbeat file on a disk can block the worker when the disk is busy.
if sys.platform == "linux" and SHARED_MEMORY.is_dir():
    worker_tmp_dir = str(SHARED_MEMORY)

# A worker's memory stops being shared as it works: a new one costs a fork, 0.2 s. Two workers after
# 5,000 requests: 429 MB without this, 362 MB with it. The second figure keeps them from leaving
# together. No request is lost, see the worker's class.
max_requests = 1000
max_requests_jitter = 1000

# Longer than clients keep an idle connection (tasks 5 s, proxies 60 s): so it is they who close it,
# and none sends a request on one that is being closed.
keepalive = 75

# Less than supervisord's patience with us (15 s), so that workers end by themselves.
graceful_timeout = 10

# supervisord controls us; a second way in is a second thing to guard.
control_socket_disable = True

# Whose X-Forwarded-* headers are believed: nobody's, unless the user runs a proxy before us.
forwarded_allow_ips = os.environ.get("ML_PIPELINE_TRUSTED_PROXY", "")

# Names in `ps`, for people.
proc_name = "airflow api-server"


def on_reload(server: Arbiter) -> None:
    """Load code and settings anew on SIGHUP, and not only start workers from what is loaded."""
    web_succession.begin_anew(server)


def when_ready(server: Arbiter) -> None:
    """Prepare the workers' fork; after a SIGHUP, replace the old workers."""
    if preload_app:
        _warm(server.app.wsgi())
    web_succession.take_over(server)


def post_fork(server: Arbiter, worker: Worker) -> None:
    """Let a worker end with its master, however that ends."""
    linux.die_with_parent()


def _warm(app: Any) -> None:
    """Warm what is built on first use, and set it apart from the garbage collector.

    The execution API builds its versioned routes at its first request, which takes seconds in each
    worker; collecting garbage writes to pages that the workers could go on sharing. For the same
    reason none is collected before: the workers would fill the holes. 27 MB more, and 0.4 s.
    """
    asyncio.run(_request_cold_paths(app))
    gc.freeze()
    gc.enable()


async def _request_cold_paths(app: Any) -> None:
    # Paths that nobody serves: they reach every router and middleware, but no database.
    import httpx

    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for path in COLD_PATHS:
            await client.get(path)

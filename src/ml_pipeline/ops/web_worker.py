"""The web server's worker: uvicorn under gunicorn, ending without a reset to any client."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from typing import Any

from gunicorn.arbiter import Arbiter
from uvicorn.server import Server
from uvicorn.workers import UvicornWorker

DRAIN_SECONDS = 1.0


class DrainingServer(Server):
    """Tells clients to leave before it closes their connections.

    uvicorn closes idle kept-alive connections at once. A client that sends its next request at that
    moment gets a reset, and cannot know whether the request has been served.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nobody new, let everybody know with their next answer, then close what is idle."""
        for server in self.servers:
            server.close()  # this worker's way to the socket: the others go on accepting
        self.server_state.default_headers.append((b"connection", b"close"))
        deadline = time.monotonic() + DRAIN_SECONDS
        while self.server_state.connections and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        await super().shutdown()  # which need not close the sockets again


class DrainingWorker(UvicornWorker):
    """Runs a `DrainingServer`; leaves logging to Airflow, as Airflow's own worker class does."""

    CONFIG_KWARGS: dict[str, Any] = {**UvicornWorker.CONFIG_KWARGS, "access_log": False}

    async def _serve(self) -> None:
        # As in the base class, but for the server.
        self.config.app = self.wsgi
        server = DrainingServer(config=self.config)
        self._install_sigquit_handler()
        await server.serve(sockets=self.sockets)
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)

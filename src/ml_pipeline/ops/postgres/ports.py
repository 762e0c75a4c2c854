"""Pick a free TCP port on the loopback interface."""

from __future__ import annotations

import random
import socket

from ml_pipeline.errors import DatabaseError

LOOPBACK = "127.0.0.1"
# Below the ranges that systems hand to outgoing connections (from 32768 on Linux, from 49152 on
# macOS): one of those could take the port while the server is down.
CANDIDATES = range(20000, 30000)
TRIES = 200


def is_free(port: int) -> bool:
    """Tell whether a server could listen on a port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As PostgreSQL does: connections of the last server that still time out are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def pick() -> int:
    """Return a free port, by chance, so that two clones starting at once rarely meet."""
    for port in random.sample(CANDIDATES, TRIES):
        if is_free(port):
            return port
    raise DatabaseError(
        f"No free port for PostgreSQL: {TRIES} ports between {CANDIDATES.start} and "
        f"{CANDIDATES.stop} are taken. Stop what holds them, or see what blocks {LOOPBACK}."
    )

"""What the server notes about its own life, on a real one."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import psycopg2

from ml_pipeline.ops import postgres, secrets
from ml_pipeline.ops.postgres import urls
from ml_pipeline.ops.postgres.cluster import Cluster
from ml_pipeline.ops.postgres.postmaster import find
from ml_pipeline.ops.project import Project


def eventually(condition: Callable[[], object], within_seconds: float = 30) -> None:
    deadline = time.monotonic() + within_seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.05)


def test_phase_when_told_to_wait_for_its_clients_is_stopping_until_it_is_interrupted(
    clone: Project,
) -> None:
    assert postgres.phase(clone) == ""
    postgres.start(clone)
    assert postgres.phase(clone) == "ready"
    server = find(Cluster.of(clone).data)
    url = secrets.read(clone.secrets, "sql_alchemy_conn")
    assert server and url
    client = psycopg2.connect(urls.parse(url).libpq())
    server.send_signal(signal.SIGTERM)
    eventually(lambda: postgres.phase(clone) == "stopping")
    assert server.is_running()
    assert not postgres.is_ready(clone)
    server.send_signal(signal.SIGINT)
    eventually(lambda: postgres.phase(clone) == "")
    client.close()

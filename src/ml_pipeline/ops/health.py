"""Is each component really ready? PostgreSQL is asked, the others by the API's health document."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPException
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from ml_pipeline.ops import monitor_beat, postgres
from ml_pipeline.ops.monitor_beat import MONITOR
from ml_pipeline.ops.project import Project
from ml_pipeline.ops.stack_record import StackRecord
from ml_pipeline.ops.supervisor import Program

TIMEOUT_SECONDS = 5.0
IN_HEALTH_DOCUMENT = {
    "scheduler": "scheduler",
    "dag-processor": "dag_processor",
    "triggerer": "triggerer",
}

# A proxy of the environment has no business between two programs of this machine.
_opener = build_opener(ProxyHandler({}))


@dataclass(frozen=True)
class Health:
    """Asks the components of one stack; one answer of the API serves all of them.

    Parameters
    ----------
    project, record
        The clone and its running stack.
    """

    project: Project
    record: StackRecord

    def document(self) -> dict[str, Any]:
        """Return the API's health document, empty when the web server does not answer.

        The answer's status is 200 even when the scheduler is dead, hence the document.
        """
        url = f"{self.record.own_url}/api/v2/monitor/health"
        try:
            with _opener.open(url, timeout=TIMEOUT_SECONDS) as answer:
                return dict(json.load(answer))
        except (OSError, URLError, HTTPException, ValueError):
            return {}

    def check(self) -> Callable[[Program], bool]:
        """Ask once; return the function that tells whether a component is healthy."""
        document = self.document()

        def is_healthy(program: Program) -> bool:
            if program.state != "running" and program.state != "starting":
                return False
            if program.name == "postgres":
                return postgres.is_ready(self.project)
            if program.name == "api-server":
                return bool(document)
            if program.name == MONITOR:
                return monitor_beat.is_fresh(self.project, program.pid)
            part = IN_HEALTH_DOCUMENT.get(program.name)
            if part is None:
                return bool(program.state == "running")
            return _has_own_heartbeat(document.get(part) or {}, part, program.started_at)

        return is_healthy


def _has_own_heartbeat(part: dict[str, Any], name: str, started_at: float) -> bool:
    """Tell whether the heartbeat is this process's own: its predecessor's may look fresh still."""
    heartbeat = part.get(f"latest_{name}_heartbeat")
    if part.get("status") != "healthy" or heartbeat is None:
        return False
    return bool(datetime.fromisoformat(heartbeat).timestamp() >= started_at)

"""The machine that a measurement was made on, for the record beside its figures."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import psutil

PACKAGES = ("apache-airflow", "gunicorn", "supervisor", "psutil")


def describe_machine() -> dict[str, Any]:
    """Return date, system, cores, memory and the versions that matter."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }

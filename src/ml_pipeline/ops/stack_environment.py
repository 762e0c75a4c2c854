"""The environment that the stack's processes run in, on top of the sourced one."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from ml_pipeline.ops import postgres
from ml_pipeline.ops.postgres.account import own_name
from ml_pipeline.ops.processes import MARKER
from ml_pipeline.ops.project import Project
from ml_pipeline.ops.stack_record import StackRecord, socket_file

LEAST_PARALLELISM = 2  # a task that waits must not hold up all others
SECRET_VARIABLES = {"ML_PIPELINE_DATABASE_URL"}


def stack_environment(
    project: Project,
    record: StackRecord,
    inherited: Mapping[str, str] = os.environ,
    platform: str = sys.platform,
    cores: int = os.cpu_count() or 1,
) -> dict[str, str]:
    """Return the whole environment of supervisord and everything below it.

    Parameters
    ----------
    project, record
        The clone, and where its web server is to listen.
    inherited
        The environment made by `airflow_postgresql_env.sh`.
    platform
        As in `sys.platform`.
    cores
        Of this machine.
    """
    return {
        # About one task per core; the default of 32 forks 32 processes at once. Four on two cores
        # are no faster with 100 mapped tasks: the processor is what they wait for.
        "AIRFLOW__CORE__PARALLELISM": str(max(LEAST_PARALLELISM, cores)),
        # Threads of one process share two heaps (glibc; by default eight a core): the stack held
        # 1,201 MB instead of 1,287 after some runs.
        "MALLOC_ARENA_MAX": "2",
        **without_secrets(inherited),
        MARKER: record.marker,
        "ML_PIPELINE_SOCKET": str(socket_file(project)),
        "ML_PIPELINE_USER": own_name(),
        "ML_PIPELINE_EMBEDDED_DATABASE": str(postgres.is_embedded(project)).lower(),
        "AIRFLOW__API__HOST": record.host,
        "AIRFLOW__API__PORT": str(record.port),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{record.own_url}/execution/",
        "PYTHONUNBUFFERED": "1",  # a log line is there when it is written, not a buffer later
        **_platform_variables(platform),
    }


def without_secrets(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment less what only the set-up may know, which others could read."""
    return {name: value for name, value in inherited.items() if name not in SECRET_VARIABLES}


def _platform_variables(platform: str) -> dict[str, str]:
    # Python 3.14 forks no more by default; without fork the tasks inherit no imported library.
    return {"AIRFLOW__SCHEDULER__MP_START_METHOD": "fork"} if platform == "linux" else {}

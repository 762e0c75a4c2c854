"""What an Airflow process does as it starts: preload, die with its parent, find its database.

As it ends, it leaves its memory to the system. The one that runs tasks notices their ends at once.

Called by `airflow_home/config/airflow_local_settings.py` in every process that imports Airflow.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import logging
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ml_pipeline.errors import PipelineError
from ml_pipeline.ops import linux, task_end
from ml_pipeline.ops.processes import MARKER
from ml_pipeline.ops.project import Project

if TYPE_CHECKING:
    from ml_pipeline.ops.postgres.sharing import Use

# What the tasks import: the child processes inherit it, and a task starts in milliseconds.
PRELOADED = (
    "pandas",
    "pyarrow",
    "sklearn",
    "scipy.stats",
    "skops.io",  # 0.8 s in each task that loads or saves a model
    "ml_pipeline.config",
    "ml_pipeline.pipeline",
    "ml_pipeline.orchestration.training",
    "ml_pipeline.orchestration.results_db",
    # The registry: 1.5 s in each of two tasks. Ours comes first: it switches telemetry off.
    "ml_pipeline.registry.tracking",
    "ml_pipeline.lifecycle",
    "ml_pipeline.orchestration.registry_db",
    "mlflow",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.model_registry.sqlalchemy_store",
    # What Airflow itself imports in each task, after its fork: 0.04 of the 0.14 s of CPU of a task
    # that does nothing.
    "airflow.dag_processing.dagbag",
    "airflow.sdk.definitions.asset.metadata",
    "jinja2.ext",
    "pyarrow.pandas_compat",
)
PRELOAD_VARIABLE = "ML_PIPELINE_PRELOAD"
FORKING_COMMANDS = (("scheduler",), ("celery", "worker"))
WITHOUT_DATABASE = {"version", "config", "info", "cheat-sheet", "providers", "plugins"}

log = logging.getLogger(__name__)


def prepare(argv: Sequence[str], environment: Mapping[str, str], platform: str) -> None:
    """Do what this process needs, by its command line.

    Parameters
    ----------
    argv, environment, platform
        As `sys.argv`, `os.environ` and `sys.platform`.
    """
    # Python looks for garbage in all that Airflow has imported once more before it ends: 1.1 s of
    # CPU in a scheduler, 0.7 s in a triggerer; 0.1 s when there is nothing to look at.
    atexit.register(gc.freeze)
    if forks_tasks(argv):
        if platform == "linux":
            preload(environment.get(PRELOAD_VARIABLE, ",".join(PRELOADED)))
            os.register_at_fork(after_in_child=linux.die_with_parent)
            stay_frozen()
        if MARKER in environment:
            _await_setup()
    elif needs_own_database(argv, environment):
        _provide_database()
    if supervises(argv):
        task_end.notice_at_once()


def forks_tasks(argv: Sequence[str]) -> bool:
    """Tell whether this process forks the tasks: what it has imported, they have."""
    arguments = tuple(argv[1:])
    return is_airflow(argv) and any(
        arguments[: len(command)] == command for command in FORKING_COMMANDS
    )


def supervises(argv: Sequence[str]) -> bool:
    """Tell whether this process supervises tasks or triggers."""
    return forks_tasks(argv) or (is_airflow(argv) and tuple(argv[1:2]) == ("triggerer",))


def needs_own_database(argv: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Tell whether a person typed this, outside the stack, and it asks the database."""
    is_typed = is_airflow(argv) and MARKER not in environment
    command = argv[1] if len(argv) > 1 else "--help"
    return is_typed and not command.startswith("-") and command not in WITHOUT_DATABASE


def is_airflow(argv: Sequence[str]) -> bool:
    """Tell whether the process is Airflow's command line."""
    return bool(argv) and Path(argv[0]).name == "airflow"


def preload(names: str) -> None:
    """Import modules, given as a comma-separated list; a failure is a warning, not an end.

    Only importing is safe before a fork: nothing may be computed here, no thread started.
    """
    gc.disable()  # looking for garbage is a fourth of the time that imports take
    for name in filter(None, map(str.strip, names.split(","))):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # skops makes Airflow warn a thousand times
                importlib.import_module(name)
        except Exception as error:
            log.warning("cannot preload %s: %s; tasks import it themselves", name, error)
    gc.freeze()  # or the first collection looks at all of it at once
    gc.enable()


def stay_frozen() -> None:
    """Keep what was there before a fork apart from the garbage collector for good.

    LocalExecutor freezes it around its forks only. The scheduler's next collection then writes to
    pages that it could go on sharing with its workers: 344 MB instead of 244 MB with two of them.
    """
    gc.unfreeze = lambda: None


def _await_setup() -> None:
    """Wait for the database's set-up, beside which `up` starts the scheduler for the first time."""
    from ml_pipeline.ops import airflow_setup

    airflow_setup.await_done(Project.here())


def _provide_database() -> None:
    """Start the embedded database for this command, and stop it afterwards; or say what to type."""
    from ml_pipeline.ops import airflow_setup, postgres, stack_record
    from ml_pipeline.ops.postgres.sharing import Use

    try:
        project = Project.here()
        if not airflow_setup.is_current(project):
            sys.exit("Error: this clone is not set up yet. Type: ./start_airflow.sh")
        if not postgres.is_embedded(project):
            return
        if not postgres.is_running(project) and stack_record.is_locked(project):
            sys.exit("Error: the stack is starting or stopping. Wait, or see: ml-pipeline status")
        use = Use(project)
        use.begin()
    except PipelineError as error:
        sys.exit(f"Error: {error}")
    atexit.register(_end_use, use, os.getpid())


def _end_use(use: Use, owner: int) -> None:
    """Stop what was started on demand, unless somebody else still uses it."""
    from ml_pipeline.ops.postgres import lending

    if os.getpid() == owner:
        with suppress(PipelineError):
            lending.end(use, is_ours=False)

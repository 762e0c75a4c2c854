"""Does this machine have what the stack needs? Each check says what it found and what to do."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from ml_pipeline.ops.doctor import clone, database, machine
from ml_pipeline.ops.doctor.check import Check
from ml_pipeline.ops.project import Project

__all__ = ["Check", "examine"]


def examine(project: Project, port: int) -> list[Check]:
    """Return every check, in the order in which a start would meet what they are about."""
    checks: list[Callable[[], Check]] = [
        lambda: machine.check_python(sys.version_info[:2]),
        lambda: machine.check_disk(clone.free_bytes(project)),
        lambda: machine.check_memory(machine.available_bytes()),
        lambda: machine.check_open_files(*machine.open_files_limits()),
        lambda: machine.check_processes(machine.processes_limit(), machine.processes_in_use()),
        lambda: machine.check_locale(os.environ, sys.stdout.encoding or "none"),
        lambda: clone.check_folder(project),
        lambda: clone.check_path_length(project),
        lambda: clone.check_port(project, port),
        lambda: database.check_postgres(project),
        lambda: database.check_port(project),
        lambda: machine.check_fork_safety(sys.platform, os.environ),
        lambda: clone.check_programs(project, os.environ),
        lambda: clone.check_variables(os.environ, clone.sourced(project, os.environ)),
    ]
    return [check() for check in checks]

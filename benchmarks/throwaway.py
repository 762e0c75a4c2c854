"""A fresh clone whose stack runs while it is measured, and which is gone afterwards."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.running_clone import Clone, copy_repository, free_port


@contextmanager
def running_clone(settings: Mapping[str, str] = {}) -> Iterator[Clone]:
    """Yield a clone with its stack running; `settings` are variables that its user exports."""
    with tempfile.TemporaryDirectory(prefix="ml-pipeline-bench-") as folder:
        Path(folder).chmod(0o755)  # as root, PostgreSQL's account has to reach its cluster
        clone = Clone(Path(folder) / "clone", free_port(), settings)
        copy_repository(clone.root)
        start = clone.up("--no-run")
        try:
            if start.returncode:
                sys.exit(f"The clone does not start:\n{start.stdout}{start.stderr}")
            yield clone
        finally:
            clone.down()

"""The server in the foreground, for supervisord: `python -m ml_pipeline.ops.postgres.server`.

It prepares what only root may, becomes the server's account and then PostgreSQL itself (exec), so
that supervisord's signals reach the server directly: INT is PostgreSQL's fast shutdown.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

from ml_pipeline.errors import PipelineError
from ml_pipeline.ops import linux, postgres
from ml_pipeline.ops.postgres.account import server_environment
from ml_pipeline.ops.postgres.cluster import Cluster
from ml_pipeline.ops.project import Project


def main() -> int:
    """Run the server of this clone; return only when it cannot."""
    project = Project.here()
    try:
        become_server(project)
    except (PipelineError, OSError) as error:
        print(f"postgres: {error}", file=sys.stderr)
        return 1


def become_server(project: Project) -> NoReturn:
    """Turn this process into the project's server."""
    cluster = Cluster.of(project)
    cluster.stop()  # one that was started by `db start`, or outlived its supervisord
    postgres.make_startable(project)
    command = cluster.command()
    os.chdir("/")
    cluster.account.become()
    # After the change of user, which the kernel takes as a reason to forget the wish.
    linux.die_with_parent(signal.SIGINT)
    os.execve(command[0], command, server_environment())


if __name__ == "__main__":
    sys.exit(main())

"""The server's settings: only what differs from PostgreSQL's defaults, each with its reason."""

from __future__ import annotations

import os
from pathlib import Path

from ml_pipeline.ops.postgres.account import Account

FILE = "ml_pipeline.conf"
SETTINGS = """\
# Written by ml-pipeline at each start. Put changes of your own into postgresql.auto.conf
# (ALTER SYSTEM SET …), which wins over this file.

listen_addresses = '127.0.0.1'      # never reachable from another machine
port = {port}
unix_socket_directories = ''        # a socket's path may have 100 bytes, a clone's more
password_encryption = 'scram-sha-256'

max_connections = 200               # four API workers with two pools of 15, and four components
shared_buffers = 128MB
max_wal_size = 512MB                # disk that the write-ahead log may keep
wal_level = minimal                 # no replica reads this log
max_wal_senders = 0
wal_compression = on
jit = off                           # Airflow's queries are short: compiling them does not pay

# fsync, full_page_writes and synchronous_commit stay on: without them a crash loses task states.

log_destination = 'stderr'          # supervisord keeps and rotates the output of every component
logging_collector = off
log_line_prefix = '%m [%p] %q%u@%d '
log_checkpoints = off
log_timezone = 'UTC'
timezone = 'UTC'
"""


def write(data: Path, port: int, account: Account) -> None:
    """Write the settings into a data folder, whole or not at all."""
    beside = data / f".{FILE}.{os.getpid()}"
    beside.unlink(missing_ok=True)
    # O_EXCL: the folder belongs to the server's account, which must not lead root to another file.
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(SETTINGS.format(port=port))
    account.own(beside)
    beside.replace(data / FILE)


def include(data: Path) -> None:
    """Have a new cluster's postgresql.conf read our file, after its own lines."""
    with (data / "postgresql.conf").open("a") as file:
        file.write(f"\ninclude_if_exists = '{FILE}'\n")

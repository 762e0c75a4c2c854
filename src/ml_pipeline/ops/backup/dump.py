"""`pg_dump` and `pg_restore` of one database, streamed; the password is in no argument."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ml_pipeline.errors import DatabaseError
from ml_pipeline.ops.postgres.account import server_environment
from ml_pipeline.ops.postgres.client_programs import ClientPrograms
from ml_pipeline.ops.postgres.urls import DatabaseUrl

if TYPE_CHECKING:
    from ml_pipeline.ops.backup.archive import HashingWriter

CHUNK_BYTES = 2**20
SERVICE = "ml_pipeline"  # the connection's name in its file


def dump(programs: ClientPrograms, url: DatabaseUrl, target: HashingWriter) -> None:
    """Write a database's dump: one consistent moment of it, while others go on writing.

    Raises
    ------
    DatabaseError
        When `pg_dump` fails.
    """
    options = ["--format=custom", "--no-password"]
    with _running(programs, "pg_dump", url, options) as process:
        assert process.stdout is not None
        shutil.copyfileobj(process.stdout, target, CHUNK_BYTES)


def load(programs: ClientPrograms, url: DatabaseUrl, chunks: Iterable[bytes]) -> None:
    """Read a dump into an empty database, as its owner, who may do no more than that.

    Raises
    ------
    DatabaseError
        When `pg_restore` fails.
    """
    # In one transaction: tables that it made itself are filled without the write-ahead log, so that
    # a disk that fills up ends the restore and not the server.
    options = ["--single-transaction", "--no-owner", "--no-privileges", "--no-password"]
    with _running(programs, "pg_restore", url, options) as process:
        assert process.stdin is not None
        for chunk in chunks:
            try:
                process.stdin.write(chunk)
            except BrokenPipeError:  # it has ended: its status and last line tell why
                break


@contextmanager
def _running(
    programs: ClientPrograms, name: str, url: DatabaseUrl, options: list[str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program for the block; kill it when that fails, judge it when that ends."""
    command = [str(programs.program(name)), *options, f"--dbname=service={SERVICE}"]
    with _service_file(url) as file, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**server_environment(), "PGSERVICEFILE": str(file)},
        )
        try:
            yield process
            _close(process)
            status = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            _close(process)
            raise
        if status != 0:
            raise DatabaseError(f"{name} failed on {url.database}: {_reason(errors)}")


def _close(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout):
        try:
            if stream is not None:
                stream.close()
        except BrokenPipeError:
            continue


@contextmanager
def _service_file(url: DatabaseUrl) -> Iterator[Path]:
    """Yield a file with the whole login, for libpq: it may hold a password for a key, too."""
    login = {
        "host": url.host,
        "port": str(url.port),
        "dbname": url.database,
        "user": url.user or "",
        "password": url.password or "",
        **dict(url.parameters),
    }
    with tempfile.TemporaryDirectory(prefix="ml-pipeline-") as folder:  # 0700
        file = Path(folder) / "service.conf"
        lines = [f"{name}={value}" for name, value in login.items() if value]
        file.write_text("\n".join([f"[{SERVICE}]", *lines, ""]))
        yield file


def _reason(errors: IO[bytes]) -> str:
    """Return the first line that says why, without the program's name."""
    errors.seek(0)
    lines = errors.read().decode(errors="replace").splitlines()
    wanted = [line for line in lines if "error:" in line] or lines or ["no message"]
    return wanted[0].split("error: ", 1)[-1].strip()

"""The end of a log file."""

from __future__ import annotations

from pathlib import Path

BLOCK_BYTES = 64 * 1024


def last_lines(path: Path, count: int) -> list[str]:
    """Return up to `count` last lines of a file, none when it does not exist."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - BLOCK_BYTES))
            return file.read().decode(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        return []

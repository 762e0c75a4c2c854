"""Secrets: one file each, readable by the owner alone, written without a trailing newline."""

from __future__ import annotations

import os
import secrets as random
from collections.abc import Callable
from pathlib import Path

from ml_pipeline.errors import ConfigError

TOKEN_BYTES = 32


def read(folder: Path, name: str) -> str | None:
    """Return the secret's text, or None when it does not exist.

    Raises
    ------
    ConfigError
        When it belongs to another user.
    """
    try:
        return (folder / name).read_text()
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise ConfigError(
            f"{folder / name} cannot be read: it belongs to another user. Run this command as the "
            "user who set this folder up."
        ) from error


def write(folder: Path, name: str, text: str) -> None:
    """Store `text` under `name`, whole or not at all."""
    _write_beside(folder, name, text).replace(folder / name)


def ensure(folder: Path, name: str, generate: Callable[[], str] | None = None) -> str:
    """Return the secret, generated on first use (URL-safe text of 32 random bytes by default).

    Of two processes that generate it at the same time, both get the first one's.
    """
    text = read(folder, name)
    if text is not None:
        return text
    text = (generate or (lambda: random.token_urlsafe(TOKEN_BYTES)))()
    beside = _write_beside(folder, name, text)
    try:
        (folder / name).hardlink_to(beside)
        return text
    except FileExistsError:
        return ensure(folder, name, generate)
    finally:
        beside.unlink()


def _write_beside(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    beside = folder / f".{name}.{os.getpid()}"
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())  # or a power cut leaves an empty secret behind the rename
    return beside

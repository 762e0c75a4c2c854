"""Secrets: one file each, readable by the owner alone, written without a trailing newline."""

from __future__ import annotations

import os
import secrets as random
from collections.abc import Callable
from pathlib import Path

TOKEN_BYTES = 32


def read(folder: Path, name: str) -> str | None:
    """Return the secret's text, or None when it does not exist."""
    try:
        return (folder / name).read_text()
    except FileNotFoundError:
        return None


def write(folder: Path, name: str, text: str) -> None:
    """Store `text` under `name`, whole or not at all."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    beside = folder / f".{name}.{os.getpid()}"
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    beside.replace(folder / name)


def ensure(folder: Path, name: str, generate: Callable[[], str] | None = None) -> str:
    """Return the secret, generated on first use (URL-safe text of 32 random bytes by default)."""
    text = read(folder, name)
    if text is None:
        text = (generate or (lambda: random.token_urlsafe(TOKEN_BYTES)))()
        write(folder, name, text)
    return text

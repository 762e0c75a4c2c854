"""What a long step of the set-up shows on a terminal, and leaves there."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from pathlib import Path

from .shells import REPOSITORY

STEPS = REPOSITORY / "scripts" / "bootstrap_steps.sh"


def left_on_a_terminal(script: str, log: Path) -> str:
    """Run a script in a terminal; return the line that it leaves, as a person sees it."""
    screen, terminal = pty.openpty()
    command = ["bash", "-c", f'. "$0" && {script}', str(STEPS)]
    environment = {**os.environ, "LOG": str(log)}
    subprocess.run(command, env=environment, stdout=terminal, stderr=terminal, check=True)
    os.close(terminal)
    written = os.read(screen, 65536).decode()
    os.close(screen)
    return _overwritten(written.rstrip("\r\n"))


def _overwritten(text: str) -> str:
    line = ""
    for part in text.split("\r"):
        line = part + line[len(part) :]
    return line.rstrip()


def test_a_step_leaves_one_clean_line(tmp_path: Path) -> None:
    line = left_on_a_terminal('run_step "installing pip" sleep 0.3', tmp_path / "log")
    assert re.fullmatch(r"  installing pip: \d s", line)

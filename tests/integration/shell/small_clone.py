"""A clone whose lock holds only what installs the rest: a real bootstrap of it takes seconds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.running_clone import REPOSITORY, user_environment

FILES = ("airflow_postgresql_env.sh", "pyproject.toml", "README.md", "LICENSE")
PACKAGES = ("editables", "hatchling", "packaging", "pathspec", "pluggy", "trove-classifiers", "uv")
# All that the scripts call, besides bash and a Python.
TOOLS = (
    *("awk", "cat", "chmod", "cksum", "dirname", "env", "grep", "head", "id", "ln", "mkdir", "mv"),
    *("ps", "readlink", "rm", "sed", "sh", "sleep", "tail", "tr", "uname", "bash"),
)
SOURCE = """
set -euo pipefail
. "$1/airflow_postgresql_env.sh"
. "$1/scripts/bootstrap.sh"
"""


class SmallClone:
    """A clone to bootstrap.

    Parameters
    ----------
    root
        Its folder.
    tools
        A folder that holds all of TOOLS, the only thing on PATH but for what a test puts there.
    """

    def __init__(self, root: Path, tools: Path) -> None:
        self.root = root
        self.tools = tools

    @property
    def stamp(self) -> Path:
        return self.root / ".venv" / ".ml-pipeline"

    @property
    def lock(self) -> Path:
        return self.root / "airflow_home" / "run" / "bootstrap.lock"

    def start(
        self,
        script: str,
        *programs: Path,
        cwd: Path | None = None,
        user: str | None = None,
        **environment: str,
    ) -> subprocess.Popen[str]:
        """Start a script that finds the functions of bootstrap.sh, and some programs on PATH."""
        path = os.pathsep.join(map(str, [*programs, self.tools]))
        return subprocess.Popen(
            ["bash", "-c", SOURCE + script, "bash", self.root],
            cwd=cwd or self.root,
            env={**user_environment(), "PATH": path, **environment},
            user=user,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, script: str, *programs: Path, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a script to its end."""
        with self.start(script, *programs, **options) as process:
            stdout, stderr = process.communicate(timeout=240)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def bootstrap(
        self, *programs: Path, wanted: str = "", **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Make .venv, or bring it up to date."""
        return self.run(f'bootstrap "$1" {wanted}', *programs, **options)

    def python(self, code: str) -> str:
        """Run code with the clone's Python."""
        command = [self.root / ".venv" / "bin" / "python", "-I", "-c", code]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def copy(self, root: Path) -> SmallClone:
        """Copy it, as `cp -R` does."""
        shutil.copytree(self.root, root, symlinks=True)
        return SmallClone(root, self.tools)


def make_small_clone(root: Path, tools: Path) -> SmallClone:
    """Lay out a clone that nothing has set up yet."""
    package = root / "src" / "ml_pipeline"
    package.mkdir(parents=True)
    shutil.copy2(REPOSITORY / "src" / "ml_pipeline" / "__init__.py", package)
    for name in FILES:
        shutil.copy2(REPOSITORY / name, root)
    shutil.copytree(REPOSITORY / "scripts", root / "scripts")
    lock = (REPOSITORY / "requirements-dev.txt").read_text()
    (root / "requirements.txt").write_text(_excerpt(lock, PACKAGES))
    (root / "requirements-dev.txt").write_text(_excerpt(lock, (*PACKAGES, "iniconfig")))
    return SmallClone(root, tools)


def make_tools(folder: Path) -> Path:
    """Link TOOLS into a folder."""
    folder.mkdir()
    for name in TOOLS:
        if found := shutil.which(name):
            (folder / name).symlink_to(found)
    return folder


def make_python(folder: Path, name: str = "python3", kind: str = "") -> Path:
    """Put this Python, or a script that claims to be one of another kind, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    if kind:
        program.write_text(f"#!/bin/sh\necho '{kind}'\n")
        program.chmod(0o755)
    else:
        program.symlink_to(sys._base_executable)  # type: ignore[attr-defined]
    return folder


def _excerpt(lock: str, names: tuple[str, ...]) -> str:
    entries = re.split(r"\n(?=\S)", lock.strip())
    return "".join(f"{entry}\n" for entry in entries if re.split("[ =]", entry)[0] in names)

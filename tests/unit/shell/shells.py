"""Shells that a user may source from, and clones that hold only what they source."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
SCRIPT = "airflow_postgresql_env.sh"
# On macOS sh is a bash in its POSIX mode.
SHELLS = {
    "bash": ("bash", "--noprofile", "--norc"),
    "bash as sh": ("bash", "--posix", "--noprofile", "--norc"),
    "zsh": ("zsh", "-f"),
}
# What a program that the shell starts finds in its environment.
PRINT_ENVIRONMENT = (
    f"'{sys.executable}' -I -S -c 'import json, os; print(json.dumps(dict(os.environ)))'"
)


@dataclass(frozen=True)
class Shell:
    """One shell, started without the user's start files.

    Parameters
    ----------
    command
        Its words, up to where the script to run follows.
    home
        The user's home, which holds nothing.
    """

    command: tuple[str, ...]
    home: Path

    @property
    def is_zsh(self) -> bool:
        return self.command[0] == "zsh"

    def run(
        self, script: str, cwd: Path | str = "/", *options: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a script, with nothing in the environment but what is named."""
        return subprocess.run(
            [*self.command, *options, "-c", script],
            cwd=cwd,
            env={"HOME": str(self.home), "PATH": "/usr/bin:/bin", **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def environment(self, script: str, cwd: Path | str = "/", **environment: str) -> dict[str, str]:
        """Run a script that prints nothing, and return what a program started then finds."""
        result = self.run(f"{script}\n{PRINT_ENVIRONMENT}", cwd, **environment)
        assert (result.returncode, result.stderr) == (0, "")
        return dict(json.loads(result.stdout))


def make_clone(root: Path, env_file: str = "") -> Path:
    """Lay a clone's environment script into a new folder, and a file .env."""
    root.mkdir(parents=True)
    shutil.copy2(REPOSITORY / SCRIPT, root)
    if env_file:
        (root / ".env").write_text(env_file)
    return root

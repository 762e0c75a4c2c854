"""The scripts that a user starts, by whatever shell and from wherever: up to the real programs."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.running_clone import REPOSITORY, user_environment

# On macOS sh is a bash in its POSIX mode, on Debian it is dash.
LAUNCHERS = {
    "itself": (),
    "bash": ("bash",),
    "sh": ("sh",),
    "bash as sh": ("bash", "--posix"),
    "zsh": ("zsh",),
}
COMMANDS = {"start_airflow.sh": "up", "zombie_monitor.sh": "zombies"}


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env=user_environment(), capture_output=True, text=True, timeout=240
    )


@pytest.mark.parametrize("launcher", LAUNCHERS.values(), ids=LAUNCHERS)
@pytest.mark.parametrize("script", COMMANDS)
def test_a_script_hands_over_to_its_command_whatever_starts_it(
    tmp_path: Path, launcher: tuple[str, ...], script: str
) -> None:
    if launcher and not shutil.which(launcher[0]):
        pytest.skip(f"{launcher[0]} is not installed")
    result = run(*launcher, REPOSITORY / script, "--help", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert re.search(rf"Usage: ml-pipeline {COMMANDS[script]}\b", result.stdout)


def test_a_command_runs_in_the_clone_s_environment_where_the_caller_is(tmp_path: Path) -> None:
    script = REPOSITORY / "scripts" / "in_environment.sh"
    code = "import os, sys; print(sys.prefix, os.environ['AIRFLOW_HOME'], os.getcwd(), sys.argv[1])"
    result = run(script, "--dev", "python", "-c", code, "two words", cwd=tmp_path)
    expected = f"{REPOSITORY}/.venv {REPOSITORY}/airflow_home {tmp_path} two words\n"
    assert (result.stdout, result.stderr) == (expected, "")
    assert run(script, "sh", "-c", "exit 7", cwd=tmp_path).returncode == 7

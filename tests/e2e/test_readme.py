"""The daily commands of the README, typed one after another as they stand there."""

from __future__ import annotations

import signal
import subprocess

import pytest

from tests.running_clone import DAG_ID, START_SECONDS, Clone, eventually
from tests.unit.docs.documents import commands_of, document

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(500)]
EVERY_DAY = commands_of(
    document("README.md").section("Every day").partition("Without the stack")[0]
)
TRIGGER = f"airflow dags trigger {DAG_ID}"
LASTS_UNTIL_INTERRUPTED = ("ml-pipeline logs scheduler -f", "./zombie_monitor.sh")
SAYS = {
    "./start_airflow.sh --detach": "Already running",
    "ml-pipeline status": "Zombies:   0",
    TRIGGER: "queued",
    "ml-pipeline logs scheduler -f": "scheduler",
    "ml-pipeline restart api-server": "api-server is ready",
    "./zombie_monitor.sh": "clean",
    "ml-pipeline down": "no process is left",
}


def typed(clone: Clone, command: str) -> str:
    """Type a command, and Ctrl-C where it lasts; return what it printed."""
    if command not in LASTS_UNTIL_INTERRUPTED:
        done = clone.sh(command, timeout_seconds=START_SECONDS)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
    return _until_interrupted(clone, command)


def _until_interrupted(clone: Clone, command: str) -> str:
    seen = bytearray()
    with subprocess.Popen(
        ["bash", "-c", f". ./airflow_postgresql_env.sh && exec {command}"],
        cwd=clone.root,
        env=clone.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout
        stdout = process.stdout
        eventually(lambda: seen.extend(stdout.readline()) or SAYS[command].encode() in seen)
        process.send_signal(signal.SIGINT)
        seen.extend(stdout.read())
        assert process.wait(30) == 128 + signal.SIGINT, seen.decode()
    return seen.decode()


def test_every_day_s_commands_are_known_here() -> None:
    assert list(SAYS) == EVERY_DAY


def test_every_day_s_commands_work_in_their_order(clone: Clone) -> None:
    for command in EVERY_DAY:
        published_before = published(clone)
        assert SAYS[command] in typed(clone, command)
        if command == TRIGGER:
            eventually(lambda before=published_before: published(clone) > before)


def published(clone: Clone) -> int:
    """Return how many runs of the DAG have left their results."""
    return len(list(clone.root.glob("results/manual__*/manifest.json")))

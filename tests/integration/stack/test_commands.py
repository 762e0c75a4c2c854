"""The commands that look at a running stack or end it, on real processes of a toy stack."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from typer.testing import CliRunner

from ml_pipeline.cli import app
from ml_pipeline.errors import StackError
from ml_pipeline.ops.project import Project
from tests.integration.stack.toy_stack import FRAIL, ToyStack, eventually

TALKER = "import time\nprint('one', 'two', sep=chr(10), flush=True)\ntime.sleep(1000)\n"
SLEEPER = "import time\ntime.sleep(1000)\n"
BROKEN = "raise SystemExit('no such table')\n"
COMMAND = """
import sys
from pathlib import Path
from ml_pipeline.ops.project import Project
clone = Project(Path(sys.argv.pop(1)))
Project.here = classmethod(lambda cls: clone)
from ml_pipeline.cli import main
main()
"""
Command = Callable[..., Any]


@pytest.fixture(scope="module")
def lasting_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToyStack]:
    root = tmp_path_factory.mktemp("stack") / "a clone with a space"
    launched = ToyStack(root, {"talker": TALKER, "sleeper": SLEEPER})
    try:
        launched.launch()
        launched.start_programs()
        yield launched
    finally:
        launched.end()


@pytest.fixture
def stack(lasting_stack: ToyStack, monkeypatch: pytest.MonkeyPatch) -> ToyStack:
    """A stack of two programs, whose clone the commands take for their own; it goes on."""
    take_for_own(lasting_stack, monkeypatch)
    return lasting_stack


def take_for_own(stack: ToyStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ML_PIPELINE_DATABASE_URL", "postgresql://nobody@localhost/none")
    monkeypatch.setattr(Project, "here", lambda: stack.project)


@pytest.fixture
def nothing(tmp_path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A clone in which nothing was ever started."""
    project = Project(tmp_path)
    monkeypatch.setattr(Project, "here", lambda: project)
    return project


def invoke(*words: str) -> Any:
    return CliRunner().invoke(app, list(words))


def test_status_shows_every_component_and_ends_well_when_all_are_healthy(stack: ToyStack) -> None:
    result = invoke("status")

    assert result.exit_code == 0
    for name in ("talker", "sleeper"):
        (line,) = [line for line in result.output.splitlines() if line.startswith(name)]
        assert line.split()[:4] == [name, "running", "yes", str(stack.pid(name))]
    assert "Zombies:   0    Orphans: 0" in result.output


def test_status_as_json_is_one_document(stack: ToyStack) -> None:
    document = json.loads(invoke("status", "--json").stdout)

    assert document["running"] is True
    assert document["url"] == stack.record.url
    assert {name: each["pid"] for name, each in document["components"].items()} == {
        "talker": stack.pid("talker"),
        "sleeper": stack.pid("sleeper"),
    }
    assert all(each["rss_bytes"] > 1_000_000 for each in document["components"].values())


def test_status_of_a_component_that_was_given_up_says_why_and_ends_badly(
    toy_stack: Callable[..., ToyStack], monkeypatch: pytest.MonkeyPatch
) -> None:
    take_for_own(toy_stack(**{FRAIL: BROKEN}), monkeypatch)

    result = invoke("status")

    assert result.exit_code == 1
    (line,) = [line for line in result.output.splitlines() if line.startswith(FRAIL)]
    assert line.split()[:4] == [FRAIL, "failed", "no", "-"]
    assert f"ml-pipeline restart {FRAIL}" in result.output


def test_restart_of_one_component_leaves_the_other(stack: ToyStack) -> None:
    before = {name: stack.pid(name) for name in ("talker", "sleeper")}

    result = invoke("restart", "talker")

    assert result.exit_code == 0
    assert "talker is ready" in result.output
    assert stack.pid("talker") != before["talker"]
    assert stack.pid("sleeper") == before["sleeper"]


def test_restart_of_all_gives_each_a_new_process(stack: ToyStack) -> None:
    before = {name: stack.pid(name) for name in ("talker", "sleeper")}

    assert invoke("restart").exit_code == 0

    assert all(stack.pid(name) != pid for name, pid in before.items())


def test_restart_of_an_unknown_component_names_those_there_are(stack: ToyStack) -> None:
    error = invoke("restart", "talkr").exception

    assert isinstance(error, StackError)
    assert str(error) == "Got component 'talkr'. Must be one of: sleeper, talker"


def test_restart_of_nothing_says_how_to_start(nothing: Project) -> None:
    assert "./start_airflow.sh" in str(invoke("restart").exception)


def test_logs_of_one_component_are_its_last_lines(stack: ToyStack) -> None:
    eventually(lambda: invoke("logs", "talker", "-n", "1").output == "two\n")


def test_logs_of_all_name_their_component(stack: ToyStack) -> None:
    eventually(lambda: f"{'talker':<14} one\n" in invoke("logs").output)


def test_logs_of_an_unknown_component_name_those_there_are(stack: ToyStack) -> None:
    assert "Must be one of: " in str(invoke("logs", "talkr").exception)


def test_logs_before_the_first_start_say_how_to_start(nothing: Project) -> None:
    assert "./start_airflow.sh" in str(invoke("logs").exception)


def test_followed_logs_show_what_comes_until_interrupted(stack: ToyStack) -> None:
    log = stack.project.logs / "stack" / "sleeper.log"
    with started(stack, "logs", "-f", "-n", "0", "sleeper") as follower:
        # Only what comes after the first look counts as new: write until it was seen.
        seen = ""
        while "late" not in seen:
            assert follower.poll() is None
            with log.open("a") as file:
                file.write("late\n")
            seen = follower.stdout.readline()
        follower.send_signal(signal.SIGINT)
        assert follower.wait(20) == 128 + signal.SIGINT


def test_watching_for_zombies_repeats_its_verdict_until_interrupted(stack: ToyStack) -> None:
    with started(stack, "zombies", "--interval", "0.5") as watcher:
        verdicts = 0
        while verdicts < 2:
            assert watcher.poll() is None
            verdicts += "clean" in watcher.stdout.readline()
        watcher.send_signal(signal.SIGTERM)
        assert watcher.wait(20) == 128 + signal.SIGTERM


def test_zombies_once_as_json_finds_none_in_a_healthy_stack(stack: ToyStack) -> None:
    result = invoke("zombies", "--once", "--json")

    assert (result.exit_code, json.loads(result.stdout)) == (0, {"found": []})


def test_zombies_once_finds_a_stopped_component(stack: ToyStack) -> None:
    os.kill(stack.pid("sleeper"), signal.SIGSTOP)
    try:
        result = invoke("zombies", "--once", "--json")
    finally:
        os.kill(stack.pid("sleeper"), signal.SIGCONT)

    (found,) = json.loads(result.stdout)["found"]
    assert result.exit_code == 1
    assert (found["trouble"], found["pid"]) == ("stopped", stack.pid("sleeper"))


def test_zombies_as_json_needs_once(stack: ToyStack) -> None:
    assert invoke("zombies", "--json").exit_code == 2


def test_down_leaves_no_process_and_can_be_repeated(
    toy_stack: Callable[..., ToyStack], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = toy_stack(sleeper=SLEEPER)
    take_for_own(stack, monkeypatch)
    assert stack.left()

    first, second = invoke("down"), invoke("down")

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert stack.left() == []
    assert "Stopped; no process is left" in first.output
    assert "Nothing was running." in second.output


@contextmanager
def started(stack: ToyStack, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Start a command as a process of its own, in the toy stack's clone; it ends with the block."""
    root = stack.project.root
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(root), *words],
        stdout=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "ML_PIPELINE_HOME": str(root),
            "AIRFLOW_HOME": str(stack.project.airflow_home),
        },
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()

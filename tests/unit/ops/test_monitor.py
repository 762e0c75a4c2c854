"""The monitor's ladder, replayed with a clock of its own on real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import psutil
import pytest

from ml_pipeline.ops.inspection import Failure, Finding, Trouble
from ml_pipeline.ops.monitor import (
    GRACE_SECONDS,
    INTERRUPTS,
    RUNG_SECONDS,
    START_SECONDS,
    STARTS_REMEMBERED_SECONDS,
    Monitor,
    reaping_capability,
)
from ml_pipeline.ops.monitor_beat import MONITOR


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def zombie() -> Iterator[Finding]:
    """A real zombie whose parent, a Python that does not wait, reports each SIGCHLD it gets."""
    source = (
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGCHLD, lambda *_: None)\n"
        "pid = os.fork()\n"
        "os._exit(0) if pid == 0 else None\n"
        "print(pid, flush=True)\n"
        "time.sleep(0.2)\n"
        "signal.signal(signal.SIGCHLD, lambda *_: print('told', flush=True))\n"
        "print('ready', flush=True)\n"
        "while True: time.sleep(1)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    pid = int(parent.stdout.readline())
    assert parent.stdout.readline() == "ready\n"
    process = psutil.Process(pid)
    assert process.status() == psutil.STATUS_ZOMBIE
    finding = Finding(Trouble.ZOMBIE, pid, process.create_time(), "python", parent.pid, "scheduler")
    finding_parent[finding.pid] = parent
    with parent:
        yield finding
        parent.kill()


finding_parent: dict[int, subprocess.Popen[str]] = {}


class Replay:
    """A monitor that sees `findings`, at a time that the test sets.

    The processes had lived for `lived_seconds` when it first looked.
    """

    def __init__(self, *findings: Finding, lived_seconds: float = 1000.0) -> None:
        self.findings = list(findings)
        self.time = 1000.0
        first_look_at = max((each.created_at for each in findings), default=0.0) + lived_seconds
        self.killed: list[str] = []
        self.started: list[str] = []
        self.monitor = Monitor(
            inspect=lambda: self.findings,
            kill_component=self.killed.append,
            start_component=self.started.append,
            now=lambda: self.time,
            wall_clock=lambda: first_look_at + self.time - 1000.0,
        )

    def heal_for(self, seconds: float) -> None:
        """Heal every five seconds, as in the stack."""
        end = self.time + seconds
        while self.time <= end:
            self.monitor.heal()
            self.time += self.monitor.interval_seconds


def finding_of(process: subprocess.Popen[bytes], trouble: Trouble, component: str = "") -> Finding:
    created_at = psutil.Process(process.pid).create_time()
    return Finding(trouble, process.pid, created_at, "python", os.getpid(), component)


def test_orphan_when_younger_than_its_grace_is_left_alone(
    sleeper: subprocess.Popen[bytes],
) -> None:
    replay = Replay(finding_of(sleeper, Trouble.ORPHAN))
    replay.heal_for(GRACE_SECONDS[Trouble.ORPHAN] - 5)
    assert sleeper.poll() is None


def test_orphan_when_it_outlasts_its_grace_is_ended(sleeper: subprocess.Popen[bytes]) -> None:
    replay = Replay(finding_of(sleeper, Trouble.ORPHAN))
    replay.heal_for(GRACE_SECONDS[Trouble.ORPHAN])
    assert sleeper.wait(5) == -signal.SIGTERM


def test_orphan_when_it_ignores_term_is_killed() -> None:
    source = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); "
    command = [sys.executable, "-c", source + "time.sleep(100)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as deaf:
        assert deaf.stdout
        assert deaf.stdout.readline()
        replay = Replay(finding_of(deaf, Trouble.ORPHAN))
        replay.heal_for(GRACE_SECONDS[Trouble.ORPHAN] + RUNG_SECONDS + 5)
        assert deaf.wait(5) == -signal.SIGKILL


def test_pid_when_used_again_is_never_signalled(sleeper: subprocess.Popen[bytes]) -> None:
    finding = finding_of(sleeper, Trouble.ORPHAN)
    replay = Replay(replace(finding, created_at=finding.created_at - 100))
    replay.heal_for(100)
    with pytest.raises(subprocess.TimeoutExpired):
        sleeper.wait(1)


def test_stopped_process_when_it_outlasts_its_grace_is_killed(
    sleeper: subprocess.Popen[bytes],
) -> None:
    sleeper.send_signal(signal.SIGSTOP)
    replay = Replay(finding_of(sleeper, Trouble.STOPPED, "scheduler"))
    replay.heal_for(GRACE_SECONDS[Trouble.STOPPED])
    assert sleeper.wait(5) == -signal.SIGKILL


def test_zombie_when_its_parent_does_not_wait_gets_sigchld_then_a_restart(zombie: Finding) -> None:
    replay = Replay(zombie)
    replay.heal_for(GRACE_SECONDS[Trouble.ZOMBIE])
    parent = finding_parent[zombie.pid]
    assert parent.stdout and parent.stdout.readline() == "told\n"
    assert replay.killed == []
    replay.heal_for(RUNG_SECONDS)
    assert replay.killed == ["scheduler"]


def test_zombie_when_no_component_owns_its_parent_is_left_to_who_adopts_it(
    zombie: Finding,
) -> None:
    replay = Replay(replace(zombie, component=""))
    replay.heal_for(10 * GRACE_SECONDS[Trouble.ZOMBIE])
    assert replay.killed == []
    parent = finding_parent[zombie.pid]
    parent.kill()
    assert parent.stdout and parent.stdout.read() == ""


def test_silent_component_when_it_outlasts_its_grace_is_restarted(
    sleeper: subprocess.Popen[bytes],
) -> None:
    replay = Replay(finding_of(sleeper, Trouble.SILENT, "scheduler"))
    replay.heal_for(GRACE_SECONDS[Trouble.SILENT] - 5)
    assert replay.killed == []
    replay.heal_for(5)
    assert replay.killed == ["scheduler"]


def test_silent_component_when_it_is_still_starting_gets_a_start_s_time(
    sleeper: subprocess.Popen[bytes],
) -> None:
    replay = Replay(finding_of(sleeper, Trouble.SILENT, "api-server"), lived_seconds=30)
    replay.heal_for(START_SECONDS - 30 - 5)
    assert replay.killed == []
    replay.heal_for(5)
    assert replay.killed == ["api-server"]


def test_trouble_when_it_goes_away_and_comes_back_gets_a_new_grace(
    sleeper: subprocess.Popen[bytes],
) -> None:
    finding = finding_of(sleeper, Trouble.SILENT, "scheduler")
    replay = Replay(finding)
    replay.heal_for(GRACE_SECONDS[Trouble.SILENT] - 5)
    replay.findings = []
    replay.heal_for(0)
    replay.findings = [finding]
    replay.heal_for(5)
    assert replay.killed == []


def test_trouble_when_the_machine_slept_gets_a_new_grace(sleeper: subprocess.Popen[bytes]) -> None:
    replay = Replay(finding_of(sleeper, Trouble.SILENT, "scheduler"))
    replay.heal_for(10)
    replay.time += 3600  # the lid was closed
    replay.heal_for(5)
    assert replay.killed == []


def test_monitor_when_it_finds_itself_does_nothing() -> None:
    created_at = psutil.Process().create_time()
    own = Finding(Trouble.STOPPED, os.getpid(), created_at, "python", 1, MONITOR)
    Replay(own).heal_for(100)


@pytest.mark.parametrize(
    ("platform", "has_stack", "expected"),
    [
        ("linux", True, "adopts and reaps"),
        ("linux", False, "nothing to adopt"),
        ("darwin", True, "launchd reaps"),
    ],
)
def test_capability_at_start_says_who_reaps(platform: str, has_stack: bool, expected: str) -> None:
    assert expected in reaping_capability(platform, has_stack)


def test_closing_database_is_interrupted_and_after_a_minute_killed() -> None:
    source = (
        "import signal, time\n"
        "signal.signal(signal.SIGINT, lambda *_: print('told', flush=True))\n"
        "print('ready', flush=True)\n"
        "while True: time.sleep(1)\n"
    )
    command = [sys.executable, "-c", source]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout and server.stdout.readline() == b"ready\n"
        replay = Replay(finding_of(server, Trouble.CLOSING, "postgres"))
        replay.heal_for(GRACE_SECONDS[Trouble.CLOSING])
        assert server.stdout.readline() == b"told\n"
        replay.heal_for((INTERRUPTS - 1) * RUNG_SECONDS - 5)
        assert server.poll() is None
        replay.heal_for(2 * RUNG_SECONDS)
        assert server.wait(5) == -signal.SIGKILL


def test_failed_component_is_started_after_its_grace_and_then_ever_more_rarely() -> None:
    def fails(ended_at: float) -> Failure:
        return Failure(Trouble.FAILED, 0, ended_at, "scheduler", 0, "scheduler")

    grace = GRACE_SECONDS[Trouble.FAILED]
    replay = Replay(fails(1.0))
    replay.heal_for(grace - 5)
    assert replay.started == []
    replay.heal_for(5)
    assert replay.started == ["scheduler"]
    replay.findings = [fails(2.0)]  # in vain
    replay.heal_for(2 * grace - 5)
    assert replay.started == ["scheduler"]
    replay.heal_for(5)
    assert replay.started == ["scheduler"] * 2
    replay.findings = []
    replay.time += 2 * STARTS_REMEMBERED_SECONDS
    replay.heal_for(0)
    replay.findings = [fails(3.0)]
    replay.heal_for(grace + 5)
    assert replay.started == ["scheduler"] * 3

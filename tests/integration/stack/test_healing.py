"""The monitor's promises on a real stack: real zombies, orphans and hangs, and a real neighbour."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

import psutil
import pytest

from ml_pipeline.ops import stack
from ml_pipeline.ops.inspection import Finding, Trouble, failure_of, find_lost, lasting
from ml_pipeline.ops.monitor import GRACE_SECONDS, RUNG_SECONDS, Monitor
from ml_pipeline.ops.monitor_beat import MONITOR, is_fresh, last_beat
from tests.integration.stack.toy_stack import FRAIL, ToyStack, eventually

Launch = Callable[..., ToyStack]
linux_only = pytest.mark.skipif(
    sys.platform != "linux", reason="needs Linux: launchd reaps on macOS"
)

NEVER_WAITS = """
    import os, signal, time
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if os.fork() == 0:
        os._exit(0)
    while True:
        time.sleep(1)
"""
WAITS_WHEN_TOLD = """
    import os, signal, time
    if os.fork() == 0:
        os._exit(0)
    time.sleep(0.5)
    signal.signal(signal.SIGCHLD, lambda *_: os.waitpid(-1, os.WNOHANG))
    while True:
        time.sleep(1)
"""
WAITS_LATE = """
    import os, time
    from pathlib import Path
    while True:
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        time.sleep(0.3)
        os.waitpid(pid, 0)
        Path(__file__).with_suffix(".waited").touch()
"""
LEAVES_AN_ORPHAN = """
    import os, signal, time
    from pathlib import Path
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, {handler})
            Path(__file__).with_suffix(".orphan").write_text(str(os.getpid()))
            time.sleep(1000)
        os._exit(0)
    os.wait()
    time.sleep(1000)
"""
WILLING_ORPHAN = LEAVES_AN_ORPHAN.format(handler="signal.SIG_DFL")
DEAF_ORPHAN = LEAVES_AN_ORPHAN.format(handler="signal.SIG_IGN")
BEATS = """
    import os, time
    from pathlib import Path
    from ml_pipeline.ops.monitor_beat import Pulse
    from ml_pipeline.ops.project import Project
    pulse = Pulse(Project(Path(os.environ["ML_PIPELINE_HOME"])))
    while True:
        pulse.beat()
        time.sleep(0.1)
"""
NEEDS_A_FILE = """
    import time
    from pathlib import Path
    assert Path(__file__).with_suffix(".needed").exists()
    time.sleep(1000)
"""


PATIENCE_SECONDS = 3.0  # the keeper's, as toy_stack.py sets it


class Healer:
    """The monitor of a toy stack, with a clock that the test winds."""

    def __init__(self, toy: ToyStack, look: Callable[[], list[Finding]] | None = None) -> None:
        self._time = 1000.0
        self.monitor = Monitor(
            inspect=look or (lambda: find_lost(toy.project)),
            kill_component=lambda name: stack.kill_component(toy.project, name),
            start_component=lambda name: stack.start_component(toy.project, name),
            now=lambda: self._time,
        )

    def heal_after(self, seconds: float) -> None:
        """Look, let time pass by the clock, and heal what is due."""
        self.monitor.heal()
        steps = int(seconds // self.monitor.interval_seconds)
        for _ in range(steps):
            self._time += self.monitor.interval_seconds
            self.monitor.heal()


def await_trouble(toy: ToyStack, trouble: Trouble) -> Finding:
    def look() -> list[Finding]:
        return [each for each in find_lost(toy.project) if each.trouble is trouble]

    eventually(lambda: lasting(look))
    [finding] = look()
    return finding


def orphan_of(toy: ToyStack, name: str) -> psutil.Process:
    file = toy.project.root / f"{name}.orphan"
    eventually(lambda: file.exists() and file.read_text())
    return psutil.Process(int(file.read_text()))


def has_ended(process: psutil.Process) -> bool:
    """Whether it does nothing any more, waited for or not."""
    with suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_ZOMBIE
    return True


def test_zombie_when_its_parent_waits_on_sigchld_is_cleared_and_nothing_restarted(
    toy_stack: Launch, caplog: pytest.LogCaptureFixture
) -> None:
    toy = toy_stack(parent=WAITS_WHEN_TOLD)
    zombie = await_trouble(toy, Trouble.ZOMBIE)
    parent = toy.pid("parent")
    with caplog.at_level(logging.WARNING):
        Healer(toy).heal_after(GRACE_SECONDS[Trouble.ZOMBIE])
    eventually(lambda: not psutil.pid_exists(zombie.pid))
    assert toy.pid("parent") == parent
    [step] = [record.getMessage() for record in caplog.records]
    assert f"pid {zombie.pid} " in step
    assert f"started {zombie.created_at:.2f}, parent {parent}, of parent" in step
    assert step.endswith(f"sending SIGCHLD to its parent {parent}")


def test_zombie_when_its_parent_never_waits_costs_the_component_a_restart(
    toy_stack: Launch,
) -> None:
    toy = toy_stack(parent=NEVER_WAITS)
    zombie = await_trouble(toy, Trouble.ZOMBIE)
    assert zombie.component == "parent"
    before = toy.pid("parent")
    Healer(toy).heal_after(GRACE_SECONDS[Trouble.ZOMBIE] + RUNG_SECONDS)
    eventually(lambda: zombie.process() is None)
    eventually(lambda: toy.supervisor.programs()["parent"].pid not in {None, before})


def test_zombie_when_its_parent_waits_a_moment_later_is_none(toy_stack: Launch) -> None:
    toy = toy_stack(parent=WAITS_LATE)
    eventually((toy.project.root / "parent.waited").exists)
    eventually(lambda: find_lost(toy.project))  # one look alone finds it
    assert lasting(lambda: find_lost(toy.project)) == []


@linux_only
@pytest.mark.parametrize("source", [WILLING_ORPHAN, DEAF_ORPHAN])
def test_orphan_when_it_outlasts_its_grace_is_ended_and_reaped(
    toy_stack: Launch, source: str
) -> None:
    toy = toy_stack(parent=source)
    orphan = orphan_of(toy, "parent")
    await_trouble(toy, Trouble.ORPHAN)
    Healer(toy).heal_after(GRACE_SECONDS[Trouble.ORPHAN] + RUNG_SECONDS)
    eventually(lambda: has_ended(orphan))
    eventually(lambda: find_lost(toy.project) == [])


def test_neighbour_when_another_stack_is_healed_keeps_its_zombie_and_its_orphan(
    toy_stack: Launch,
) -> None:
    neighbour = toy_stack("another clone", parent=DEAF_ORPHAN, idle=NEVER_WAITS)
    ours = toy_stack(parent=NEVER_WAITS)
    theirs = [orphan_of(neighbour, "parent"), *map(psutil.Process, pids(neighbour))]
    foreign_zombie = await_trouble(neighbour, Trouble.ZOMBIE)
    await_trouble(ours, Trouble.ZOMBIE)
    Healer(ours).heal_after(200)
    assert all(process.is_running() for process in theirs)
    assert foreign_zombie.process() is not None
    assert {finding.pid for finding in find_lost(ours.project)}.isdisjoint(
        {foreign_zombie.pid, *(process.pid for process in theirs)}
    )


@linux_only
def test_neighbour_when_our_keeper_was_killed_outlives_the_clearing_of_what_is_left(
    toy_stack: Launch,
) -> None:
    neighbour = toy_stack("another clone", parent=DEAF_ORPHAN)
    theirs = [orphan_of(neighbour, "parent"), *map(psutil.Process, pids(neighbour))]
    ours = toy_stack(parent=DEAF_ORPHAN)
    orphan = orphan_of(ours, "parent")
    ours.keeper.kill()
    ours.keeper.wait()
    stack.clear_leftovers(ours.project)
    assert has_ended(orphan)
    assert ours.left() == []
    assert all(process.is_running() for process in theirs)


def test_monitor_when_it_hangs_is_killed_by_the_keeper_and_started_again(
    toy_stack: Launch,
) -> None:
    toy = toy_stack(**{MONITOR: BEATS})
    before = psutil.Process(toy.pid(MONITOR))
    eventually(lambda: is_fresh(toy.project, before.pid))
    before.send_signal(signal.SIGSTOP)
    eventually(lambda: has_ended(before))
    eventually(lambda: is_fresh(toy.project, toy.supervisor.programs()[MONITOR].pid))
    assert "gives no sign of life" in (toy.project.logs / "stack" / "keeper.log").read_text()


def test_monitor_when_it_gives_signs_of_life_is_left_alone(toy_stack: Launch) -> None:
    toy = toy_stack(**{MONITOR: BEATS})
    eventually(lambda: is_fresh(toy.project, toy.pid(MONITOR)))
    first = last_beat(toy.project)
    assert first
    eventually(lambda: (last_beat(toy.project) or first).at > first.at + 2 * PATIENCE_SECONDS)
    last = last_beat(toy.project)
    assert last
    assert (last.pid, last.start) == (first.pid, first.start)


def test_component_when_supervisord_gave_it_up_is_started_again(toy_stack: Launch) -> None:
    toy = toy_stack(**{FRAIL: NEEDS_A_FILE})
    assert toy.supervisor.programs()[FRAIL].state == "failed"
    [explanation] = stack.explain_failures(toy.project)
    assert "frail keeps failing" in explanation
    assert "AssertionError" in explanation
    assert "ml-pipeline restart frail" in explanation
    (toy.project.root / f"{FRAIL}.needed").touch()
    healer = Healer(toy, lambda: given_up(toy))
    healer.heal_after(GRACE_SECONDS[Trouble.FAILED])
    eventually(lambda: toy.supervisor.programs()[FRAIL].state == "running")


def pids(toy: ToyStack) -> list[int]:
    return [program.pid for program in toy.supervisor.programs().values() if program.pid]


def given_up(toy: ToyStack) -> list[Finding]:
    programs = toy.supervisor.programs().values()
    return [failure_of(program) for program in programs if program.state == "failed"]

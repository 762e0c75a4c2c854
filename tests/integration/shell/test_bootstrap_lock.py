"""One bootstrap at a time, and one that may be interrupted or killed at any time."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.integration.shell.small_clone import SmallClone
from tests.running_clone import eventually

# Prints when it is inside, and stays there until its standard input ends.
STAY_INSIDE = """
LOCK=$1/lock
begin_alone
echo "$$ in"
read -r _ || :
echo "$$ out"
end_alone
"""
# Counts one further, slowly enough that two at a time would lose a count.
COUNT = """
LOCK=$1/lock
begin_alone
count=$(cat "$1/count")
sleep 0.05
echo $((count + 1)) >"$1/count"
end_alone
"""
# Where there is no /proc, as on macOS, ps tells when a process started.
CLOCKS = {"proc": "", "ps": 'identity() { identity_by_ps "$1"; }\n'}
LONG_AGO = {"proc": "1", "ps": "Jan-1-00:00:00-1970"}
SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]

clocks = pytest.mark.parametrize("clock", CLOCKS)


def enter(clone: SmallClone, clock: str = "proc") -> subprocess.Popen[str]:
    """Start a process, and return it once it has the lock."""
    process = clone.start(CLOCKS[clock] + STAY_INSIDE)
    assert process.stdout and process.stdout.readline() == f"{process.pid} in\n"
    return process


def child_named(name: str, process: subprocess.Popen[str]) -> psutil.Process | None:
    """Return the program of that name that a shell waits for, if it is there."""
    for child in psutil.Process(process.pid).children():
        with suppress(psutil.NoSuchProcess):  # it may just have ended
            if child.name() == name:
                return child
    return None


@clocks
def test_a_second_waits_until_the_first_is_done(new_clone: SmallClone, clock: str) -> None:
    with enter(new_clone, clock) as first, new_clone.start(CLOCKS[clock] + STAY_INSIDE) as second:
        eventually(lambda: child_named("sleep", second))
        first.communicate()
        stdout, stderr = second.communicate(timeout=60)
    assert stdout == f"{second.pid} in\n{second.pid} out\n"
    assert stderr == f"Process {first.pid} is setting up this folder: waiting for it …\n"
    assert not (new_clone.root / "lock").is_symlink()


@pytest.mark.parametrize("number", SIGNALS)
def test_who_waits_can_be_interrupted_and_leaves_the_other_s_lock(
    new_clone: SmallClone, number: signal.Signals
) -> None:
    with enter(new_clone) as first, new_clone.start(STAY_INSIDE) as second:
        eventually(lambda: child_named("sleep", second))
        second.send_signal(number)
        second.communicate(timeout=60)
        assert second.returncode == 128 + number
        assert (new_clone.root / "lock").readlink().name.startswith(f"{first.pid}@")


@clocks
def test_a_killed_owner_s_lock_is_taken_over_even_before_its_parent_knows(
    new_clone: SmallClone, clock: str
) -> None:
    with enter(new_clone, clock) as first:
        first.kill()
        eventually(lambda: psutil.Process(first.pid).status() == psutil.STATUS_ZOMBIE)
        result = new_clone.run(CLOCKS[clock] + STAY_INSIDE)
    assert (result.stdout.count("out"), result.stderr) == (1, "")


@clocks
def test_a_dead_owner_s_lock_is_taken_over_though_its_number_is_used_again(
    new_clone: SmallClone, clock: str
) -> None:
    (new_clone.root / "lock").symlink_to(f"{os.getpid()}@{LONG_AGO[clock]}")
    result = new_clone.run(CLOCKS[clock] + STAY_INSIDE)
    assert (result.stdout.count("out"), result.stderr) == (1, "")


def test_a_lock_that_cannot_be_made_is_told_and_not_tried_for_ever(new_clone: SmallClone) -> None:
    result = new_clone.run("LOCK=$1/missing/lock; begin_alone")
    assert result.returncode == 1
    assert result.stderr.startswith("Error: ") and "No such file or directory" in result.stderr


@pytest.mark.parametrize("is_being_removed", [False, True])
def test_many_at_once_and_a_dead_owner_s_lock_lose_no_turn(
    new_clone: SmallClone, is_being_removed: bool
) -> None:
    dead = "999999999@1"
    (new_clone.root / "count").write_text("0")
    (new_clone.root / "lock").symlink_to(dead)
    if is_being_removed:  # by one that died at it
        (new_clone.root / f"lock.{dead}").symlink_to("999999998@1")
    processes = [new_clone.start(COUNT) for _ in range(6)]
    for process in processes:
        process.communicate(timeout=60)
    assert (new_clone.root / "count").read_text() == "6\n"
    assert [path.name for path in new_clone.root.glob("lock*")] == []


@pytest.mark.parametrize("number", SIGNALS)
def test_an_interrupted_bootstrap_leaves_nothing_running_and_nothing_locked(
    new_clone: SmallClone,
    python: Path,
    uv: Path,
    silent_network: dict[str, str],
    number: signal.Signals,
) -> None:
    with new_clone.start('bootstrap "$1"', python, uv, **silent_network) as first:
        eventually(lambda: child_named("uv", first))
        installer = child_named("uv", first)
        first.send_signal(number)
        _, stderr = first.communicate(timeout=60)
    assert first.returncode == 128 + number
    assert stderr.endswith("Interrupted; the next start goes on from here.\n")
    assert installer and not installer.is_running()
    assert not new_clone.lock.is_symlink() and not new_clone.stamp.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_bootstrap_that_was_stopped_is_resumed(
    new_clone: SmallClone,
    python: Path,
    uv: Path,
    silent_network: dict[str, str],
    number: signal.Signals,
) -> None:
    with new_clone.start('bootstrap "$1"', python, uv, **silent_network) as first:
        eventually(lambda: child_named("uv", first))
        installer = child_named("uv", first)
        first.send_signal(number)
        first.wait(timeout=60)
        if installer and number == signal.SIGKILL:
            installer.kill()
    result = new_clone.bootstrap(python, uv)
    assert (result.returncode, "waiting" in result.stderr) == (0, False)
    assert new_clone.stamp.exists() and not new_clone.lock.is_symlink()

"""The keeper's promises, with real processes and real signals."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

import psutil
import pytest

from ml_pipeline.ops import stack_record
from tests.integration.stack.toy_stack import DETACH, FRAIL, ToyStack, eventually

NEEDS_A_FILE = """
    import time
    from pathlib import Path
    assert Path(__file__).with_suffix(".needed").exists()
    time.sleep(1000)
"""
SLEEPER = "import time\ntime.sleep(1000)\n"
DEAF = """
    import signal, time
    from pathlib import Path
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(__file__).with_suffix(".deaf").touch()
    time.sleep(1000)
"""
LEAVES_A_DEAF_ORPHAN = """
    import os, signal, time
    from pathlib import Path
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            Path(__file__).with_suffix(".orphan").write_text(str(os.getpid()))
            time.sleep(1000)
        os._exit(0)
    os.wait()
    time.sleep(1000)
"""
LEAVES_A_DYING_ORPHAN = """
    import os, time
    from pathlib import Path
    if os.fork() == 0:
        if os.fork() == 0:
            Path(__file__).with_suffix(".orphan").write_text(str(os.getpid()))
            time.sleep(0.5)
        os._exit(0)
    os.wait()
    time.sleep(1000)
"""
linux_only = pytest.mark.skipif(
    sys.platform != "linux", reason="needs Linux: launchd reaps on macOS"
)
Launch = Callable[..., ToyStack]


def orphan_of(stack: ToyStack, name: str) -> int:
    file = stack.project.root / f"{name}.orphan"
    eventually(lambda: file.exists() and file.read_text())
    return int(file.read_text())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_keeper_when_signalled_stops_everything_and_exits_by_that_signal(
    toy_stack: Launch, number: signal.Signals
) -> None:
    stack = toy_stack(sleeper=SLEEPER)
    stack.keeper.send_signal(number)
    assert stack.keeper.wait(30) == 128 + number
    assert stack.left() == []
    assert stack_record.read(stack.project) is None
    assert not stack_record.is_locked(stack.project)


def test_keeper_when_up_dies_stops_everything(toy_stack: Launch) -> None:
    stack = toy_stack(sleeper=SLEEPER)
    stack.drop_lifeline()
    stack.keeper.wait(30)
    assert stack.left() == []


def test_keeper_when_detached_outlives_up_and_holds_the_lock(toy_stack: Launch) -> None:
    stack = toy_stack(sleeper=SLEEPER)
    before = stack.pid("sleeper")
    stack.drop_lifeline(DETACH)
    os.kill(stack.pid("sleeper"), signal.SIGKILL)  # something to do, which shows that it lives
    eventually(lambda: stack.supervisor.programs()["sleeper"].pid not in {None, before})
    assert stack.keeper.poll() is None
    assert stack_record.is_locked(stack.project)


def test_stop_when_a_component_ignores_term_kills_it(toy_stack: Launch) -> None:
    stack = toy_stack(deaf=DEAF)
    eventually((stack.project.root / "deaf.deaf").exists)
    deaf = psutil.Process(stack.pid("deaf"))
    stack.keeper.terminate()
    stack.keeper.wait(30)
    assert not deaf.is_running()
    assert stack.left() == []


@linux_only
def test_stop_when_an_orphan_ignores_term_kills_and_reaps_it(toy_stack: Launch) -> None:
    stack = toy_stack(parent=LEAVES_A_DEAF_ORPHAN)
    orphan = psutil.Process(orphan_of(stack, "parent"))
    eventually(lambda: orphan.ppid() == stack.keeper.pid)
    stack.keeper.terminate()
    stack.keeper.wait(30)
    assert not orphan.is_running()


@linux_only
def test_keeper_when_an_adopted_orphan_ends_reaps_it(toy_stack: Launch) -> None:
    stack = toy_stack(parent=LEAVES_A_DYING_ORPHAN)
    orphan = orphan_of(stack, "parent")
    eventually(lambda: not psutil.pid_exists(orphan), within_seconds=5)
    log = stack.project.logs / "stack" / "keeper.log"
    eventually(lambda: f"reaped an adopted process: pid {orphan}" in log.read_text())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_keeper_when_supervisord_is_signalled_clears_the_tree_and_starts_it_again(
    toy_stack: Launch, number: signal.Signals
) -> None:
    stack = toy_stack(sleeper=SLEEPER, deaf=DEAF)
    old = [psutil.Process(stack.pid(name)) for name in ("sleeper", "deaf")]
    os.kill(stack.supervisor.pid(), number)
    eventually(lambda: not any(process.is_running() for process in old))
    eventually(stack.supervisor.is_reachable)
    eventually(lambda: stack.supervisor.programs()["sleeper"].state == "running")
    eventually(lambda: stack.supervisor.programs()["deaf"].state == "running")


def test_keeper_when_a_component_keeps_failing_leaves_the_others_alone_and_tries_again(
    toy_stack: Launch,
) -> None:
    stack = toy_stack(sleeper=SLEEPER, **{FRAIL: NEEDS_A_FILE})
    os.kill(stack.supervisor.pid(), signal.SIGKILL)
    log = stack.project.logs / "stack" / "keeper.log"
    eventually(lambda: "frail keeps failing" in log.read_text())
    supervisord, sleeper = stack.supervisor.pid(), stack.pid("sleeper")
    (stack.project.root / f"{FRAIL}.needed").touch()
    eventually(lambda: "every component is ready again" in log.read_text())
    assert (stack.supervisor.pid(), stack.pid("sleeper")) == (supervisord, sleeper)
    assert stack.supervisor.programs()[FRAIL].state == "running"


@linux_only
def test_stack_when_the_keeper_is_killed_ends_by_itself(toy_stack: Launch) -> None:
    stack = toy_stack(sleeper=SLEEPER, deaf=DEAF)
    stack.keeper.kill()
    stack.keeper.wait()
    eventually(lambda: stack.left() == [])
    assert not stack_record.is_locked(stack.project)


def test_keeper_when_stopped_while_supervisord_hangs_ends_everything(toy_stack: Launch) -> None:
    stack = toy_stack(sleeper=SLEEPER)
    os.kill(stack.supervisor.pid(), signal.SIGSTOP)
    stack.keeper.terminate()
    stack.keeper.wait(60)
    assert stack.left() == []

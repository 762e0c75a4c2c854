"""What supervisord says of components, with a real one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from tests.integration.stack.toy_stack import ToyStack, eventually

Launch = Callable[..., ToyStack]


def test_component_that_has_just_died_is_starting_and_not_failed(toy_stack: Launch) -> None:
    stack = toy_stack(sleeper="import time\ntime.sleep(1000)\n")
    seen = set()
    for _ in range(10):
        old = stack.pid("sleeper")
        os.kill(old, signal.SIGKILL)

        def is_back() -> bool:
            program = stack.supervisor.programs()["sleeper"]
            seen.add(program.state)
            return program.pid not in {None, old}  # noqa: B023

        eventually(is_back)
    assert "failed" not in seen

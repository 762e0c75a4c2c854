from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.stack.toy_stack import ToyStack


@pytest.fixture
def toy_stack(tmp_path: Path) -> Iterator[Callable[..., ToyStack]]:
    """Return a function that launches a stack of the given programs; all of it ends afterwards."""
    stacks: list[ToyStack] = []

    def launch(folder: str = "a clone with a space", **programs: str) -> ToyStack:
        stack = ToyStack(tmp_path / folder, programs)
        stacks.append(stack)
        stack.launch()
        stack.start_programs()
        return stack

    yield launch
    for stack in stacks:
        stack.end()

"""Progress that a person can follow: live on a terminal, plain lines in a pipe or in CI."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

Tell = Callable[[str], None]


class Progress:
    """Shows what goes on, step by step.

    Parameters
    ----------
    console
        Where to; a console on stderr keeps stdout for the result.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        is_unicode = self.console.encoding.lower().startswith("utf")
        self._done, self._failed, self._begun = ("✓", "✗", "…") if is_unicode else ("+", "x", "-")

    def say(self, text: str = "", style: str = "") -> None:
        """Print a line as it is: nothing wrapped, so that paths can be copied."""
        self.console.print(Text(text, style=style), soft_wrap=True)

    def done(self, text: str, seconds: float | None = None) -> None:
        """Tell that something has ended well."""
        self._mark(self._done, "green", text, seconds)

    def failed(self, text: str, seconds: float | None = None) -> None:
        """Tell that something has failed."""
        self._mark(self._failed, "red", text, seconds)

    def begun(self, text: str) -> None:
        """Tell that something has begun."""
        self._mark(self._begun, "dim", text, None)

    @contextmanager
    def step(self, doing: str, done: str) -> Iterator[None]:
        """Show `doing` for as long as the block lasts, then `done` and its seconds."""
        started_at = time.monotonic()
        with self.activity(doing):
            yield
        self.done(done, time.monotonic() - started_at)

    @contextmanager
    def activity(self, doing: str) -> Iterator[Tell]:
        """Show that something lasts, without an end of its own; yield what tells its next part."""
        if not self.console.is_terminal:
            self.begun(doing)
            yield self.begun
            return
        with self.console.status(Text(doing)) as status:
            yield lambda text: status.update(Text(text))

    def _mark(self, mark: str, style: str, text: str, seconds: float | None) -> None:
        line = Text(f"{mark} ", style=style).append(text, style="default")
        if seconds is not None:
            line.append(f"  {seconds:.1f} s", style="dim")
        self.console.print(line, soft_wrap=True)

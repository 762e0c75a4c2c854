"""What a fault is: it may be prepared, it strikes, and it is over at some time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tests.running_clone import Clone


class FaultUnavailableError(Exception):
    """This machine cannot make the fault; the message says why."""


@dataclass(frozen=True)
class Struck:
    """A fault that has struck.

    Parameters
    ----------
    is_over
        Tells whether nothing of it is left, say a stopped process.
    seconds_to_end
        How long it took until nothing was left of the stack, where that is what it does.
    """

    is_over: Callable[[], bool] = lambda: True
    seconds_to_end: float | None = None


class Fault(Protocol):
    """Something that happens to a running stack."""

    @property
    def name(self) -> str:
        """What a table shows."""

    def prepare(self, clone: Clone) -> None:
        """Do what has to be done before runs are under way."""

    def strike(self, clone: Clone) -> Struck:
        """Strike while they are under way; return when the fault has no more to do."""

    def restore(self, clone: Clone) -> None:
        """Undo what `prepare` did, whatever happened."""


class Unprepared:
    """A fault without preparation."""

    def prepare(self, clone: Clone) -> None:
        """Do nothing."""

    def restore(self, clone: Clone) -> None:
        """Do nothing."""

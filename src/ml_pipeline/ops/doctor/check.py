"""One line of the doctor's report."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """What was looked at, what is there, and what to do.

    Parameters
    ----------
    remedy
        Empty when all is well.
    """

    name: str
    found: str
    remedy: str = ""

    @property
    def is_fine(self) -> bool:
        """Whether nothing is to be done."""
        return not self.remedy

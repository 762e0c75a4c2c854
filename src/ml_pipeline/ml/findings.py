"""What validation finds odd: each finding goes into the report, and into the log as a warning."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

log = logging.getLogger(__name__)

MOST_ROWS = 10
MOST_NAMED = 8


@dataclass
class Findings:
    """What is odd about the data at a location, as plain JSON in `found`."""

    location: str
    found: list[dict[str, Any]] = field(default_factory=list)

    def warn(self, column: str, text: str, rows: Iterable[int] = ()) -> None:
        """Add a warning about a column (empty: the file), with the first data rows it is about."""
        first = [int(row) for row in islice(rows, MOST_ROWS + 1)]
        message = f"column {column!r} {text}" if column else text
        message += _places(first)
        finding = {"level": "warning", "column": column, "message": message}
        self.found.append(finding | {"rows": first[:MOST_ROWS]})
        log.warning("%s: %s", self.location, message)


def some(values: Iterable[Any]) -> str:
    """Name the first values, for a message."""
    first = list(islice(values, MOST_NAMED + 1))
    named = ", ".join(map(repr, map(str, first[:MOST_NAMED])))
    return named + (", …" if len(first) > MOST_NAMED else "")


def _places(rows: list[int]) -> str:
    if not rows:
        return ""
    named = ", ".join(map(str, rows[:MOST_ROWS]))
    return f" (row{'s' if len(rows) > 1 else ''} {named}{', …' if len(rows) > MOST_ROWS else ''})"

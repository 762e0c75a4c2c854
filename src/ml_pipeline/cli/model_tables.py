"""What `ml-pipeline models` prints of versions, for people and as JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from ml_pipeline.registry.versions import Version

NUMBERS = ("mean", "low", "high", "margin", "alpha", "rows")
DOCUMENTS = ("difference", "compared_with", "versions")
HIDDEN = {"mlflow.source.git.commit": "git commit"}


def version_document(version: Version) -> dict[str, Any]:
    """Return a version as JSON knows it."""
    facts: dict[str, Any] = dict(version.facts)
    for name in {*NUMBERS, *DOCUMENTS} & set(facts):
        facts[name] = json.loads(facts[name])
    return {
        "problem": version.problem,
        "version": version.number,
        "aliases": list(version.aliases),
        "created_at": version.created_at.isoformat(timespec="seconds"),
        **facts,
    }


def versions_table(problem: str, versions: list[Version]) -> Table:
    """Return one line per version."""
    metrics = sorted({one.facts.get("metric", "") for one in versions})
    title = f"{problem}: {' or '.join(metrics)} with its 95 % interval"
    # Without lines a name of 22 letters, such as hist_gradient_boosting, fits into 80 columns.
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for heading in ("", "state", "model", "mean", "age", "data"):
        table.add_column(heading, no_wrap=heading != "model", overflow="fold")
    for one in versions:
        table.add_row(
            str(one.number),
            state(one),
            Text(one.facts.get("model", "")),
            f"{one.figure('mean'):.3f} [{one.figure('low'):.3f}, {one.figure('high'):.3f}]",
            age(one.created_at),
            one.facts.get("data_sha256", "")[:8],
        )
    return table


def state(version: Version) -> str:
    """Return a version's aliases; in brackets, what was decided of one that bears none."""
    if version.aliases:
        return ", ".join(version.aliases)
    return "(replaced)" if version.is_withdrawn else f"({version.facts.get('decision', '')})"


def version_table(version: Version, moves: list[dict[str, Any]]) -> Table:
    """Return all that is recorded of a version."""
    aliases = f" ({', '.join(version.aliases)})" if version.aliases else ""
    title = f"{version.problem}, version {version.number}{aliases}"
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column("what", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_row("registered", f"{version.created_at:%Y-%m-%d %H:%M} UTC")
    for name, value in sorted(version.facts.items(), key=_rank):
        table.add_row(HIDDEN.get(name, name), Text(value))  # as it is, brackets too
    for move in moves:
        table.add_row(move["move"], move["at"])
    return table


def age(moment: datetime) -> str:
    """Return how long ago something was, in its largest unit."""
    seconds = (datetime.now(UTC) - moment).total_seconds()
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def _rank(fact: tuple[str, str]) -> tuple[int, str]:
    """Put what was decided first, then the figures."""
    first = ("decision", "reason", "compared_with", "metric", "mean", "low", "high", "difference")
    return (first.index(fact[0]) if fact[0] in first else len(first)), fact[0]

"""docs/troubleshooting.md quotes messages as the code prints them; "…" stands for what varies."""

from __future__ import annotations

import re
from functools import cache

import pytest

from .documents import CODE_SPAN, document, tracked_files

TITLE = re.compile(r"^\*\*(?P<text>.+?)\*\*", re.MULTILINE)
OF_OTHERS = re.compile(
    "command not found|No module named|Could not import graphviz|DeprecationWarning|^psql$|^status$"
)
BETWEEN_LITERALS = re.compile(r'"\s*\\?\n\s*f?"')
TITLES = [each["text"] for each in TITLE.finditer(document("docs/troubleshooting.md").text)]
QUOTED = [span for title in TITLES for span in CODE_SPAN.findall(title)]


@cache
def printed() -> str:
    """Return the source of what prints, with texts that go over several lines joined."""
    texts = [
        path.read_text(encoding="utf-8")
        for path in tracked_files()
        if path.suffix in {".py", ".sh"} and {"src", "scripts"} & set(path.parts)
    ]
    return BETWEEN_LITERALS.sub("", "\n".join(texts))


def missing(quoted: str) -> list[str]:
    return [part for part in map(str.strip, quoted.split("…")) if part not in printed()]


@pytest.mark.parametrize("quoted", [each for each in QUOTED if not OF_OTHERS.search(each)])
def test_a_quoted_message_stands_in_the_code(quoted: str) -> None:
    assert missing(quoted) == []


def test_a_message_that_nobody_prints_is_seen() -> None:
    assert missing("Port … is free as a bird")

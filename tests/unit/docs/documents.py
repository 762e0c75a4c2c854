"""The documents as data: their shell commands, code spans, links, headings and tables."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
CODE_SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^(#+) (?P<text>.+)$", re.MULTILINE)
SHELL_LANGUAGES = {"bash", "console"}
TRAILING_COMMENT = re.compile(r"\s+#\s.*$")


@dataclass(frozen=True)
class Document:
    """One Markdown file."""

    path: Path

    def __str__(self) -> str:
        return str(self.path.relative_to(REPOSITORY))

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def prose(self) -> str:
        """The text without its fenced blocks."""
        return BLOCK.sub("", self.text)

    def blocks(self, *languages: str) -> list[str]:
        """Return the fenced blocks in one of the languages."""
        return [each["text"] for each in BLOCK.finditer(self.text) if each["language"] in languages]

    def code_spans(self) -> list[str]:
        """Return what stands between backticks in the prose."""
        return CODE_SPAN.findall(self.prose)

    def links(self) -> list[str]:
        """Return the targets of the links and pictures."""
        return [each["target"] for each in LINK.finditer(self.prose)]

    def anchors(self) -> set[str]:
        """Return the anchors of the headings, as GitHub makes them."""
        return {slug(each["text"]) for each in HEADING.finditer(self.prose)}

    def commands(self) -> Iterator[str]:
        """Yield what a reader is told to type, comments and continuations resolved."""
        yield from commands_of(self.text)

    def section(self, heading: str) -> str:
        """Return what stands below a heading, up to the next one."""
        _, found, rest = self.text.partition(f"\n## {heading}\n")
        assert found, f"{self} has no section {heading!r}"
        return re.split(r"^## ", rest, maxsplit=1, flags=re.MULTILINE)[0]


@cache
def tracked_files() -> tuple[Path, ...]:
    """Return what a commit of the working tree would hold."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    )
    names = filter(None, listing.stdout.decode().split("\0"))
    return tuple(path for name in names if (path := REPOSITORY / name).is_file())


def all_documents() -> list[Document]:
    """Return every Markdown file."""
    return [Document(path) for path in tracked_files() if path.suffix == ".md"]


def document(name: str) -> Document:
    """Return one document by its path from the repository's top."""
    return Document(REPOSITORY / name)


def rows(section: str) -> list[list[str]]:
    """Return the cells of a section's table rows, without the head."""
    lines = [line for line in section.splitlines() if line.startswith("|")]
    cells = [re.split(r"(?<!\\)\|", line.strip("|")) for line in lines]
    is_rule = [_is_rule(row) for row in cells]
    return [
        [cell.strip().replace("\\|", "|") for cell in row]
        for place, row in enumerate(cells)
        if not any(is_rule[place : place + 2])
    ]


def slug(heading: str) -> str:
    """Return a heading's anchor, as GitHub makes it."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


def for_each_document(function):  # type: ignore[no-untyped-def]
    """Run a test once per document."""
    return pytest.mark.parametrize("document", all_documents(), ids=str)(function)


def commands_of(text: str) -> list[str]:
    """Return what the fenced blocks of a text tell a reader to type."""
    return [
        command
        for block in BLOCK.finditer(text)
        if block["language"] in SHELL_LANGUAGES
        for command in _typed(block["text"], has_prompts=block["language"] == "console")
    ]


def _typed(text: str, *, has_prompts: bool) -> Iterator[str]:
    for line in text.replace("\\\n", " ").splitlines():
        if has_prompts:
            if not line.startswith("$ "):
                continue
            line = line[2:]
        line = TRAILING_COMMENT.sub("", line).strip()
        if line and not line.startswith("#"):
            yield re.sub(r"\s+", " ", line)


def _is_rule(row: list[str]) -> bool:
    return bool(row) and all(re.fullmatch(r"\s*:?-+:?\s*", cell) for cell in row)

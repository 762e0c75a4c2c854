"""Whatever the documents point at is there: links, files, scripts, make targets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .documents import REPOSITORY, Document, document, for_each_document, slug, tracked_files

LARGEST_PICTURE_BYTES = 200_000
PATH = re.compile(r"(?:\./)?[\w.][\w.-]*(?:/[\w.*-]+)*/?")
FILE_SUFFIXES = {".cfg", ".conf", ".md", ".py", ".sh", ".toml", ".yaml", ".yml"}
# What a start, a run or the tests make; everything else has to be committed.
MADE_AT_RUN_TIME = (".env", ".venv/", "dist/", "results/", "benchmarks/results/")
MADE_IN_AIRFLOW_HOME = ("logs", "postgres", "run", "secrets", "xcom")
MAKE = re.compile(r"^make (?P<target>[a-z][a-z-]*)\b")
# Made up for the reader, as the text around them says.
EXAMPLES = {
    "config/loans.yaml",
    "loans.yaml",
    "data/loans.csv",
    "config/customers.yaml",
    "data/customers.csv",
    "make_customers.py",
}
MADE_BY_OTHERS = {"pyvenv.cfg"}
OF_A_RUN = {"model_card.md"}


def paths(document: Document) -> Iterator[str]:
    """Yield what a document names of this repository's files and folders."""
    top_level = {path.relative_to(REPOSITORY).parts[0] for path in tracked_files()}
    for text in [*document.code_spans(), *_words(document)]:
        name = text.removeprefix("./")
        if PATH.fullmatch(text) and ("/" in text or Path(name).suffix in FILE_SUFFIXES):
            is_ours = name.split("/")[0] in top_level
            if is_ours or text.startswith("./") or Path(name).suffix in FILE_SUFFIXES:
                yield name


def _words(document: Document) -> Iterator[str]:
    for command in document.commands():
        yield from (word for word in command.split() if not word.startswith(("-", "/", "~", "<")))


def is_there(name: str) -> bool:
    """Whether a path is committed, or made at run time."""
    if name in EXAMPLES | MADE_BY_OTHERS | OF_A_RUN or name.startswith(MADE_AT_RUN_TIME):
        return True
    if name.startswith("airflow_home/") and name.split("/")[1] in MADE_IN_AIRFLOW_HOME:
        return True
    if "/" not in name.rstrip("/"):
        return any(path.name == name.rstrip("/") for path in tracked_files()) or _is_folder(name)
    return any(path.exists() for path in [*REPOSITORY.glob(name), REPOSITORY / name])


def _is_folder(name: str) -> bool:
    return (REPOSITORY / name).is_dir()


@for_each_document
def test_every_path_in_a_document_exists(document: Document) -> None:
    assert [name for name in paths(document) if not is_there(name)] == []


@for_each_document
def test_every_link_within_the_repository_resolves(document: Document) -> None:
    broken = []
    for target in document.links():
        if re.match(r"[a-z]+:", target):
            continue
        place, _, anchor = target.partition("#")
        file = (document.path.parent / place).resolve() if place else document.path
        if not file.exists() or (anchor and anchor not in Document(file).anchors()):
            broken.append(target)
    assert broken == []


@for_each_document
def test_every_make_target_in_a_document_exists(document: Document) -> None:
    there = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    texts = [*document.commands(), *document.code_spans()]
    named = {each["target"] for text in texts for each in MAKE.finditer(text)}
    assert named <= there


def test_every_document_is_reached_from_the_index() -> None:
    pages = {path for path in tracked_files() if path.suffix == ".md"}
    seen: set[Path] = set()
    waiting = [REPOSITORY / "README.md", REPOSITORY / "docs" / "README.md"]
    while waiting:
        file = waiting.pop()
        if file in seen or file not in pages:
            continue
        seen.add(file)
        places = [target.partition("#")[0] for target in Document(file).links()]
        waiting += [(file.parent / place).resolve() for place in places if place]
    assert pages - seen == set()


def test_pictures_are_small() -> None:
    pictures = [path for path in tracked_files() if path.suffix == ".png"]
    assert pictures
    assert [path for path in pictures if path.stat().st_size > LARGEST_PICTURE_BYTES] == []


def test_decisions_are_numbered_one_after_another() -> None:
    names = sorted(path.name for path in tracked_files() if path.parent.name == "adr")
    assert [int(name.split("-")[0]) for name in names] == list(range(1, len(names) + 1))


def test_every_decision_stands_in_the_architecture() -> None:
    links = set(document("docs/architecture.md").links())
    names = {path.name for path in tracked_files() if path.parent.name == "adr"}
    assert {f"adr/{name}" for name in names} <= links


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [("The stack: variables", "the-stack-variables"), ("`ml-pipeline up`", "ml-pipeline-up")],
)
def test_slug_is_what_github_makes_of_a_heading(heading: str, anchor: str) -> None:
    assert slug(heading) == anchor


def test_a_path_that_is_not_there_is_seen() -> None:
    assert not is_there("scripts/absent.sh")
    assert not is_there("absent.py")
    assert not is_there("airflow_home/absent")

"""docs/commands.md names every command and option there is, and no other; nor does any document."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from ml_pipeline.cli import app

from .documents import Document, all_documents, document, for_each_document, rows

NAME = "ml-pipeline"
REFERENCE = document("docs/commands.md")
HEADING = re.compile(r"^## `(?P<usage>ml-pipeline [^`]+)`$", re.MULTILINE)
OPTION = re.compile(r"`(--?[a-z-]+)`")
HELP_OPTIONS = {"--help", "-h"}


def leaves(command: Any, name: str = NAME) -> Iterator[tuple[str, Any]]:
    """Yield every command that does something, by its full name."""
    if not hasattr(command, "commands"):
        yield name, command
        return
    for sub_name, sub_command in command.commands.items():
        yield from leaves(sub_command, f"{name} {sub_name}")


TREE = typer.main.get_command(app)
COMMANDS = dict(leaves(TREE))
USAGES = {re.sub(r" \[?[A-Z]+\]?$", "", usage): usage for usage in HEADING.findall(REFERENCE.text)}


def options(command: Any) -> dict[str, Any]:
    """Return a command's parameters by each of their options."""
    return {
        name: parameter
        for parameter in command.params
        if parameter.param_type_name == "option"
        for name in parameter.opts
        if name not in HELP_OPTIONS
    }


def documented_options(section: str) -> dict[str, list[str]]:
    """Return the cells of each option's row."""
    return {name: row for row in rows(section) for name in OPTION.findall(row[0])}


def test_every_command_is_documented_and_every_documented_one_exists() -> None:
    assert list(USAGES) == sorted(USAGES, key=list(USAGES).index)
    assert set(USAGES) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_usage_names_the_arguments_that_the_command_takes(name: str) -> None:
    arguments = [p for p in COMMANDS[name].params if p.param_type_name == "argument"]
    taken = [p.name.upper() if p.required else f"[{p.name.upper()}]" for p in arguments]
    assert USAGES[name] == " ".join([name, *taken])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_documented_and_every_documented_one_exists(name: str) -> None:
    documented = documented_options(REFERENCE.section(f"`{USAGES[name]}`"))
    assert set(documented) == set(options(COMMANDS[name]))


def test_options_before_the_command_are_documented() -> None:
    start = REFERENCE.text.split("\n## ", 1)[0]
    assert set(documented_options(start)) == set(options(TREE))


@pytest.mark.parametrize("name", COMMANDS)
def test_documented_defaults_and_variables_are_the_real_ones(name: str) -> None:
    documented = documented_options(REFERENCE.section(f"`{USAGES[name]}`"))
    for option, parameter in options(COMMANDS[name]).items():
        _, default, meaning = documented[option]
        if isinstance(parameter.default, int | float | str) and parameter.default is not False:
            assert default == str(parameter.default), option
        if parameter.envvar:
            assert f"`{parameter.envvar}`" in meaning, option


@for_each_document
def test_whatever_a_document_says_of_the_command_line_exists(document: Document) -> None:
    for text in typed_or_named(document):
        command, rest = walk(text.split()[1:])
        unknown = {word for word in rest if word.startswith("-")} - set(options(command))
        assert not unknown - HELP_OPTIONS, f"{text!r} has no {unknown}"
        is_group = hasattr(command, "commands")
        assert not (is_group and rest and not rest[0].startswith("-")), f"{text!r}: no such command"


def typed_or_named(document: Document) -> Iterator[str]:
    """Yield each `ml-pipeline …`, cut out of what stands around it."""
    for text in [*document.commands(), *document.code_spans()]:
        for part in re.split(r"&&|\||;|\$\(|\)|>", text):
            words = part.split("#")[0].replace("[", " ").replace("]", " ").strip()
            if words.startswith(f"{NAME} "):
                yield words


def walk(words: list[str]) -> tuple[Any, list[str]]:
    """Follow words down the tree of commands; return the last one and what is left."""
    command = TREE
    while words and hasattr(command, "commands") and words[0].rstrip(",") in command.commands:
        command, words = command.commands[words[0].rstrip(",")], words[1:]
    return command, words


def test_walk_sees_a_command_that_does_not_exist() -> None:
    command, rest = walk(["db", "repair"])
    assert hasattr(command, "commands") and rest == ["repair"]


def test_documents_are_found() -> None:
    assert {"README.md", "docs/commands.md"} <= {str(each) for each in all_documents()}

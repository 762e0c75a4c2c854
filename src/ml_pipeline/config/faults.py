"""Pydantic's validation errors as one line each: field, what was given, what is allowed."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


def one_line(error: ValidationError, model: type[BaseModel]) -> str:
    """Describe one fault of `error`, raised by `model`, and count the others.

    An unknown key comes first: misspelt, it explains why another is missing.
    """
    faults = error.errors(include_url=False)
    faults.sort(key=lambda fault: fault["type"] != "extra_forbidden")
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return _describe(faults[0], model) + more


def _describe(fault: ErrorDetails, model: type[BaseModel]) -> str:
    field = ".".join(map(str, fault["loc"]))
    if fault["type"] == "extra_forbidden":
        return _unknown_key(fault["loc"], model)
    if fault["type"] == "missing":
        return f"{field}: missing, must be given"
    demand = _demand(fault)
    if not field:
        return demand
    if fault["type"] == "value_error" and isinstance(fault["input"], dict):
        return f"{field}: {demand}"
    return f"{field}: Got {fault['input']!r}. {demand[0].upper()}{demand[1:]}"


def _demand(fault: ErrorDetails) -> str:
    if fault["type"] == "literal_error":
        return f"must be one of {fault['ctx']['expected']}"
    if fault["type"] == "model_type":
        return "must be a section with keys and values"
    message = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return message.replace("should ", "must ", 1)


def _unknown_key(location: tuple[int | str, ...], model: type[BaseModel]) -> str:
    section = model
    for part in location[:-1]:
        if isinstance(part, str):  # the numbers count a list's items
            section = _section(section.model_fields[part].annotation)
    allowed = list(section.model_fields)
    close = difflib.get_close_matches(str(location[-1]), allowed, n=1)
    hint = f". Did you mean {close[0]!r}?" if close else ""
    field = ".".join(map(str, location))
    return f"{field}: unknown key. Must be one of {', '.join(allowed)}{hint}"


def _section(annotation: Any) -> type[BaseModel]:
    """Return the model inside `Section`, `Section | None` or `list[Section]`."""
    pending = [annotation]
    while not (isinstance(pending[0], type) and issubclass(pending[0], BaseModel)):
        pending = [*pending[1:], *get_args(pending[0])]
    return pending[0]

"""What every section of a configuration is made of: its base class, names and labels."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _label(value: Any) -> Any:
    """Labels are compared as the text that stands in the file, so a YAML 1 means '1'."""
    if isinstance(value, bool):
        raise ValueError(f"YAML reads this as {value}; put the label in quotes")
    return str(value) if isinstance(value, int | float) else value


Name = Annotated[str, Field(min_length=1)]
Label = Annotated[str, Field(min_length=1), BeforeValidator(_label)]


class Section(BaseModel):
    """A part of a configuration: unknown keys and silent type conversions are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

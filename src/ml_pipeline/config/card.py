"""The section `card`: what the model card says that no figure can."""

from __future__ import annotations

from pydantic import Field

from ml_pipeline.config.section import Name, Section


class Card(Section):
    """What the model is for, and where it ends."""

    intended_use: Name | None = Field(default=None, description="who may use it for what")
    limits: list[Name] = Field(default=[], description="what it must not be used for, and why")

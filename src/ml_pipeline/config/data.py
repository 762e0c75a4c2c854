"""The sections `data` and `target`: the table, and what is predicted from it."""

from __future__ import annotations

from collections import Counter
from typing import Self

from pydantic import Field, model_validator

from ml_pipeline.config.section import Label, Name, Section


class Data(Section):
    """The table: where it lies and what its columns are called."""

    path: Name = Field(description="CSV file, relative to this YAML, or a URL")
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    header: bool = Field(default=True, description="whether the first line names the columns")
    columns: list[Name] | None = Field(default=None, description="names, when there is no header")
    ids: list[Name] = Field(default=[], description="columns that identify a row; not features")
    exclude: list[Name] = Field(default=[], description="columns to leave out")

    @model_validator(mode="after")
    def _names_are_given_once(self) -> Self:
        if self.header == (self.columns is not None):
            raise ValueError("give `columns` when, and only when, `header` is false")
        repeated = [name for name, count in Counter(self.columns or []).items() if count > 1]
        if repeated:
            raise ValueError(f"`columns` names {repeated[0]!r} more than once")
        self._check_known("ids", self.ids)
        self._check_known("exclude", self.exclude)
        return self

    def _check_known(self, field: str, names: list[str]) -> None:
        unknown = [name for name in names if self.columns and name not in self.columns]
        if unknown:
            raise ValueError(f"`{field}` names {unknown[0]!r}, which `columns` does not")


class Target(Section):
    """What is predicted, and which of its two labels counts as positive."""

    column: Name
    positive: Label

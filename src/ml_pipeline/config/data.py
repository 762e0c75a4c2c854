"""The sections `data` and `target`: the table, and what is predicted from it."""

from __future__ import annotations

import codecs
from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ml_pipeline.config.section import Label, Name, Section

UNFIT_DELIMITERS = {'"', "\r", "\n", "\0"}
KINDS = ("numeric", "categorical", "boolean", "dates")


def _encoding(name: str) -> str:
    try:
        codecs.lookup(name)
        "".encode(name)  # what is no encoding of text, such as base64, refuses
    except (LookupError, UnicodeError):
        raise ValueError("must be an encoding that Python knows, such as 'cp1252'") from None
    return name


def _delimiter(sign: str) -> str:
    if not sign.isascii() or sign in UNFIT_DELIMITERS:
        raise ValueError("must be an ASCII character that is no quote and no line end")
    return sign


def _path(path: str) -> str:
    if not path.isprintable():
        raise ValueError(
            "must hold no control characters; a path with backslashes goes into single quotes"
        )
    return path


Delimiter = Annotated[str, Field(min_length=1, max_length=1), AfterValidator(_delimiter)]


class Data(Section):
    """The table: where it lies, how it is written and what its columns are."""

    path: Annotated[Name, AfterValidator(_path)] = Field(
        description="CSV or Parquet file, relative to this YAML, or a URL"
    )
    format: Literal["auto", "csv", "parquet"] = "auto"
    delimiter: Delimiter | None = None
    decimal: Literal[".", ","] | None = None
    header: bool | None = Field(default=None, description="whether the first line names columns")
    encoding: Annotated[str, AfterValidator(_encoding)] | None = None
    columns: list[Name] | None = Field(default=None, description="names, when there is no header")
    missing_values: list[Name] = Field(default=[], description="more texts that mean missing")
    ids: list[Name] = Field(default=[], description="columns that identify a row; not features")
    exclude: list[Name] = Field(default=[], description="columns to leave out")
    numeric: list[Name] = []
    categorical: list[Name] = []
    boolean: list[Name] = []
    dates: list[Name] = []
    group: Name | None = Field(default=None, description="metrics are also given by its values")

    @model_validator(mode="after")
    def _columns_go_without_header(self) -> Self:
        if self.columns is not None and self.header:
            raise ValueError("give `columns` only when `header` is false")
        repeated = [name for name, count in Counter(self.columns or []).items() if count > 1]
        if repeated:
            raise ValueError(f"`columns` names {repeated[0]!r} more than once")
        return self

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        group = [self.group] if self.group else []
        named = {"ids": self.ids, "exclude": self.exclude, "group": group}
        for field, names in (named | self.kinds).items():
            unknown = [name for name in names if self.columns and name not in self.columns]
            if unknown:
                raise ValueError(f"`{field}` names {unknown[0]!r}, which `columns` does not")
        return self

    @model_validator(mode="after")
    def _a_column_has_one_role(self) -> Self:
        roles = {"ids": self.ids, "exclude": self.exclude} | self.kinds
        first = dict[str, str]()
        for role, names in roles.items():
            for name in names:
                if first.setdefault(name, role) != role:
                    raise ValueError(f"{name!r} stands in `{first[name]}` and in `{role}`")
        if self.group in self.exclude:
            raise ValueError(f"`group` {self.group!r} also stands in `exclude`")
        return self

    @property
    def kinds(self) -> dict[str, list[str]]:
        """The columns whose kind is given, by kind; those of the others are inferred."""
        return {kind: getattr(self, kind) for kind in KINDS}


class Target(Section):
    """What is predicted, and which of two labels counts as positive."""

    column: Name
    positive: Label | None = Field(default=None, description="null for more than two labels")

"""The pydantic models of `config/<name>.yaml`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Self

from pydantic import (
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from ml_pipeline.config.card import Card
from ml_pipeline.config.data import Data, Target
from ml_pipeline.config.faults import one_line
from ml_pipeline.config.lifecycle import Promotion, Scoring
from ml_pipeline.config.preprocessing import Preprocessing
from ml_pipeline.config.schedule import Schedule
from ml_pipeline.config.section import Name, Section
from ml_pipeline.config.selection import EVERY_MODEL, Candidate, Candidates, Selection
from ml_pipeline.errors import ConfigError

LARGEST_SEED = 2**32 - 1
GONE = {
    "model": "Write `candidates: [{name: ..., parameters: {...}}]`; one entry is enough",
    "cross_validation": "Write `selection: {folds: ..., repeats: ...}`",
}
PROBLEM_NAME = re.compile(r"[A-Za-z0-9_-]+")


class Split(Section):
    """The hold-out: its share of the rows and the seed of everything random."""

    test_size: float = Field(default=0.2, ge=0.05, le=0.5)
    random_state: int = Field(default=42, ge=0, le=LARGEST_SEED)


class Storage(Section):
    """Where results go: a folder, relative to this YAML, or an fsspec URL."""

    results: Name | None = None


class ProblemConfig(Section):
    """One classification problem: the whole of a YAML file."""

    description: str = ""
    data: Data
    target: Target
    preprocessing: Preprocessing = Preprocessing()
    split: Split = Split()
    candidates: Candidates = EVERY_MODEL
    selection: Selection = Selection()
    storage: Storage = Storage()
    schedule: Schedule = None
    promotion: Promotion = Promotion()
    scoring: Scoring = Scoring()
    card: Card = Card()

    _source: Path = PrivateAttr(default=Path("problem.yaml"))

    @model_validator(mode="before")
    @classmethod
    def _old_keys_are_explained(cls, tree: Any) -> Any:
        for key, remedy in GONE.items():
            if isinstance(tree, dict) and key in tree:
                raise ValueError(f"{key}: this key is gone. {remedy}")
        return tree

    @model_validator(mode="after")
    def _candidates_have_names_of_their_own(self) -> Self:
        names = [one.name for one in self.candidates]
        repeated = [name for name in names if names.count(name) > 1]
        if repeated:
            raise ValueError(f"`candidates` names {repeated[0]!r} more than once")
        return self

    @model_validator(mode="after")
    def _a_threshold_has_two_sides(self) -> Self:
        if self.selection.threshold is not None and self.target.positive is None:
            raise ValueError("`selection.threshold` is for two labels: give `target.positive`")
        return self

    @model_validator(mode="after")
    def _target_is_a_column_of_its_own(self) -> Self:
        column = self.target.column
        if self.data.columns is not None and column not in self.data.columns:
            raise ValueError(f"`target.column` is {column!r}, which `data.columns` does not name")
        group = [self.data.group] if self.data.group else []
        roles = {"ids": self.data.ids, "exclude": self.data.exclude, "group": group}
        for role, names in (roles | self.data.kinds).items():
            if column in names:
                raise ValueError(f"`target.column` {column!r} also stands in `data.{role}`")
        return self

    @classmethod
    def validated(cls, tree: object, source: Path) -> Self:
        """Return the configuration that `tree` describes, as read from the YAML file `source`.

        Raises
        ------
        ConfigError
            When a field is unknown, missing or not allowed.
        """
        try:
            config = cls.model_validate(tree)
        except ValidationError as error:
            raise ConfigError(f"{source}: {one_line(error, cls)}") from error
        config._source = source
        return config

    @property
    def source(self) -> Path:
        """The YAML file's absolute path; relative paths in it start from its folder."""
        return self._source

    @property
    def name(self) -> str:
        """The YAML file's stem; the DAG ids derive from it."""
        return self._source.stem

    @property
    def data_location(self) -> str:
        """The data's absolute path, or its URL."""
        return self.resolve(self.data.path)

    def resolve(self, path: str) -> str:
        """Return `path` seen from the YAML's folder; a URL stays as it is."""
        return path if "://" in path else str((self._source.parent / path).resolve())

    def with_params(
        self,
        *,
        random_state: int | None = None,
        test_size: float | None = None,
        model: str | None = None,
    ) -> ProblemConfig:
        """Return a copy with the given values in place of the file's.

        With a model's name, that candidate alone remains.

        Raises
        ------
        ConfigError
            When a value is not allowed, or no candidate has that name.
        """
        tree = self.model_dump()
        if random_state is not None:
            tree["split"]["random_state"] = random_state
        if test_size is not None:
            tree["split"]["test_size"] = test_size
        if model is not None:
            tree["candidates"] = [self.candidate(model).model_dump()]
        return self.validated(tree, self._source)

    def candidate(self, name: str) -> Candidate:
        """Return the candidate of that name, or raise ConfigError."""
        for one in self.candidates:
            if one.name == name:
                return one
        known = ", ".join(one.name for one in self.candidates)
        raise ConfigError(f"{self._source}: model: Got {name!r}. Must be one of {known}")

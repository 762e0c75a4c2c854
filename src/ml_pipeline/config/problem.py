"""The pydantic models of `config/<name>.yaml`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, Self, get_args

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
from ml_pipeline.errors import ConfigError

ModelName = Literal[
    "logistic_regression",
    "svc",
    "random_forest",
    "hist_gradient_boosting",
    "k_nearest_neighbors",
]
MODELS: tuple[str, ...] = get_args(ModelName)

LARGEST_SEED = 2**32 - 1
PROBLEM_NAME = re.compile(r"[A-Za-z0-9_-]+")


class Split(Section):
    """The hold-out: its share of the rows and the seed of everything random."""

    test_size: float = Field(default=0.2, ge=0.05, le=0.5)
    random_state: int = Field(default=42, ge=0, le=LARGEST_SEED)


class Model(Section):
    """The estimator by name, and what differs from its defaults here."""

    name: ModelName = "logistic_regression"
    parameters: dict[str, Any] = {}

    @model_validator(mode="after")
    def _seed_has_one_place(self) -> Self:
        if "random_state" in self.parameters:
            raise ValueError("`random_state` belongs to `split`, which seeds everything")
        return self


class CrossValidation(Section):
    """Repeated stratified k-fold."""

    folds: int = Field(default=10, ge=2, le=50)
    repeats: int = Field(default=10, ge=1, le=100)


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
    model: Model = Model()
    cross_validation: CrossValidation = CrossValidation()
    storage: Storage = Storage()
    schedule: Schedule = None
    promotion: Promotion = Promotion()
    scoring: Scoring = Scoring()
    card: Card = Card()

    _source: Path = PrivateAttr(default=Path("problem.yaml"))

    @model_validator(mode="after")
    def _target_is_a_column_of_its_own(self) -> Self:
        column = self.target.column
        if self.data.columns is not None and column not in self.data.columns:
            raise ValueError(f"`target.column` is {column!r}, which `data.columns` does not name")
        roles = {"ids": self.data.ids, "exclude": self.data.exclude} | self.data.kinds
        for role, names in roles.items():
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

        Parameters of the file's model are dropped when another model is named.

        Raises
        ------
        ConfigError
            When a value is not allowed.
        """
        tree = self.model_dump()
        if random_state is not None:
            tree["split"]["random_state"] = random_state
        if test_size is not None:
            tree["split"]["test_size"] = test_size
        if model is not None and model != self.model.name:
            tree["model"] = {"name": model}
        return self.validated(tree, self._source)

"""The Params of a training run: the trigger form's fields, and what a task makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import Param

from ml_pipeline.config.problem import LARGEST_SEED
from ml_pipeline.errors import ConfigError

if TYPE_CHECKING:
    from ml_pipeline.config import ProblemConfig

PARAMS = ("random_state", "test_size", "model")


def training_params(config: ProblemConfig) -> dict[str, Param]:
    """Return the Params with their JSON schema; the YAML file gives the defaults."""
    return {
        "random_state": Param(
            config.split.random_state,
            type="integer",
            minimum=0,
            maximum=LARGEST_SEED,
            title="Random state",
            description="Seed of the split, the model and the resampling.",
        ),
        "test_size": Param(
            config.split.test_size,
            type="number",
            minimum=0.05,
            maximum=0.5,
            title="Test size",
            description="Share of the rows that is held out.",
        ),
        "model": Param(
            None,
            type=["null", "string"],
            enum=[None, *(one.name for one in config.candidates)],
            title="Model",
            description="Train this candidate alone; by default all compete.",
        ),
    }


def applied(config: ProblemConfig, params: Mapping[str, Any]) -> ProblemConfig:
    """Return the configuration of this run: a Param given at trigger time wins over the YAML.

    Raises
    ------
    ConfigError
        When a name is none of the Params: Airflow checks their values only.
    """
    unknown = sorted(set(params) - set(PARAMS))
    if unknown:
        raise ConfigError(f"Got the param {unknown[0]!r}. Must be one of {', '.join(PARAMS)}")
    return config.with_params(
        random_state=params["random_state"], test_size=params["test_size"], model=params["model"]
    )

"""The Params of a training run: the trigger form's fields, and what a task makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Param

if TYPE_CHECKING:
    from ml_pipeline.config import ProblemConfig

LARGEST_SEED = 2**32 - 1  # numpy's


def training_params(config: ProblemConfig, models: list[str]) -> dict[str, Param]:
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
            config.model.name,
            type="string",
            enum=models,
            title="Model",
            description="Which estimator to train; its parameters come from the YAML file.",
        ),
    }


def applied(config: ProblemConfig, params: dict[str, Any]) -> ProblemConfig:
    """Return the configuration of this run: a Param given at trigger time wins over the YAML."""
    return config.with_params(
        random_state=params["random_state"], test_size=params["test_size"], model=params["model"]
    )

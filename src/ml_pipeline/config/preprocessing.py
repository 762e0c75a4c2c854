"""The section `preprocessing`: what is done to features, inside the folds, before the model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ml_pipeline.config.section import Section


class Imputation(Section):
    """What takes the place of missing values; `none` leaves them to the model."""

    numeric: Literal["median", "mean", "most_frequent", "none"] = "median"
    categorical: Literal["most_frequent", "constant"] = "constant"


class Preprocessing(Section):
    """The steps in the Pipeline before the model; scaling only for models that need it."""

    imputation: Imputation = Imputation()
    encoding: Literal["one_hot", "ordinal", "target"] = "one_hot"
    scaling: Literal["standard", "robust", "minmax", "none"] = "standard"
    power_transform: bool = False
    clip_outliers: float | None = Field(default=None, ge=0.0001, le=0.25)
    polynomial_degree: int = Field(default=1, ge=1, le=3)
    select_features: int | None = Field(default=None, ge=1, le=10_000)

"""The sections `promotion` and `scoring`: which model is in use, and what it is used on."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ml_pipeline.config.schedule import Schedule
from ml_pipeline.config.section import Name, Section


class Promotion(Section):
    """What a newcomer has to show to become champion."""

    margin: float = Field(default=0.01, ge=0.0, le=0.5, description="loss that counts as harm")
    alpha: float = Field(default=0.05, ge=0.001, le=0.5, description="risk of overlooking harm")


class Scoring(Section):
    """Where new rows come from, who scores them, and when drift is reported."""

    source: Name | None = Field(
        default=None, description="file or URL of new rows; {date} stands for the logical date"
    )
    connection: Name | None = Field(default=None, description="Airflow's id of a PostgreSQL")
    query: Name | None = Field(default=None, description="SQL that selects the new rows there")
    schedule: Schedule = None
    challenger: Literal["shadow", "split", "none"] = "shadow"
    share: float = Field(default=0.5, ge=0.0, le=1.0, description="of rows for the challenger")
    chunk_rows: int = Field(default=50_000, ge=100, le=1_000_000)
    psi_alert: float = Field(default=0.2, ge=0.01, le=10.0)
    ks_alert: float = Field(default=0.15, ge=0.01, le=1.0)

    @model_validator(mode="after")
    def _rows_come_from_one_place(self) -> Self:
        if (self.connection is None) != (self.query is None):
            raise ValueError("`connection` and `query` belong together")
        if self.source is not None and self.query is not None:
            raise ValueError("give `source`, or `connection` and `query`, not both")
        return self

    @property
    def is_configured(self) -> bool:
        """Whether there is anything to score."""
        return self.source is not None or self.query is not None

"""A machine-learning pipeline on Apache Airflow 3, run natively."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ml_pipeline.loading import load_model

__version__ = "0.1.0"
__all__ = ["__version__", "load_model"]


def __getattr__(name: str) -> Any:
    """Import `load_model` when it is asked for: every Airflow process imports this package."""
    if name == "load_model":
        from ml_pipeline.loading import load_model

        return load_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""The science: plain functions on DataFrames, usable from a notebook; never Airflow.

What a notebook needs is offered here, each step taking what the one before returned:
`read_table`, `validate` (`report_of` reads its report), `clean`, `split`, `try_candidate`,
`choose`, `fit_pipeline`, `predict`, `holdout`. `build_pipeline` and `cross_validate` try a recipe
of one's own on the same folds, `feature_names` tells its columns. docs/tutorial.md goes through
them.

Each has an example in its docstring. There `config` is config/breast_cancer.yaml, and `frame`
(validated), `train`, `test`, `model` and `predictions` are what the earlier steps made of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ml_pipeline.ml.dataset import read_table
    from ml_pipeline.ml.evaluation import holdout, predict
    from ml_pipeline.ml.preprocessing import clean, split
    from ml_pipeline.ml.selection import choose, cross_validate, try_candidate
    from ml_pipeline.ml.training import build_pipeline, fit_pipeline
    from ml_pipeline.ml.validation import feature_names, report_of, validate

PLACES = {
    "read_table": "dataset",
    "validate": "validation",
    "report_of": "validation",
    "feature_names": "validation",
    "clean": "preprocessing",
    "split": "preprocessing",
    "build_pipeline": "training",
    "fit_pipeline": "training",
    "cross_validate": "selection",
    "try_candidate": "selection",
    "choose": "selection",
    "predict": "evaluation",
    "holdout": "evaluation",
}
__all__ = [
    "build_pipeline",
    "choose",
    "clean",
    "cross_validate",
    "feature_names",
    "fit_pipeline",
    "holdout",
    "predict",
    "read_table",
    "report_of",
    "split",
    "try_candidate",
    "validate",
]


def __getattr__(name: str) -> Any:
    """Import a step when it is asked for: who wants one metric's name needs no scikit-learn."""
    if name in PLACES:
        return getattr(import_module(f"{__name__}.{PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

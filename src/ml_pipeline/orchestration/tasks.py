"""The six tasks: each is one call of `ml_pipeline.pipeline`, with this run's configuration.

Heavy libraries are imported inside the tasks: the DAG processor parses this file again and again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context, task

from ml_pipeline.orchestration.faults import hopeless_fails_at_once
from ml_pipeline.orchestration.params import applied

if TYPE_CHECKING:
    import pandas as pd

    from ml_pipeline.config import ProblemConfig
    from ml_pipeline.storage import Run


@task(multiple_outputs=False)
def load_data(config_file: str) -> pd.DataFrame:
    """Read the data file."""
    from ml_pipeline import pipeline

    with hopeless_fails_at_once():
        return pipeline.load_data(_config(config_file))


@task(multiple_outputs=False)
def validate_data(frame: pd.DataFrame, config_file: str) -> pd.DataFrame:
    """Refuse rows and columns that cannot be learnt from."""
    from ml_pipeline import pipeline

    with hopeless_fails_at_once():
        return pipeline.validate_data(frame, _config(config_file))


@task(multiple_outputs=False)
def preprocess_data(frame: pd.DataFrame, config_file: str) -> dict[str, pd.DataFrame]:
    """Clean and split; fit nothing."""
    from ml_pipeline import pipeline

    with hopeless_fails_at_once():
        return pipeline.preprocess_data(frame, _config(config_file))


@task(multiple_outputs=False)
def train_model(parts: dict[str, pd.DataFrame], config_file: str) -> dict[str, Any]:
    """Fit the model on the training rows, stage its files and record their checksum."""
    from ml_pipeline import pipeline
    from ml_pipeline.orchestration import results_db

    config = _config(config_file)
    run = _run(config)
    with hopeless_fails_at_once():
        reference = pipeline.train_model(parts["train"], config, run)
    results_db.record_model(run, reference)
    return reference


@task(multiple_outputs=False)
def evaluate_model(
    parts: dict[str, pd.DataFrame], reference: dict[str, Any], config_file: str
) -> dict[str, Any]:
    """Judge the recorded model on the hold-out, and its recipe by cross-validation."""
    from ml_pipeline import pipeline
    from ml_pipeline.orchestration import results_db

    config = _config(config_file)
    trusted = results_db.recorded_reference(_run(config), reference)
    with hopeless_fails_at_once():
        return pipeline.evaluate_model(parts["train"], parts["test"], trusted, config)


@task(multiple_outputs=False)
def save_results(
    evaluation: dict[str, Any], reference: dict[str, Any], config_file: str
) -> dict[str, Any]:
    """Publish the run's folder and write its figures into `results_db`."""
    from ml_pipeline import pipeline
    from ml_pipeline.orchestration import results_db

    config = _config(config_file)
    run = _run(config)
    trusted = results_db.recorded_reference(run, reference)
    with hopeless_fails_at_once():
        summary = pipeline.save_results(evaluation, trusted, config, run)
    results_db.record_run(run, summary, evaluation["predictions"])
    return summary


def _config(config_file: str) -> ProblemConfig:
    """Return the configuration with what was chosen at trigger time."""
    from ml_pipeline.config import load

    with hopeless_fails_at_once():
        return applied(load(config_file), get_current_context()["params"])


def _run(config: ProblemConfig) -> Run:
    from ml_pipeline.storage import Run, results_root

    dag_run = get_current_context()["dag_run"]
    with hopeless_fails_at_once():
        return Run(results_root(config), dag_run.run_id, dag_run.dag_id)

"""The tasks: each is one call of `ml_pipeline.pipeline`, with this run's configuration.

Heavy libraries are imported inside the tasks: the DAG processor parses this file again and again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import TriggerRule, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from ml_pipeline.orchestration.faults import hopeless_fails_at_once
from ml_pipeline.orchestration.params import applied

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from ml_pipeline.config import ProblemConfig
    from ml_pipeline.storage import Run


@task(multiple_outputs=False)
def load_data(config_file: str) -> pd.DataFrame:
    """Read the data file."""
    from ml_pipeline import pipeline

    with hopeless_fails_at_once():
        return pipeline.load_data(config_of(config_file))


@task(multiple_outputs=False)
def validate_data(frame: pd.DataFrame, config_file: str) -> pd.DataFrame:
    """Refuse rows and columns that cannot be learnt from."""
    from ml_pipeline import pipeline

    with hopeless_fails_at_once():
        return pipeline.validate_data(frame, config_of(config_file))


@task(multiple_outputs=False)
def preprocess_data(frame: pd.DataFrame, config_file: str) -> dict[str, pd.DataFrame]:
    """Clean and split; fit nothing."""
    from ml_pipeline import pipeline

    with hopeless_fails_at_once():
        return pipeline.preprocess_data(frame, config_of(config_file))


@task(multiple_outputs=False, map_index_template="{{ task.op_kwargs['candidate'] }}")
def cross_validate(
    parts: dict[str, pd.DataFrame], candidate: str, config_file: str
) -> dict[str, Any]:
    """Try one candidate on the folds that all share; skip it where another alone is wanted."""
    from ml_pipeline import pipeline

    config = config_of(config_file)
    if candidate not in [one.name for one in config.candidates]:
        raise AirflowSkipException(f"This run trains {config.candidates[0].name} alone")
    with hopeless_fails_at_once():
        return pipeline.cross_validate(parts["train"], config, candidate)


@task(multiple_outputs=False, trigger_rule=TriggerRule.NONE_FAILED)
def select_model(outcomes: Sequence[dict[str, Any]], config_file: str) -> dict[str, Any]:
    """Choose one of the candidates by its mean and the one-standard-error rule."""
    from ml_pipeline import pipeline

    return pipeline.select_model(outcomes, config_of(config_file))


@task(multiple_outputs=False)
def train_model(
    parts: dict[str, pd.DataFrame], choice: dict[str, Any], config_file: str
) -> dict[str, Any]:
    """Fit the chosen model on the training rows, stage its files and record their checksum."""
    from ml_pipeline import pipeline
    from ml_pipeline.orchestration import results_db

    config = config_of(config_file)
    run = run_of(config)
    with hopeless_fails_at_once():
        reference = pipeline.train_model(parts["train"], choice, config, run)
    results_db.record_model(run, reference)
    return reference


@task(multiple_outputs=False)
def evaluate_model(
    parts: dict[str, pd.DataFrame],
    choice: dict[str, Any],
    reference: dict[str, Any],
    config_file: str,
) -> dict[str, Any]:
    """Judge the recorded model on the hold-out."""
    from ml_pipeline import pipeline
    from ml_pipeline.orchestration import results_db

    config = config_of(config_file)
    trusted = results_db.recorded_reference(run_of(config), reference)
    with hopeless_fails_at_once():
        return pipeline.evaluate_model(parts, choice, trusted, config)


@task(multiple_outputs=False)
def save_results(
    evaluation: dict[str, Any],
    reference: dict[str, Any],
    promotion: dict[str, Any],
    config_file: str,
) -> dict[str, Any]:
    """Publish the run's folder and write its figures into `results_db`."""
    from ml_pipeline import pipeline
    from ml_pipeline.orchestration import results_db

    config = config_of(config_file)
    run = run_of(config)
    trusted = results_db.recorded_reference(run, reference)
    with hopeless_fails_at_once():
        judged = {**evaluation, "promotion": promotion}
        summary = pipeline.save_results(judged, trusted, config, run)
    results_db.record_run(run, summary, evaluation["predictions"])
    return summary


def config_of(config_file: str) -> ProblemConfig:
    """Return the configuration with what was chosen at trigger time."""
    from ml_pipeline.config import load

    with hopeless_fails_at_once():
        return applied(load(config_file), get_current_context()["params"])


def run_of(config: ProblemConfig) -> Run:
    """Return where this run's results go."""
    from ml_pipeline.storage import Run, results_root

    dag_run = get_current_context()["dag_run"]
    with hopeless_fails_at_once():
        return Run(results_root(config), dag_run.run_id, dag_run.dag_id)

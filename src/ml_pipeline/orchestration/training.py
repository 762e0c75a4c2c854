"""The training DAG: one per configuration, `<name>_ml_pipeline`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import DAG

from ml_pipeline.config import ProblemConfig
from ml_pipeline.orchestration import registering, tasks
from ml_pipeline.orchestration.params import training_params

RETRIES = 2
FIRST_RETRY = timedelta(seconds=5)
LAST_RETRY = timedelta(minutes=5)

DOC = """
**{description}**

Reads the data, refuses what is bad, splits, tries every candidate on the same folds, trains the
chosen one, judges it on the hold-out, compares it with the champion, publishes `results/<run>/`,
writes the figures to `results_db`, and registers the model. DataFrames pass from task to task
through XCom.

Trigger it with other parameters to compare: a parameter given here wins over `config/{name}.yaml`.
"""


def build_training_dag(config: ProblemConfig) -> DAG:
    """Return the DAG that trains what `config` describes."""
    name = config.name
    with DAG(
        dag_id=f"{name}_ml_pipeline",
        description=config.description,
        doc_md=DOC.format(description=config.description, name=name),
        schedule=config.schedule,
        start_date=datetime(2024, 1, 1),
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        params=training_params(config),
        tags=["training", name],
        default_args={
            "owner": "ml-pipeline",
            "retries": RETRIES,
            "retry_delay": FIRST_RETRY,
            "retry_exponential_backoff": True,
            "max_retry_delay": LAST_RETRY,
        },
    ) as dag:
        _chain_tasks(config)
    return dag


def _chain_tasks(config: ProblemConfig) -> None:
    file, names = str(config.source), [one.name for one in config.candidates]
    # Each call returns an XComArg, which stands for the value that the task will return.
    loaded: Any = tasks.load_data(file)
    frame: Any = tasks.validate_data(loaded, file)
    parts: Any = tasks.preprocess_data(frame, file)
    trial = tasks.cross_validate.partial(parts=parts, config_file=file)
    outcomes: Any = trial.expand(candidate=names)
    choice: Any = tasks.select_model(outcomes, file)
    reference: Any = tasks.train_model(parts, choice, file)
    evaluation: Any = tasks.evaluate_model(parts, choice, reference, file)
    promotion: Any = registering.compare_with_champion(parts, evaluation, reference, file)
    summary: Any = tasks.save_results(evaluation, reference, promotion, file)
    registering.register_model(summary, promotion, file)

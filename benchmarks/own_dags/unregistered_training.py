"""The product's training DAG without its two tasks of the model registry, to compare with."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from airflow.sdk import DAG

from ml_pipeline.config import load
from ml_pipeline.orchestration import tasks
from ml_pipeline.orchestration.params import training_params

config = load(Path(__file__).resolve().parents[1] / "config" / "breast_cancer.yaml")
file, candidates = str(config.source), [one.name for one in config.candidates]

with DAG(
    dag_id="unregistered_training",
    schedule=None,
    start_date=datetime(2024, 1, 1),
    catchup=False,
    is_paused_upon_creation=False,
    params=training_params(config),
):
    frame: Any = tasks.validate_data(tasks.load_data(file), file)  # type: ignore[arg-type]
    parts: Any = tasks.preprocess_data(frame, file)
    trial = tasks.cross_validate.partial(parts=parts, config_file=file)
    outcomes: Any = trial.expand(candidate=candidates)
    choice: Any = tasks.select_model(outcomes, file)
    reference: Any = tasks.train_model(parts, choice, file)
    evaluation: Any = tasks.evaluate_model(parts, choice, reference, file)
    tasks.save_results(evaluation, reference, {}, file)

"""One training DAG (airflow) per file in config/; configuration.py names those not valid."""

from pathlib import Path

from ml_pipeline.config import load_folder
from ml_pipeline.orchestration.training import build_training_dag

problems, _ = load_folder(Path(__file__).resolve().parents[1] / "config")
for problem in problems:
    globals()[f"{problem.name}_ml_pipeline"] = build_training_dag(problem)

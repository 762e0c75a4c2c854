"""One training DAG (airflow) per file in config/."""

from pathlib import Path

from ml_pipeline.orchestration.training import build_training_dag

for file in sorted(Path(__file__).resolve().parents[1].glob("config/*.yaml")):
    globals()[f"{file.stem}_ml_pipeline"] = build_training_dag(file)

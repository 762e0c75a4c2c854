"""One scoring DAG (airflow) per file in config/ that names new rows to score."""

from pathlib import Path

from ml_pipeline.config import load_folder
from ml_pipeline.orchestration.scoring import build_scoring_dag

problems, _ = load_folder(Path(__file__).resolve().parents[1] / "config")
for problem in problems:
    if problem.scoring.is_configured:
        globals()[f"{problem.name}_scoring"] = build_scoring_dag(problem)

"""`ml-pipeline run`: the pipeline's steps in this process, without Airflow."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer


def run(
    config: Annotated[
        Path | None,
        typer.Option("--config", help="The problem's YAML file.", show_default="breast cancer"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the metrics.")] = False,
) -> None:
    """Run the pipeline here, without Airflow, and show its metrics."""
    from rich.console import Console

    from ml_pipeline.cli.progress import Progress
    from ml_pipeline.cli.tables import metrics_table
    from ml_pipeline.config import load
    from ml_pipeline.ops.project import Project
    from ml_pipeline.registry.model_files import MODEL_SKOPS, sha256

    problem = load(config or Project.here().root / "config" / "breast_cancer.yaml")
    progress = Progress(Console(stderr=True, highlight=False))
    with progress.activity("Importing the machine-learning libraries"):
        from ml_pipeline import pipeline, storage

    run_id = f"local-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
    document = pipeline.run_pipeline(problem, run_id, lambda name: progress.step(name, name))
    if as_json:
        print(json.dumps(document, indent=2))
        return
    Console(highlight=False).print(metrics_table(document))
    folder = storage.Run(storage.results_root(problem), run_id).folder
    print(f"Results: {folder}")
    print(f"SHA-256 of {MODEL_SKOPS}: {sha256((folder / MODEL_SKOPS).read_bytes())}")

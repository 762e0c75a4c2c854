"""The two tasks that make a run's model a version: the comparison, and the registration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import task

from ml_pipeline.orchestration.faults import hopeless_fails_at_once
from ml_pipeline.orchestration.tasks import config_of, run_of

if TYPE_CHECKING:
    import pandas as pd


@task(multiple_outputs=False)
def compare_with_champion(
    parts: dict[str, pd.DataFrame],
    evaluation: dict[str, Any],
    reference: dict[str, Any],
    config_file: str,
) -> dict[str, Any]:
    """Test the new model against the champion on shared folds."""
    from ml_pipeline import lifecycle, pipeline
    from ml_pipeline.orchestration import registry_db, results_db

    config = config_of(config_file)
    trusted = results_db.recorded_reference(run_of(config), reference)
    with hopeless_fails_at_once():
        champion = registry_db.incumbent(registry_db.versions(config), config)
        model = pipeline.referenced_model(trusted, config)
        return lifecycle.compare_with_champion(parts, evaluation, model, champion, config)


@task(multiple_outputs=False)
def register_model(
    summary: dict[str, Any], promotion: dict[str, Any], config_file: str
) -> dict[str, Any]:
    """Register the model as a version, and move the aliases as was decided."""
    from ml_pipeline import lifecycle
    from ml_pipeline.orchestration import registry_db

    config = config_of(config_file)
    known = registry_db.versions(config)
    return lifecycle.register(summary, promotion, known, run_of(config), config)

"""MLflow's runs: what was measured in a training run, and with what."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient

RUN_TAG = "ml_pipeline.run"


def track(
    client: MlflowClient,
    problem: str,
    artifacts: str,
    run: str,
    *,
    metrics: Mapping[str, float],
    params: Mapping[str, Any],
    tags: Mapping[str, str],
) -> str:
    """Record a training run, once however often it is called, and return MLflow's id of it.

    Parameters
    ----------
    client
        From `tracking.open_client`.
    problem
        Names the experiment.
    artifacts
        URI of the results root: MLflow's own default is a folder in the current one.
    run
        Names the run among all of ours.
    metrics, params, tags
        What to record.
    """
    from mlflow.entities import Metric, Param, RunTag

    run = run.replace("'", "_")  # a filter cannot quote it
    experiment = _experiment(client, problem, artifacts)
    found = client.search_runs([experiment], f"tags.`{RUN_TAG}` = '{run}'", max_results=1)
    tags = {**tags, RUN_TAG: run}
    made = found[0] if found else client.create_run(experiment, tags=tags, run_name=run)
    moment = int(time.time() * 1000)
    client.log_batch(
        made.info.run_id,
        metrics=[Metric(name, value, moment, 0) for name, value in metrics.items()],
        # MLflow lets no parameter change; a run that is run again may have others.
        params=[Param(k, str(v)) for k, v in params.items() if k not in made.data.params],
        tags=[RunTag(name, value) for name, value in tags.items()],
    )
    client.set_terminated(made.info.run_id)
    run_id: str = made.info.run_id
    return run_id


def _experiment(client: MlflowClient, problem: str, artifacts: str) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(problem)
    if found is not None:
        return str(found.experiment_id)
    try:
        return str(client.create_experiment(problem, artifact_location=artifacts))
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        return _experiment(client, problem, artifacts)  # another run was quicker

"""The scoring DAG: one per configuration that names new rows, `<name>_scoring`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, get_current_context, task

from ml_pipeline.orchestration.faults import hopeless_fails_at_once

if TYPE_CHECKING:
    import pandas as pd

    from ml_pipeline.config import ProblemConfig

log = logging.getLogger(__name__)

DOC = """
Scores new rows with the champion of **{name}** and, beside it, with the challenger
(`scoring.challenger: {mode}`). Rows that break the training's schema are set aside, each with its
reason. Scores go to `results_db` (`scores`) and to `results/scoring/{name}/`, once per logical
date however often it is run; drift against the training goes into the report there.
"""


def build_scoring_dag(config: ProblemConfig) -> DAG:
    """Return the DAG that scores the new rows that `config` names."""
    name = config.name
    with DAG(
        dag_id=f"{name}_scoring",
        description=f"New rows scored by the champion of {name}",
        doc_md=DOC.format(name=name, mode=config.scoring.challenger),
        schedule=config.scoring.schedule,
        start_date=datetime(2024, 1, 1),
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        tags=["scoring", name],
        default_args={
            "owner": "ml-pipeline",
            "retries": 2,
            "retry_delay": timedelta(seconds=5),
            "retry_exponential_backoff": True,
            "max_retry_delay": timedelta(minutes=5),
        },
    ) as dag:
        summary: Any = score_new_rows(str(config.source))
        check_drift(summary)
    return dag


@task(multiple_outputs=False)
def score_new_rows(config_file: str) -> dict[str, Any]:
    """Score the new rows of this logical date, and publish scores and report."""
    from ml_pipeline import scoring
    from ml_pipeline.orchestration import scoring_db

    context = get_current_context()
    dag_id, run_id = context["dag_run"].dag_id, context["dag_run"].run_id
    with hopeless_fails_at_once():
        config = _config(config_file)
        moment = _moment(context)
        scorers, profile = _at_work(config)
        run = scoring.place(config, dag_id, moment)
        with scoring_db.scoring(dag_id, moment, run_id) as written:
            document, drifts = scoring.score(
                _chunks(config, context, moment),
                scorers,
                profile,
                written.keep,
                written.history,
                run,
                config,
                logical_date=moment.isoformat(),
                source=_source(config, moment),
            )
            written.finish(document)
    log.info("%(scored)d of %(rows)d rows scored, %(set_aside)d set aside", document)
    figures = {one.feature: {"psi": one.psi, "ks": one.ks} for one in drifts if one.is_alert}
    return document | {"folder": scoring.folder_of(run, config), "drifted": figures}


@task
def check_drift(summary: dict[str, Any]) -> int:
    """Warn of each feature that has drifted, and return how many there are."""
    for feature, figures in summary["drifted"].items():
        log.warning("DRIFT: %s has moved since the training: %s", feature, _described(figures))
    if summary["drifted"]:
        log.warning("See %s/report.html in the results folder", summary["folder"])
    return len(summary["drifted"])


def _described(figures: dict[str, float | None]) -> str:
    known = {name.upper(): value for name, value in figures.items() if value is not None}
    return ", ".join(f"{name} {value:.3f}" for name, value in known.items())


def _config(config_file: str) -> ProblemConfig:
    from ml_pipeline.config import load

    return load(config_file)


def _moment(context: Any) -> datetime:
    """Return the logical date; a run that was triggered without one counts as of its own start."""
    moment: datetime = context["dag_run"].logical_date or context["dag_run"].run_after
    return moment


def _source(config: ProblemConfig, moment: datetime) -> str:
    from ml_pipeline import scoring

    if config.scoring.query is not None:
        return f"query on {config.scoring.connection}"
    return scoring.located(config, moment)


def _at_work(config: ProblemConfig) -> tuple[list[Any], dict[str, Any]]:
    """Return the models that score, the champion first, and the champion's training profile."""
    import json

    from ml_pipeline.errors import ConfigError
    from ml_pipeline.orchestration import registry_db
    from ml_pipeline.registry.versions import ALIASES, CHAMPION
    from ml_pipeline.scoring import Scorer
    from ml_pipeline.storage import results_root

    known = registry_db.versions(config)
    wanted = ALIASES if config.scoring.challenger != "none" else ALIASES[:1]
    found = {alias: known.aliased(alias) for alias in wanted}
    champion = found[CHAMPION]
    if champion is None:
        raise ConfigError(
            f"{config.name} has no champion yet. Run {config.name}_ml_pipeline first, or choose "
            "one: ml-pipeline models promote VERSION"
        )
    scorers = [
        Scorer(alias, version.number, registry_db.load(version, config))
        for alias, version in found.items()
        if version is not None
    ]
    folder = (results_root(config) / champion.fact("uri")).parent
    profile: dict[str, Any] = json.loads((folder / "profile.json").read_text(encoding="utf-8"))
    return scorers, profile


def _chunks(config: ProblemConfig, context: Any, moment: datetime) -> Iterator[pd.DataFrame]:
    from ml_pipeline import scoring
    from ml_pipeline.ml import dataset

    if config.scoring.query is not None:
        return _queried(config, context, moment)
    location = scoring.located(config, moment)
    return dataset.read_chunks(config, location, config.scoring.chunk_rows)


def _queried(config: ProblemConfig, context: Any, moment: datetime) -> Iterator[pd.DataFrame]:
    """Yield the rows of the query chunk by chunk, from a cursor that stays on the server."""
    from contextlib import closing

    import pandas as pd
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    interval = {
        "start": context.get("data_interval_start") or moment,
        "end": context.get("data_interval_end") or moment,
    }
    hook = PostgresHook(postgres_conn_id=config.scoring.connection)
    first = 0
    with closing(hook.get_conn()) as connection, connection.cursor(name="new_rows") as cursor:
        cursor.execute(config.scoring.query, interval)
        while rows := cursor.fetchmany(config.scoring.chunk_rows):
            names = [column.name for column in cursor.description]
            frame = pd.DataFrame(rows, columns=names)
            frame.index = pd.RangeIndex(first, first + len(frame))
            first += len(frame)
            yield frame

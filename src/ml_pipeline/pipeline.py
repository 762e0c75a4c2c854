"""The steps of a training run as plain functions, and all of them in one process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml_pipeline.documents import in_order, metrics_csv, metrics_document
from ml_pipeline.ml import (
    dataset,
    drift,
    evaluation,
    importance,
    preprocessing,
    selection,
    training,
    validation,
)
from ml_pipeline.registry import model_files
from ml_pipeline.storage import CLONE, Run, locate, results_root

if TYPE_CHECKING:
    import pandas as pd

    from ml_pipeline.config import ProblemConfig
    from ml_pipeline.config.selection import Candidate

PROFILE = "profile.json"  # what new rows are compared with
CHOSEN = ("candidates", "cross_validation", "nested", "out_of_fold")
Step = Callable[[str], AbstractContextManager[None]]


def _silently(step: str) -> AbstractContextManager[None]:
    return nullcontext()


def load_data(config: ProblemConfig) -> pd.DataFrame:
    """Read the data file; see `dataset.read_table`."""
    return dataset.read_table(config)


def validate_data(frame: pd.DataFrame, config: ProblemConfig) -> pd.DataFrame:
    """Return the rows fit for learning, or raise DataError; see `validation.validate`."""
    return validation.validate(frame, config)


def preprocess_data(frame: pd.DataFrame, config: ProblemConfig) -> dict[str, pd.DataFrame]:
    """Clean and split; fits nothing.

    Returns
    -------
    dict
        `train` and `test`
    """
    return preprocessing.split(preprocessing.clean(frame), config)


def cross_validate(train: pd.DataFrame, config: ProblemConfig, candidate: str) -> dict[str, Any]:
    """Try one candidate on the folds of the training rows; see `selection.try_candidate`."""
    return selection.try_candidate(train, config, candidate)


def select_model(outcomes: Iterable[dict[str, Any]], config: ProblemConfig) -> dict[str, Any]:
    """Choose one of the candidates that were tried; see `selection.choose`."""
    return selection.choose(outcomes, config)


def train_model(
    train: pd.DataFrame, choice: dict[str, Any], config: ProblemConfig, run: Run
) -> dict[str, Any]:
    """Fit the chosen candidate on the training rows and stage its files in the run's folder.

    Returns
    -------
    dict
        The model's reference: `uri` (relative to the results root), `sha256`, `joblib_sha256`,
        `model` (name), `threshold` (of the probability, None where it is one half or there are
        more than two classes), `params` (what the run used).
    """
    candidate = config.candidate(choice["chosen"])
    model = training.fit_pipeline(train, config, candidate)
    with run.writing():
        run.begin()
        checksums = model_files.write_model(model, run.staging)
    return {
        "uri": f"{run.name}/{model_files.MODEL_SKOPS}",
        "sha256": checksums[model_files.MODEL_SKOPS],
        "joblib_sha256": checksums[model_files.MODEL_JOBLIB],
        "model": candidate.name,
        "threshold": training.threshold_of(model),
        "params": _params(candidate, training.parameters_of(model, candidate), config),
    }


def evaluate_model(
    parts: dict[str, pd.DataFrame],
    choice: dict[str, Any],
    reference: dict[str, Any],
    config: ProblemConfig,
) -> dict[str, Any]:
    """Judge the referenced model on the hold-out, which nothing has looked at until here.

    Parameters
    ----------
    parts
        `train` and `test`, from `preprocess_data`.
    choice
        From `select_model`.
    reference
        From `train_model`.

    Returns
    -------
    dict
        `predictions` (DataFrame, one row per hold-out row; see `evaluation.predict`), `holdout`,
        `confusion_matrix`, `groups`, `threshold`, `dataset`, `validation` (the report), `profile`
        (what new rows are held against: `schema`, `features`), and of `choice` its `candidates`,
        `cross_validation`, `nested` and `out_of_fold`; `importance` (see `importance.permutation`).
    """
    train, test = parts["train"], parts["test"]
    model = referenced_model(reference, config)
    predictions = evaluation.predict(model, test, config)
    return {
        **{key: choice[key] for key in CHOSEN},
        "predictions": predictions,
        "holdout": evaluation.holdout(predictions, config),
        "confusion_matrix": evaluation.confusion_matrix(predictions),
        "groups": _groups(predictions, test, config),
        "threshold": _threshold(reference, config),
        "dataset": _dataset(train, test, config),
        "validation": validation.report_of(train),
        "importance": importance.permutation(model, test, config),
        "profile": _profile(train, choice, config),
    }


def save_results(
    evaluation: dict[str, Any], reference: dict[str, Any], config: ProblemConfig, run: Run
) -> dict[str, Any]:
    """Write the run's files and publish its folder, whole, as the latest.

    Returns
    -------
    dict
        `run` (the folder's name), `metrics_path` and `model_uri`, all relative to the results
        root; `metrics` (the document), `model_sha256`, `params`.
    """
    # matplotlib takes half a second to import; no other step draws.
    from ml_pipeline.reporting import write_report

    document = metrics_document(evaluation, reference["model"], config, run)
    params = in_order(reference["params"])
    files = {
        "metrics.json": json.dumps(document, indent=2, allow_nan=False) + "\n",
        "metrics.csv": metrics_csv(document),
        "predictions.csv": evaluation["predictions"].to_csv(index=False, lineterminator="\n"),
        PROFILE: json.dumps(evaluation["profile"], sort_keys=True) + "\n",
    }
    with run.writing():
        _ensure_model_is_staged(reference, run)
        for name, text in files.items():
            (run.staging / name).write_text(text, encoding="utf-8")
        write_report(run.staging, evaluation, document, config)
        facts = {"run_id": run.run_id, "dag_id": run.dag_id, "params": params}
        model_files.write_manifest(run.staging, **facts)
        run.publish()
    return {
        "run": run.name,
        "metrics_path": f"{run.name}/metrics.json",
        "metrics": document,
        "model_uri": reference["uri"],
        "model_sha256": reference["sha256"],
        "params": params,
    }


def run_pipeline(config: ProblemConfig, run_id: str, step: Step = _silently) -> dict[str, Any]:
    """Run all steps in this process and return the metrics document.

    Parameters
    ----------
    config
        The problem.
    run_id
        Names the run's folder.
    step
        Gives, for a step's name, the context that the step runs in, such as one that reports it.

    Raises
    ------
    DataError, ConfigError
        Nothing is left in the results folder then.
    """
    run = Run(results_root(config), run_id)
    try:
        return _run_steps(config, run, step)
    finally:
        run.discard()


def _run_steps(config: ProblemConfig, run: Run, step: Step) -> dict[str, Any]:
    with step("load_data"):
        frame = load_data(config)
    with step("validate_data"):
        frame = validate_data(frame, config)
    with step("preprocess_data"):
        parts = preprocess_data(frame, config)
    train = parts["train"]
    with step("cross_validate"):
        outcomes = _cross_validate_all(train, config)
    with step("select_model"):
        choice = select_model(outcomes, config)
    with step("train_model"):
        reference = train_model(train, choice, config, run)
    with step("evaluate_model"):
        judged = evaluate_model(parts, choice, reference, config)
    with step("save_results"):
        document: dict[str, Any] = save_results(judged, reference, config, run)["metrics"]
    return document


def _cross_validate_all(train: pd.DataFrame, config: ProblemConfig) -> list[dict[str, Any]]:
    """Try the candidates side by side, each on one core."""
    from joblib import Parallel, cpu_count, delayed

    names = [one.name for one in config.candidates]
    workers = Parallel(n_jobs=min(cpu_count(), len(names)))
    outcomes: list[dict[str, Any]] = workers(
        delayed(cross_validate)(train, config, name) for name in names
    )
    return outcomes


def _params(
    candidate: Candidate, parameters: dict[str, Any], config: ProblemConfig
) -> dict[str, Any]:
    return {
        "random_state": config.split.random_state,
        "test_size": config.split.test_size,
        "model": candidate.name,
        "model_parameters": parameters,
    }


def _groups(predictions: pd.DataFrame, test: pd.DataFrame, config: ProblemConfig) -> dict[str, Any]:
    column = config.data.group
    return evaluation.by_group(predictions, test[column], config) if column else {}


def _threshold(reference: dict[str, Any], config: ProblemConfig) -> dict[str, Any]:
    aim = config.selection.threshold
    return {
        "value": reference["threshold"],
        "aim": aim.model_dump() if aim else None,
    }


def referenced_model(reference: dict[str, Any], config: ProblemConfig) -> Any:
    """Load what training staged; a cleared task may find it published already."""
    may_be = locate(results_root(config), reference["uri"])
    places = [place for place in may_be if place.exists()] or may_be
    for place in places[:-1]:
        if model_files.sha256(place.read_bytes()) == reference["sha256"]:
            return model_files.load_model(place, reference["sha256"])
    return model_files.load_model(places[-1], reference["sha256"])


def _dataset(
    train: pd.DataFrame, test: pd.DataFrame, config: ProblemConfig
) -> dict[str, str | int]:
    checksum = train.attrs.get("sha256") or dataset.file_sha256(config)
    return {
        "path": _portable(config.data_location),
        "sha256": checksum,
        "rows": len(train) + len(test),
        "features": len(validation.feature_names(train, config)),
    }


def _profile(train: pd.DataFrame, choice: dict[str, Any], config: ProblemConfig) -> dict[str, Any]:
    """Return what new rows are held against: the schema, and the features' distributions."""
    features = train[validation.feature_names(train, config)]
    verdicts = evaluation.unseen_verdicts(choice["out_of_fold"])
    return {
        "schema": validation.training_schema(validation.report_of(train)),
        "features": drift.profile(features, verdicts),
    }


def _portable(location: str) -> str:
    """Write a path inside the clone as seen from its folder, which may be moved."""
    path = Path(location)
    return path.relative_to(CLONE).as_posix() if path.is_relative_to(CLONE) else location


def _ensure_model_is_staged(reference: dict[str, Any], run: Run) -> None:
    """Bring the published model back when this step is repeated after it was published."""
    checksums = {
        model_files.MODEL_SKOPS: reference["sha256"],
        model_files.MODEL_JOBLIB: reference["joblib_sha256"],
    }
    if _is_staged(checksums, run):
        return
    source = run.folder if run.folder.exists() else run.staging
    contents = {
        name: model_files.read_recorded(source / name, checksum)
        for name, checksum in checksums.items()
    }
    run.begin()
    for name, content in contents.items():
        (run.staging / name).write_bytes(content)


def _is_staged(checksums: dict[str, str], run: Run) -> bool:
    return all(
        (run.staging / name).exists()
        and model_files.sha256((run.staging / name).read_bytes()) == checksum
        for name, checksum in checksums.items()
    )

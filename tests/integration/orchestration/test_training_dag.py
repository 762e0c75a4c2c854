"""The real DAG on a real PostgreSQL: what it publishes, records, refuses and tries again."""

import json

import joblib
import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from ml_pipeline.cli.run import run
from ml_pipeline.config import MODELS
from ml_pipeline.ml.metrics import METRICS

pytestmark = pytest.mark.timeout(900)  # the first test waits for all scenarios
TASKS = (
    "load_data",
    "validate_data",
    "preprocess_data",
    *(f"cross_validate {name}" for name in MODELS),
    "select_model",
    "train_model",
    "evaluate_model",
    "compare_with_champion",
    "save_results",
    "register_model",
)
FILES = {
    "metrics.json",
    "metrics.csv",
    "predictions.csv",
    "manifest.json",
    "profile.json",
    "model.skops",
    "model.joblib",
    "report.html",
    "model_card.md",
    "roc.png",
    "precision_recall.png",
    "calibration.png",
    "threshold.png",
    "confusion_matrix.png",
    "candidates.png",
    "importance.png",
}
FIGURES = ("holdout", "cross_validation")
CHOICE = ("selection", "nested")
FAULT = "Task failed with exception"


def figures(document):
    """Return the figures as text: two that differ in a digit or in their order differ here."""
    return json.dumps([document[part] for part in FIGURES + CHOICE])


@pytest.fixture(scope="module")
def command(played):
    """Run `ml-pipeline run --json` on the configuration that the DAG ran; return both outcomes."""
    app = typer.Typer()
    app.command()(run)
    config = played.project.root / "config" / "breast_cancer.yaml"
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ML_PIPELINE_RESULTS", raising=False)
        done = CliRunner().invoke(app, ["--config", str(config), "--json"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    return played.results / document["run_id"], document


# A run that succeeds


def test_every_task_succeeds_at_its_first_try(played):
    assert played["whole"]["state"] == "success"
    assert played["whole"]["tasks"] == {task: ["success", 1] for task in TASKS}


def test_the_results_folder_is_published_whole(played):
    folder = played.folder("whole")

    assert {file.name for file in folder.iterdir()} == FILES
    assert played.document("whole")["dag_id"] == "breast_cancer_ml_pipeline"
    assert not folder.with_name(folder.name + ".partial").exists()


def test_no_warning_of_a_library_stands_in_the_log(played):
    """The few of Airflow's own in-process API server apart, which no task of a real run has."""
    lines = [line for line in played["whole"]["log"].splitlines() if "[warning" in line]

    assert [line for line in lines if "starlette" not in line.lower()] == []


def test_the_figures_stand_once_in_results_db(played):
    document = played.document("whole")

    ((model, seed, params, folder),) = played.rows(
        "whole", "runs", "model, random_state, params, folder"
    )
    assert (model, seed) == ("logistic_regression", 42)
    assert params == {
        "random_state": 42,
        "test_size": 0.2,
        "model": "logistic_regression",
        "model_parameters": {},
    }
    assert folder == played.folder("whole").name
    rows = played.rows("whole", "metrics", "protocol, metric, value, sd, low, high")
    recorded = {(protocol, metric): rest for protocol, metric, *rest in rows}
    assert len(rows) == len(recorded) == 3 * len(METRICS)
    for metric in METRICS:
        held_out, folded = (document[part][metric] for part in FIGURES)
        assert recorded["holdout", metric] == [
            held_out["value"],
            None,
            held_out["low"],
            held_out["high"],
        ]
        assert recorded["cross_validation", metric] == list(folded.values())


def test_the_predictions_stand_once_in_results_db(played):
    lines = (played.folder("whole") / "predictions.csv").read_text().splitlines()

    rows = played.rows("whole", "predictions", "row_number, row_id, y_true, y_pred, score")
    recorded = [
        f"{row_id},{y_true},{y_pred},{score}" for _, row_id, y_true, y_pred, score in sorted(rows)
    ]
    assert recorded == lines[1:]


def test_the_recorded_checksums_are_those_of_the_published_files(played):
    files = json.loads((played.folder("whole") / "manifest.json").read_text())["files"]

    assert played.rows("whole", "models", "uri, sha256, joblib_sha256") == [
        (
            f"{played.folder('whole').name}/model.skops",
            files["model.skops"]["sha256"],
            files["model.joblib"]["sha256"],
        )
    ]


@pytest.mark.parametrize(
    ("table", "count"), [("runs", 1), ("metrics", 26), ("predictions", 114), ("models", 1)]
)
def test_a_run_that_is_run_again_leaves_each_row_once(played, table, count):
    assert played["quick again"]["run_id"] == played["quick"]["run_id"]
    assert played["quick again"]["state"] == "success"

    assert len(played.rows("quick again", table, "*")) == count


# Determinism


def test_two_runs_give_the_same_figures_to_the_last_digit(played):
    assert played.folder("quick") != played.folder("quick next day")
    assert figures(played.document("quick")) == figures(played.document("quick next day"))


def test_the_command_without_airflow_prints_the_same_figures_to_the_last_digit(played, command):
    assert figures(command[1]) == figures(played.document("whole"))


@pytest.mark.parametrize("name", ["metrics.csv", "predictions.csv"])
def test_the_command_without_airflow_writes_the_same_file(played, command, name):
    ours, airflows = command[0] / name, played.folder("whole") / name

    assert ours.read_bytes() == airflows.read_bytes()


def test_the_command_without_airflow_trains_the_same_model_to_the_last_digit(played, command):
    ours, airflows = (
        joblib.load(folder / "model.joblib") for folder in (command[0], played.folder("whole"))
    )
    names = ours.feature_names_in_
    rows = pd.DataFrame(np.random.default_rng(0).random((50, len(names))), columns=names)

    assert (ours.predict_proba(rows) == airflows.predict_proba(rows)).all()


@pytest.mark.parametrize("name", ["metrics.json", "manifest.json"])
def test_the_command_without_airflow_writes_the_same_document_but_for_run_and_time(
    played, command, name
):
    ours, airflows = (
        json.loads((folder / name).read_text()) for folder in (command[0], played.folder("whole"))
    )

    assert without_run(ours) == without_run(airflows)


NAMING_THE_RUN = ["metrics.json", "model_card.md", "report.html"]
# A zip archive with times in it, and a pickle, which tells equal strings from the same string.
AS_IT_COMES = ["model.skops", "model.joblib"]


def without_run(document):
    """Return a document as text, without what names the run or depends on it."""
    rest = {
        key: value
        for key, value in document.items()
        if key not in {"run_id", "dag_id", "created_at"}
    }
    for name in NAMING_THE_RUN + AS_IT_COMES:
        rest.get("files", {}).pop(name, None)
    return json.dumps(rest)


# Params


def test_a_param_given_at_trigger_time_wins_over_the_yaml_and_is_recorded(played):
    chosen = {"random_state": 7, "test_size": 0.3, "model": "k_nearest_neighbors"}

    document = played.document("params")
    manifest = json.loads((played.folder("params") / "manifest.json").read_text())
    ((params,),) = played.rows("params", "runs", "params")
    assert (document["model"], document["random_state"]) == ("k_nearest_neighbors", 7)
    assert manifest["params"] == params == {**chosen, "model_parameters": {}}
    assert len(played.rows("params", "predictions", "*")) == 171


def test_a_model_given_at_trigger_time_is_tried_alone(played):
    tasks = played["params"]["tasks"]

    assert tasks["cross_validate k_nearest_neighbors"] == ["success", 1]
    assert tasks["cross_validate logistic_regression"][0] == "skipped"
    (alone,) = played.document("params")["selection"]["candidates"]
    assert alone["name"] == "k_nearest_neighbors"


def test_an_unknown_param_fails_the_run_at_once(played):
    assert_failed_at_once(
        played,
        "unknown param",
        "load_data",
        "Got the param 'modle'. Must be one of random_state, test_size, model",
    )


def test_a_param_outside_its_schema_starts_no_run(played):
    assert "0.9 is greater than the maximum of 0.5" in played["param outside its schema"]


# What no retry can mend


@pytest.mark.parametrize(
    ("problem", "task", "message"),
    [
        ("missing_file", "load_data", "missing_file.data: no such file; check `data.path`"),
        ("one_class", "validate_data", "column 'diagnosis': 1 label: 'M'. Must be at least two"),
        ("no_labels", "validate_data", "column 'diagnosis': the target is missing in every row"),
        (
            "not_numeric",
            "validate_data",
            "column 'mean radius', row 1: 'seventeen' is not a number (and 56 more rows): 10% of "
            "the values. Mend it, name the text in `data.missing_values`, or the column in "
            "`data.categorical` or `data.exclude`",
        ),
    ],
)
def test_bad_data_fails_at_once_and_leaves_nothing(played, problem, task, message):
    assert_failed_at_once(played, problem, task, message)

    folder = played.folder(problem)
    assert not folder.exists()
    assert not folder.with_name(folder.name + ".partial").exists()
    assert played.rows(problem, "runs", "*") == played.rows(problem, "models", "*") == []


def test_a_model_file_changed_after_training_is_refused_at_once(played):
    assert_failed_at_once(
        played,
        "tampered",
        "evaluate_model",
        "the file was changed or replaced after training. Restore it or train again",
    )

    assert not played.folder("tampered").exists()
    assert played.rows("tampered", "runs", "*") == []


@pytest.mark.parametrize(
    ("scenario", "message"),
    [
        (
            "other checksum",
            "the record says 000000000000…: the file was changed or replaced after training. "
            "Restore it or train again",
        ),
        ("no checksum", "is recorded in results_db. Clear train_model to train it"),
    ],
)
def test_the_record_in_results_db_is_what_a_model_is_held_against(played, scenario, message):
    assert_failed_at_once(played, scenario, "evaluate_model", message)


def assert_failed_at_once(played, scenario, task, message):
    """Hold a scenario against: one task failed at its first try, with one message, and the rest."""
    run = played[scenario]
    assert run["state"] == "failed"
    assert run["tasks"][task] == ["failed", 1]
    tasks = [name for name in TASKS if not name.startswith("cross_validate")]
    after = tasks[tasks.index(task) + 1 :]
    assert {name: run["tasks"][name][0] for name in after} == dict.fromkeys(
        after, "upstream_failed"
    )
    assert run["log"].count(FAULT) == 1
    fault = run["log"].split(FAULT)[1]
    exceptions = [line for line in fault.splitlines() if "AirflowFailException: " in line]
    assert len(exceptions) == 1
    assert exceptions[0].endswith(message)
    assert "another exception occurred" not in fault


# What a retry mends


def test_a_database_that_does_not_answer_at_first_costs_one_retry(played):
    run = played["unreachable at first"]

    assert run["state"] == "success"
    assert run["tasks"]["train_model"] == ["success", 2]
    assert 'connection to server at "127.0.0.1", port 1 failed' in run["log"]
    assert len(played.rows("unreachable at first", "models", "*")) == 1
    assert figures(played.document("unreachable at first")) == figures(played.document("quick"))


# Configurations


def test_a_broken_configuration_is_an_import_error_and_no_other_dag_goes_stale(played):
    broken = played["broken configuration"]

    assert (broken["is_stale"], broken["has_import_errors"]) == (False, False)
    (error,) = broken["import_errors"].values()
    assert "config/quick.yaml: split.test_size: Got 2." in error


def test_a_mended_configuration_clears_its_import_error(played):
    assert played["mended configuration"]["import_errors"] == {}

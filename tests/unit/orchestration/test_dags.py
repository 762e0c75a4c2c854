"""What Airflow finds in dags/: read in a fresh process, with three configurations, one of them bad.

Nothing asks a database here.
"""

import json
from pathlib import Path

import pytest

from ml_pipeline.config import MODELS
from tests import toy_clone

REPORT = Path(__file__).with_name("dag_report.py")
CANCER, OTHER = "breast_cancer_ml_pipeline", "other_ml_pipeline"
TOO_HEAVY_TO_PARSE = {"matplotlib", "numpy", "pandas", "pyarrow", "scipy", "skops", "sklearn"}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Return what `dag_report.py` says of a clone with problems of its own."""
    root = tmp_path_factory.mktemp("clone") / "a clone"
    toy_clone.lay_out(root)
    shipped = (root / "config" / "breast_cancer.yaml").read_text()
    other = shipped.replace("random_state: 42", "random_state: 7")
    other = other.replace("test_size: 0.2", "test_size: 0.25").replace("schedule: null", "")
    other += "\ncandidates: [svc, {name: bayes, estimator: sklearn.naive_bayes.GaussianNB}]"
    other += '\nschedule: "0 6 * * *"\n'
    (root / "config" / "other.yaml").write_text(other)
    bad = shipped.replace("test_size: 0.2", "test_size: 2")
    (root / "config" / "bad.yaml").write_text(bad)
    done = toy_clone.run(root, REPORT, root, root / "report.json")
    assert done.returncode == 0, done.stderr
    return json.loads((root / "report.json").read_text())


@pytest.fixture
def dag(report):
    return report["dags"][CANCER]


def test_each_valid_configuration_makes_a_dag_of_its_name(report):
    assert set(report["dags"]) == {CANCER, OTHER}


def test_an_invalid_configuration_is_an_import_error_that_names_file_field_and_remedy(report):
    (error,) = report["import_errors"].values()

    last_line = error.strip().splitlines()[-1]
    assert last_line.endswith(
        "config/bad.yaml: split.test_size: Got 2. Must be less than or equal to 0.5"
    )


def test_the_import_error_stands_at_a_file_without_dags_since_it_takes_down_those_of_its_file(
    report,
):
    assert list(report["import_errors"]) == ["configuration.py"]


def test_parsing_imports_no_library_that_only_tasks_need(report):
    assert "airflow.sdk" in report["modules"]
    assert TOO_HEAVY_TO_PARSE & set(report["modules"]) == set()


def test_tasks_follow_each_other_as_the_contract_says(dag):
    assert {name: task["downstream"] for name, task in dag["tasks"].items()} == {
        "load_data": ["validate_data"],
        "validate_data": ["preprocess_data"],
        "preprocess_data": [
            "compare_with_champion",
            "cross_validate",
            "evaluate_model",
            "train_model",
        ],
        "cross_validate": ["select_model"],
        "select_model": ["evaluate_model", "train_model"],
        "train_model": ["compare_with_champion", "evaluate_model", "save_results"],
        "evaluate_model": ["compare_with_champion", "save_results"],
        "compare_with_champion": ["register_model", "save_results"],
        "save_results": ["register_model"],
        "register_model": [],
    }


def test_every_task_is_tried_again_with_growing_pauses(dag):
    for task in dag["tasks"].values():
        assert task["retries"] == 2
        assert task["backs_off"]
        assert 0 < task["retry_seconds"] < task["longest_retry_seconds"] <= 300


def test_the_yaml_gives_the_defaults_and_the_schedule(report):
    cancer, other = report["dags"][CANCER], report["dags"][OTHER]

    assert cancer["defaults"] == {
        "random_state": 42,
        "test_size": 0.2,
        "model": None,
    }
    assert other["defaults"] == {"random_state": 7, "test_size": 0.25, "model": None}
    assert (cancer["schedule"], other["schedule"]) == (None, "0 6 * * *")


def test_a_new_dag_runs_when_triggered_and_never_for_the_past(dag):
    assert (dag["is_paused"], dag["catchup"]) == (False, False)


@pytest.mark.parametrize(
    ("param", "accepted"),
    [
        ("random_state", [0, 2**32 - 1]),
        ("test_size", [0.05, 0.5]),
        ("model", ["svc", None]),
    ],
)
def test_a_param_outside_its_schema_is_refused(dag, param, accepted):
    assert dag["accepted"][param] == accepted


def test_every_candidate_can_be_trained_alone(report):
    assert report["dags"][CANCER]["models"] == [None, *MODELS]
    assert report["dags"][OTHER]["models"] == [None, "svc", "bayes"]


def test_each_candidate_has_a_task_of_its_own(report):
    assert report["dags"][CANCER]["tasks"]["cross_validate"]["mapped_over"] == list(MODELS)
    assert report["dags"][OTHER]["tasks"]["cross_validate"]["mapped_over"] == ["svc", "bayes"]

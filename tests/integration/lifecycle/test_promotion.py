"""Who becomes champion when real DAG runs follow one another, and who does not."""

import json
import subprocess

import pytest

from ml_pipeline.lifecycle import commit
from tests.integration.conftest import REPOSITORY

pytestmark = pytest.mark.timeout(900)  # the first test waits for all scenarios


def decision(version_of, name):
    return version_of[name].facts["decision"]


def test_every_run_succeeds_and_becomes_a_version(lived, version_of):
    failed = [run["log"][-5000:] for run in lived.report.values() if run.get("state") == "failed"]

    assert failed == []
    assert [version_of[name].number for name in ("first", "same again", "better")] == [1, 2, 5]


def test_first_run_becomes_champion(version_of):
    assert decision(version_of, "first") == "champion"
    assert "compared_with" not in version_of["first"].facts


def test_second_run_on_the_same_data_is_challenger_with_the_figures(version_of):
    facts = version_of["same again"].facts

    assert facts["decision"] == "challenger"
    assert "No better than the champion on the same data" in facts["reason"]
    figures = json.loads(facts["difference"])
    assert (figures["mean"], figures["p_value"], figures["folds"]) == (0, 0, 10)
    assert json.loads(facts["compared_with"])["version"] == 1


def test_run_on_shuffled_labels_is_refused(version_of):
    assert decision(version_of, "shuffled") == "refused"
    assert "No better than guessing" in version_of["shuffled"].facts["reason"]
    assert version_of["shuffled"].aliases == ()


def test_run_on_partly_shuffled_labels_is_refused_though_the_paired_test_sees_no_harm(version_of):
    facts = version_of["muddled"].facts

    assert facts["decision"] == "refused"
    assert json.loads(facts["difference"])["p_value"] < 0.05
    assert "worse than the champion's" in facts["reason"]


def test_better_run_is_promoted(version_of):
    facts = version_of["better"].facts

    assert facts["decision"] == "champion"
    assert json.loads(facts["difference"])["mean"] > 0.01
    assert json.loads(facts["compared_with"])["version"] == 1


def test_worse_run_is_challenger_or_refused_and_the_better_one_stays(version_of, contest):
    assert decision(version_of, "weak again") in ("challenger", "refused")
    assert contest.aliased("champion").number == version_of["better"].number


def test_a_run_that_is_run_again_replaces_its_version_as_its_file_is_replaced(version_of, contest):
    """The same figures, but skops writes the time into the file: another checksum."""
    again = version_of["weak once more"]

    assert len(contest.all()) == again.number == 7
    assert contest.get(6).facts["replaced_by"] == "7"
    assert contest.get(6).facts["run_id"] == again.facts["run_id"]


def test_a_version_names_data_commit_versions_report_and_the_file_without_a_copy(
    version_of, lived, contest
):
    version = version_of["better"]
    published = lived.folder("better")

    assert version.facts["data_sha256"] == lived.document("better")["dataset"]["sha256"]
    assert version.facts["uri"] == f"{published.name}/model.skops"
    assert json.loads(version.facts["versions"])["scikit-learn"]
    assert version.facts["report"].startswith(published.name)
    manifest = json.loads((published / "manifest.json").read_text())
    assert version.facts["sha256"] == manifest["files"]["model.skops"]["sha256"]
    experiment = contest.client.get_experiment_by_name("contest")
    assert experiment.artifact_location == lived.results.as_uri()
    assert not list(lived.project.root.rglob("mlruns"))


def test_mlflow_holds_the_metrics_of_every_run(version_of, lived, contest):
    experiment = contest.client.get_experiment_by_name("contest")
    runs = contest.client.search_runs([experiment.experiment_id])

    assert len(runs) == 6
    auc = lived.document("better")["cross_validation"]["roc_auc"]
    values = {run.data.metrics["cross_validation.roc_auc"] for run in runs}
    assert auc["mean"] in values


def test_rollback_restores_the_champion_before(contest, version_of):
    left, back = contest.rollback("for the test")
    try:
        assert (left.number, back.number) == (version_of["better"].number, 1)
        assert contest.aliased("champion").number == 1
    finally:
        contest.promote(contest.get(left.number), "put back")


def test_commit_is_that_of_the_clone():
    head = subprocess.run(
        ["git", "-C", REPOSITORY, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    )

    assert (commit() or "").removesuffix("-dirty") == head.stdout.strip()

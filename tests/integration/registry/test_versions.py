"""Versions, aliases and the way back, in MLflow on PostgreSQL."""

from pathlib import Path

import pytest

from ml_pipeline import model_registry
from ml_pipeline.ops.project import Project
from ml_pipeline.registry import tracking
from ml_pipeline.registry.tracking import RegistryError
from ml_pipeline.registry.versions import MOST_MOVES, Versions, problems


def numbers(versions, alias):
    found = versions.aliased(alias)
    return found.number if found else None


def test_a_problem_of_which_nothing_is_registered_has_no_versions(versions):
    assert versions.all() == []
    assert versions.aliased("champion") is None
    assert versions.moves() == []


def test_each_run_becomes_a_version_with_its_facts(versions, register):
    register("r1", mean="0.9", low="0.8", high="1.0")
    register("r2", mean="0.95")

    assert [version.number for version in versions.all()] == [2, 1]
    assert versions.of_run("d", "r1").figure("mean") == 0.9
    assert versions.problem in problems(versions.client)


def test_a_version_of_somebody_else_has_no_file_that_anything_vouches_for(versions, register):
    register("r1")
    made = versions.client.create_model_version(versions.problem, "results:/theirs", tags={})

    theirs = versions.get(int(made.version))

    assert versions.get(1).fact("uri") == "r1/model.skops"
    with pytest.raises(RegistryError, match="not registered by a run of this pipeline"):
        theirs.fact("uri")


def test_registering_a_run_again_changes_nothing(versions, register):
    first = register("r1")

    assert register("r1").number == first.number
    assert len(versions.all()) == 1


def test_promotion_moves_the_alias_and_takes_the_challenger_s_away(versions, register):
    versions.promote(register("r1"), "first")
    challenger = register("r2")
    versions.challenge(challenger)

    versions.promote(versions.get(challenger.number), "better")

    assert numbers(versions, "champion") == 2
    assert numbers(versions, "challenger") is None
    assert versions.get(2).facts["promoted because"] == "better"
    assert [move["version"] for move in versions.moves()] == [1, 2]


def test_promoting_the_champion_again_records_nothing(versions, register):
    versions.promote(register("r1"), "first")
    versions.promote(versions.get(1), "again")

    assert len(versions.moves()) == 1


def test_rollback_restores_the_champion_before_and_then_the_one_before_that(versions, register):
    for run_id in ("r1", "r2", "r3"):
        versions.promote(register(run_id), "better")

    left, back = versions.rollback("it was not")

    assert (left.number, back.number) == (3, 2)
    assert numbers(versions, "champion") == 2
    assert versions.get(3).facts["rolled back because"] == "it was not"
    assert versions.rollback("nor this")[1].number == 1
    with pytest.raises(RegistryError, match="no earlier champion"):
        versions.rollback("any more?")


def test_a_run_that_publishes_another_model_withdraws_its_earlier_version(versions, register):
    versions.promote(register("r1"), "first")
    versions.promote(register("r2", sha256="b" * 64), "better")

    register("r2", sha256="c" * 64)

    assert versions.get(2).is_withdrawn
    assert numbers(versions, "champion") == 1
    with pytest.raises(RegistryError, match="Promote version 3"):
        versions.promote(versions.get(2), "by hand")


def test_rollback_passes_over_a_version_whose_file_is_gone(versions, register):
    versions.promote(register("r1"), "first")
    versions.promote(register("r2", sha256="b" * 64), "better")
    versions.promote(register("r3", sha256="c" * 64), "better")
    register("r2", sha256="d" * 64)

    assert versions.rollback("worse after all")[1].number == 1


def test_record_of_moves_fits_into_its_tag_however_often_the_champion_changes(versions, register):
    register("r1"), register("r2")
    for step in range(MOST_MOVES + 10):
        versions.promote(versions.get(1 + step % 2), "to and fro")

    assert len(versions.moves()) == MOST_MOVES


def test_a_version_that_is_not_there_is_an_error_that_names_those_that_are(versions, register):
    register("r1")

    with pytest.raises(RegistryError, match=r"no version 7\. There are: 1"):
        versions.get(7)


def test_superseded_runs_are_those_whose_versions_nothing_needs(
    versions, register, project, monkeypatch
):
    for run_id in ("former", "champion", "challenger", "staging", "superseded"):
        register(f"{versions.problem}-{run_id}")
    first, second, third, fourth, _ = reversed(versions.all())
    versions.promote(first, "first")
    versions.promote(second, "better")
    versions.challenge(third)
    versions.client.set_registered_model_alias(versions.problem, "staging", str(fourth.number))
    monkeypatch.setattr(Project, "here", classmethod(lambda cls: project))

    found = model_registry.superseded_runs()

    own = {run_id for _, run_id in found if str(run_id).startswith(f"{versions.problem}-")}
    assert own == {f"{versions.problem}-superseded"}


def test_superseded_runs_of_a_tracking_server_are_those_that_it_knows(
    versions, register, registry_uri, monkeypatch
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registry_uri)
    monkeypatch.setattr(Project, "here", classmethod(lambda cls: Project(Path("/nowhere"))))
    register(f"{versions.problem}-superseded")

    assert ("d", f"{versions.problem}-superseded") in model_registry.superseded_runs()


def test_a_registry_that_does_not_answer_is_not_taken_for_an_empty_one(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    versions = Versions(tracking.open_client("http://127.0.0.1:1", "file:///nowhere"), "cancer")

    for question in (versions.all, versions.moves, lambda: versions.aliased("champion")):
        with pytest.raises(RegistryError, match="does not answer"):
            question()

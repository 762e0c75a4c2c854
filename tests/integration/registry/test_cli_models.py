"""`ml-pipeline models` on a real registry."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from ml_pipeline.cli.models import app
from ml_pipeline.ops import postgres
from ml_pipeline.ops.project import Project
from ml_pipeline.registry.tracking import RegistryError

FACTS = {
    "model": "svc",
    "metric": "roc_auc",
    "mean": "0.9951",
    "low": "0.991",
    "high": "0.999",
    "data_sha256": "d606af41",
    "decision": "challenger",
    "reason": "No better than the champion on the same data",
    "difference": '{"mean": 0.0, "p_value": 0.2}',
}


@pytest.fixture
def models(project: Project, versions: Any, register: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Two versions, the first of which is champion; return a function that runs a command."""
    monkeypatch.setattr(Project, "here", classmethod(lambda cls: project))
    versions.promote(register("r1", **FACTS), "first")
    versions.challenge(register("r2", **FACTS))

    def run(*arguments: str) -> Any:
        done = CliRunner().invoke(app, [*arguments, "--problem", versions.problem])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return run


def test_list_shows_aliases_metric_age_and_data(models: Any) -> None:
    output = models("list").output

    assert "champion" in output and "challenger" in output
    assert "0.995 [0.991, 0.999]" in output and "roc_auc" in output
    assert "d606af41" in output and " s " in output


def test_list_at_80_columns_gives_each_version_one_line(
    models: Any, versions: Any, register: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    register("r3", **FACTS | {"model": "hist_gradient_boosting", "metric": "balanced_accuracy"})
    monkeypatch.setenv("COLUMNS", "80")
    title, _, *lines = models("list").output.splitlines()

    assert "balanced_accuracy or roc_auc" in title
    assert len(lines) == 3
    assert "(challenger)" in lines[0] and "hist_gradient_boosting" in lines[0]


def test_list_as_json_holds_every_version(models: Any, versions: Any) -> None:
    (found,) = json.loads(models("list", "--json").stdout).values()

    assert [one["version"] for one in found] == [2, 1]
    assert found[1]["aliases"] == ["champion"]
    assert found[0]["mean"] == 0.9951
    assert found[0]["difference"]["p_value"] == 0.2


def test_show_gives_evidence_and_reason(models: Any) -> None:
    output = models("show", "2").output
    document = json.loads(models("show", "1", "--json").stdout)

    assert "No better than the champion" in output
    assert "p_value" in output
    assert [move["move"] for move in document["moves"]] == ["promoted"]
    assert document["promoted because"] == "first"


def test_promote_and_rollback_say_who_is_champion(models: Any, versions: Any) -> None:
    assert "Version 2" in models("promote", "2", "--reason", "looks better").output
    assert versions.get(2).facts["promoted because"] == "looks better"

    assert "Version 1" in models("rollback").output
    assert versions.aliased("champion").number == 1
    assert json.loads(models("promote", "2", "--json").stdout)["aliases"] == ["champion"]


def test_problem_that_nobody_registered_is_an_error_that_names_the_others(
    models: Any, versions: Any
) -> None:
    done = CliRunner().invoke(app, ["show", "1", "--problem", "absent"])

    assert isinstance(done.exception, RegistryError)
    assert versions.problem in str(done.exception)


def test_registry_answers_though_the_stack_is_down_and_is_down_again_afterwards(
    clone: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Project, "here", classmethod(lambda cls: clone))
    assert not postgres.is_running(clone)

    done = CliRunner().invoke(app, ["list"])

    assert done.output == "No run has registered a model yet.\n"
    assert not postgres.is_running(clone)

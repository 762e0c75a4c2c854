"""`ml-pipeline run` and `ml-pipeline config check`: stdout for the result, one line for a fault."""

import json
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import ml_pipeline
from ml_pipeline.cli import config as config_command
from ml_pipeline.cli.run import run
from ml_pipeline.errors import ConfigError, DataError

CLONE = Path(__file__).parents[2]

app = typer.Typer()
app.command()(run)
app.add_typer(config_command.app, name="config")


def invoke(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture
def quick(tmp_path, monkeypatch):
    """Return a configuration under a quick protocol in a folder with a space in its path."""
    monkeypatch.setenv("ML_PIPELINE_RESULTS", str(tmp_path / "results"))
    folder = tmp_path / "a folder"
    folder.mkdir()
    shutil.copy(CLONE / "data" / "wdbc.data", tmp_path)
    text = (CLONE / "config" / "breast_cancer.yaml").read_text()
    text = text.replace("../data/wdbc.data", "../wdbc.data").replace("standard ", "quick ")
    text += "\ncandidates:\n  - name: logistic_regression\n    parameters: {}\n"
    (folder / "cancer.yaml").write_text(text)
    return folder / "cancer.yaml"


def test_run_prints_the_metrics_and_where_the_results_lie(quick, tmp_path):
    result = invoke("run", "--config", quick)

    assert result.exit_code == 0
    assert "1x3-fold mean [95 %]" in result.stdout
    assert "roc_auc" in result.stdout
    *_, folder, checksum = result.stdout.splitlines()
    folder = Path(folder.removeprefix("Results: "))
    assert folder == (tmp_path / "results" / "latest").resolve()
    assert ml_pipeline.load_model(folder, expected_sha256=checksum.rsplit(" ", 1)[1])


def test_run_with_json_prints_the_document_and_nothing_else(quick, tmp_path):
    result = invoke("run", "--config", quick, "--json")

    saved = (tmp_path / "results" / "latest" / "metrics.json").read_text()
    assert json.loads(result.stdout) == json.loads(saved)


def test_run_reports_each_step_on_stderr(quick):
    result = invoke("run", "--config", quick, "--json")

    assert [step for step in ("load_data", "save_results") if step in result.stderr] == [
        "load_data",
        "save_results",
    ]


def test_run_with_a_missing_configuration_is_a_users_error(tmp_path):
    assert isinstance(invoke("run", "--config", tmp_path / "no.yaml").exception, ConfigError)


def test_config_check_tells_what_it_found(quick):
    result = invoke("config", "check", quick)

    assert result.stdout == (
        f"{quick}: fine. 569 rows, 30 features, diagnosis: B 357, M 212 (positive: M), "
        "logistic_regression\n"
    )


def test_config_check_without_a_file_checks_those_of_the_project():
    result = invoke("config", "check")

    assert f"{CLONE / 'config' / 'breast_cancer.yaml'}: fine." in result.stdout


def test_config_check_refuses_a_parameter_value_that_the_model_refuses(quick):
    quick.write_text(quick.read_text().replace("parameters: {}", "parameters: {C: -1}"))

    error = invoke("config", "check", quick).exception

    assert isinstance(error, ConfigError)
    assert "'C'" in str(error)


def test_config_check_refuses_data_that_is_not_there(quick, tmp_path):
    (tmp_path / "wdbc.data").unlink()

    assert isinstance(invoke("config", "check", quick).exception, DataError)

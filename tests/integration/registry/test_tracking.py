"""MLflow's tables are made under a lock and upgraded; a run is tracked once; nothing lies about."""

import os
import subprocess
import sys

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from mlflow.store.db import utils
from sqlalchemy import create_engine

from ml_pipeline.ops import secrets
from ml_pipeline.ops.postgres.connections import connected
from ml_pipeline.ops.postgres.urls import parse
from ml_pipeline.registry import tracking
from ml_pipeline.registry.training_runs import RUN_TAG, track

OPEN = """
import sys
from ml_pipeline.registry import tracking
client = tracking.open_client(sys.argv[1], "file:///nowhere")
print(client.get_experiment("0").artifact_location)
"""


@pytest.fixture
def empty_uri(project, registry_uri):
    """An empty database of `ml_user`'s, for first uses."""
    admin = parse(secrets.read(project.secrets, "mlflow_db_url"))
    superuser = secrets.read(project.secrets, "postgres_password")
    with connected(admin.for_role("postgres", superuser, "postgres")) as connection:
        cursor = connection.cursor()
        cursor.execute("DROP DATABASE IF EXISTS first_use WITH (FORCE)")
        cursor.execute("CREATE DATABASE first_use OWNER ml_user")
    return registry_uri.replace("/mlflow_db", "/first_use")


def test_first_uses_at_the_same_time_make_the_tables_once(empty_uri, tmp_path):
    arguments = [sys.executable, "-c", OPEN, empty_uri]
    openers = [
        subprocess.Popen(arguments, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    outputs = [opener.communicate(timeout=120) for opener in openers]

    assert [opener.returncode for opener in openers] == [0, 0, 0], outputs
    assert {out.decode().strip() for out, _ in outputs} == {"file:///nowhere/0"}
    assert list(tmp_path.iterdir()) == []  # no ./mlruns


def test_tables_of_an_older_mlflow_are_upgraded(empty_uri):
    engine = create_engine(empty_uri)
    make_tables_of_the_version_before(engine)
    assert utils._get_schema_version(engine) != utils._get_latest_schema_revision()

    client = tracking.open_client(empty_uri, "file:///nowhere")

    assert utils._get_schema_version(engine) == utils._get_latest_schema_revision()
    assert client.search_registered_models() == []
    engine.dispose()


def make_tables_of_the_version_before(engine):
    utils.InitialBase.metadata.create_all(engine)
    config = utils._get_alembic_config(engine.url.render_as_string(hide_password=False))
    script = ScriptDirectory.from_config(config)
    before = script.get_revision(utils._get_latest_schema_revision()).down_revision
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, before)


def test_a_run_is_tracked_once_with_what_was_measured(versions):
    arguments = (versions.client, versions.problem, "file:///results", "d/run's 1")
    for value in (0.8, 0.9):
        run_id = track(
            *arguments, metrics={"roc_auc": value}, params={"seed": 1}, tags={"data": "abc"}
        )

    experiment = versions.client.get_experiment_by_name(versions.problem)
    (run,) = versions.client.search_runs([experiment.experiment_id])
    assert run.info.run_id == run_id
    assert run.data.metrics == {"roc_auc": 0.9}
    assert run.data.params == {"seed": "1"}
    assert run.data.tags["data"] == "abc"
    assert run.data.tags[RUN_TAG] == "d/run_s 1"
    assert run.info.status == "FINISHED"
    assert experiment.artifact_location == "file:///results"


def test_registry_that_does_not_answer_is_one_line_without_the_password(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(tracking.RegistryError) as raised:
        tracking.open_client("postgresql+psycopg2://me:secret@127.0.0.1:1/mlflow_db", "file:///x")

    message = str(raised.value)
    assert "127.0.0.1:1/mlflow_db does not answer" in message
    assert "secret" not in message and "\n" not in message


def test_the_user_s_tracking_server_wins(monkeypatch):
    monkeypatch.setenv(tracking.URI_VARIABLE, "https://mlflow.example.org")

    assert tracking.tracking_uri("postgresql://own") == "https://mlflow.example.org"


def test_without_any_registry_the_message_says_how_to_get_one(monkeypatch):
    monkeypatch.delenv(tracking.URI_VARIABLE, raising=False)

    with pytest.raises(tracking.RegistryError, match=r"\./start_airflow\.sh"):
        tracking.tracking_uri(None)


def test_mlflow_reports_nothing_to_anybody_and_starts_no_thread():
    code = (
        "import threading; from ml_pipeline.registry import tracking; import mlflow; "
        "from mlflow.telemetry import get_telemetry_client as client; "
        "print(client(), threading.active_count())"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW", "CI"))}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == ["None", "1"]

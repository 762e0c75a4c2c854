"""From a fresh clone to a finished run: what the README promises, on a clone with a space."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from http.client import HTTPConnection

import pytest

from ml_pipeline.config import MODELS
from tests.running_clone import DAG_ID, Clone

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(500)]
TASKS = [
    "load_data",
    "validate_data",
    "preprocess_data",
    "select_model",
    "train_model",
    "evaluate_model",
    "compare_with_champion",
    "save_results",
    "register_model",
]
FirstStart = tuple[Clone, subprocess.CompletedProcess[str]]


def test_first_start_shows_every_task_and_ends_well(first_start: FirstStart) -> None:
    _, start = first_start
    assert start.returncode == 0, start.stdout + start.stderr
    ends = [re.search(rf"^✓ {task}  \d+\.\d s$", start.stdout, re.MULTILINE) for task in TASKS]
    assert all(ends), start.stdout
    assert [match.start() for match in ends if match] == sorted(m.start() for m in ends if m)
    for name in MODELS:
        assert re.search(rf"^✓ cross_validate {name}  \d+\.\d s$", start.stdout, re.MULTILINE)


def test_first_start_prints_metrics_place_address_and_no_password(first_start: FirstStart) -> None:
    clone, start = first_start
    assert "roc_auc" in start.stdout
    assert str(clone.root / "results") in start.stdout
    assert f"http://localhost:{clone.port}" in start.stdout
    assert "admin_password" in start.stdout
    assert clone.password() not in start.stdout + start.stderr
    assert "Traceback" not in start.stdout + start.stderr


def test_status_when_all_is_up_is_healthy_and_clean(clone: Clone) -> None:
    status = clone.status()
    assert set(status["components"]) == {
        "postgres",
        "api-server",
        "scheduler",
        "dag-processor",
        "triggerer",
        "zombie-monitor",
    }
    assert all(each["healthy"] for each in status["components"].values())
    assert (status["zombies"], status["orphans"]) == (0, 0)
    assert status["url"] == f"http://localhost:{clone.port}"


def test_second_start_says_that_it_is_running_and_where(clone: Clone) -> None:
    second = clone.up()
    assert second.returncode == 0
    assert f"Already running: http://localhost:{clone.port}" in second.stdout


def test_prepare_when_running_says_so_and_leaves_it_alone(clone: Clone) -> None:
    keeper = clone.record.keeper_pid
    prepare = clone.sh("ml-pipeline prepare")
    assert prepare.returncode == 0
    assert f"Already running: http://localhost:{clone.port}" in prepare.stdout
    assert clone.record.keeper_pid == keeper


def test_results_hold_the_metrics_and_latest_names_them(clone: Clone) -> None:
    latest = clone.root / "results" / "latest"
    metrics = json.loads((latest / "metrics.json").read_text())
    assert metrics["cross_validation"]["accuracy"]["mean"] >= 0.97
    assert metrics["cross_validation"]["roc_auc"]["mean"] >= 0.99
    assert metrics["positive_class"] == "M"
    names = {path.name for path in latest.iterdir()}
    assert {"metrics.csv", "predictions.csv", "model.skops", "manifest.json"} <= names


def test_run_when_triggered_again_gives_the_same_metrics_to_the_last_digit(clone: Clone) -> None:
    api = clone.api()
    run_id = api.trigger(DAG_ID)
    assert clone.finish(run_id) == "success"
    first, again = (
        api.xcom(DAG_ID, run, "save_results")["metrics"] for run in (api.first_run(DAG_ID), run_id)
    )
    assert again["run_id"] == run_id != first["run_id"]
    for part in ("holdout", "cross_validation", "nested", "selection", "dataset"):
        assert again[part] == first[part]


def test_run_when_triggered_with_params_uses_and_records_them(clone: Clone) -> None:
    api = clone.api()
    run_id = api.trigger(DAG_ID, {"random_state": 7, "model": "svc"})
    assert clone.finish(run_id) == "success"
    metrics = api.xcom(DAG_ID, run_id, "save_results")["metrics"]
    assert (metrics["random_state"], metrics["model"]) == (7, "svc")


def test_results_db_holds_the_run(clone: Clone) -> None:
    url = clone.sh("ml-pipeline db url results").stdout.strip()
    query = "SELECT count(*) FROM metrics WHERE metric = 'roc_auc'"
    answer = clone.sh(
        f"python -c 'import psycopg2, sys; c = psycopg2.connect(sys.argv[1]).cursor(); "
        f'c.execute(sys.argv[2]); print(c.fetchone()[0])\' "{url}" "{query}"'
    )
    assert int(answer.stdout) >= 1, answer.stderr


def test_ui_answers_and_listens_on_loopback_only(clone: Clone) -> None:
    with urllib.request.urlopen(f"http://localhost:{clone.port}/", timeout=10) as page:
        assert page.status == 200
    listening = {
        connection.laddr.ip
        for connection in clone.component("api-server").net_connections("tcp")
        if connection.status == "LISTEN"
    }
    assert listening == {"127.0.0.1"}


def test_log_in_when_the_ui_is_reached_by_another_name_stays_under_that_name(clone: Clone) -> None:
    web = HTTPConnection("127.0.0.1", clone.port, timeout=10)
    web.request("GET", "/api/v2/auth/login", headers={"Host": "airflow.example.org"})
    answer = web.getresponse()
    assert (answer.status, answer.getheader("Location")) == (307, "/auth/login/")


def test_secrets_are_the_owner_s_alone_and_in_no_argument_and_no_log(clone: Clone) -> None:
    folder = clone.project.secrets
    assert folder.stat().st_mode & 0o777 == 0o700
    files = [path for path in folder.iterdir() if path.is_file()]
    assert files
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    passwords = [path.read_text() for path in files if path.name.endswith(("_password", "_key"))]
    arguments = subprocess.run(["ps", "axww"], capture_output=True, text=True).stdout
    logs = "".join(path.read_text(errors="replace") for path in clone.project.logs.rglob("*.log"))
    assert not any(password in arguments or password in logs for password in passwords)


def test_dags_test_prints_a_successful_run(clone: Clone) -> None:
    result = clone.sh(f"airflow dags test {DAG_ID}", timeout_seconds=200)
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(
        r"DagRun Finished.*state=success|state='?success", result.stdout + result.stderr
    )

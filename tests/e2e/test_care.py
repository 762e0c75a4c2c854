"""Backup, restore and maintenance on a whole stack, by the commands of docs/maintenance.md."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from uuid import uuid4

import psycopg2
import pytest

from ml_pipeline.ops import secrets
from tests.running_clone import REPOSITORY, Clone

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(500)]
BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OLD_ROWS = """
DELETE FROM log WHERE event IN ('old', 'new');
DELETE FROM dag_run WHERE dag_id = 'gone';
INSERT INTO log (dttm, event) VALUES (now() - interval '60 days', 'old'), (now(), 'new');
INSERT INTO dag_run (dag_id, run_id, run_type, state, run_after, start_date, clear_number,
                     span_status)
SELECT 'gone', 'manual__' || days, 'manual', 'success',
       now() - make_interval(days => days), now() - make_interval(days => days), 0, 'not_started'
FROM unnest(ARRAY[10, 60]) days;
"""


def query(clone: Clone, statement: str) -> list[tuple[object, ...]]:
    url = clone.sh("ml-pipeline db url").stdout.strip()
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def succeeded(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_maintenance_dag_cleans_the_database_and_the_disk_from_inside_a_task(clone: Clone) -> None:
    query(clone, OLD_ROWS)
    logs = clone.project.logs / "dag_id=gone"
    (logs / "run_id=manual__60").mkdir(parents=True, exist_ok=True)
    succeeded(clone.sh(f"touch -d '60 days ago' '{logs}/run_id=manual__60'"))
    api = clone.api()
    run_id = api.trigger("maintenance", {"keep_days": 30})
    for _ in api.follow("maintenance", run_id):
        pass
    assert api.run_state("maintenance", run_id) == "success"
    assert query(clone, "SELECT event FROM log WHERE event IN ('old', 'new')") == [("new",)]
    runs = query(clone, "SELECT run_id FROM dag_run WHERE dag_id = 'gone'")
    assert runs == [("manual__10",)]
    assert not (logs / "run_id=manual__60").exists()


def test_commands_of_the_page_bring_a_stack_back_whose_secrets_were_lost(
    clone: Clone, tmp_path: Path
) -> None:
    page = (REPOSITORY / "docs" / "maintenance.md").read_text()
    backup, restore, *prune = BLOCK.findall(page)
    name, password = f"kept_{uuid4().hex}", clone.password()
    succeeded(clone.sh(f"airflow connections add {name} --conn-uri http://me:hush@example.org"))
    home = str(tmp_path)

    assert "Backed up airflow_db" in succeeded(clone.sh(backup, HOME=home))
    succeeded(clone.sh(f"airflow connections delete {name}"))
    down, load, start = restore.strip().splitlines()
    succeeded(clone.sh(down))
    for secret in ("fernet_key", "admin_password", "jwt_secret", "api_secret_key"):
        (clone.project.secrets / secret).unlink()
    secrets.write(clone.project.secrets, "admin_password", "another")
    assert "Restored airflow_db" in succeeded(clone.sh(load, HOME=home))
    succeeded(clone.sh(f"{start} --port {clone.port}", timeout_seconds=300))

    clone.await_health()
    assert clone.password() == password
    clone.api().first_run("breast_cancer_ml_pipeline")  # logs in with that password
    kept = json.loads(succeeded(clone.sh(f"airflow connections get {name} -o json")))
    assert kept[0]["password"] == "hush"
    for commands in prune:
        assert re.search(
            r"^(Removed|Would remove) ", succeeded(clone.sh(f"set -e; {commands}")), re.MULTILINE
        )

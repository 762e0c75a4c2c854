"""A clone with its own database, in which every scenario is played once for all tests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from ml_pipeline.ops import postgres, secrets
from ml_pipeline.ops.postgres.urls import parse
from ml_pipeline.ops.project import Project
from ml_pipeline.storage import folder_name
from tests import toy_clone
from tests.integration.conftest import copy_of

SCENARIOS = Path(__file__).with_name("scenarios.py")


@dataclass(frozen=True)
class Played:
    """What came of the scenarios.

    Parameters
    ----------
    project
        The clone; its database runs.
    report
        What `scenarios.py` wrote, by scenario.
    """

    project: Project
    report: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.report[name]

    @property
    def results(self) -> Path:
        return self.project.root / "results"

    def folder(self, name: str) -> Path:
        """Return the results of a scenario's run, whether there are any or not."""
        run = self.report[name]
        return self.results / folder_name(run["run_id"], run["dag_id"])

    def document(self, name: str) -> dict[str, Any]:
        return dict(json.loads((self.folder(name) / "metrics.json").read_text()))

    def rows(self, name: str, table: str, columns: str) -> list[tuple[Any, ...]]:
        """Return what `results_db` holds of a scenario's run."""
        url = secrets.read(self.project.secrets, "results_db_url")
        assert url is not None
        connection = psycopg2.connect(parse(url).libpq())
        try:
            with connection.cursor() as cursor:
                run = self.report[name]
                query = f"SELECT {columns} FROM {table} WHERE dag_id = %s AND run_id = %s"
                cursor.execute(query, (run["dag_id"], run["run_id"]))
                return list(cursor.fetchall())
        finally:
            connection.close()


@pytest.fixture(scope="session")
def played(stopped_project: Project, open_folder: Path) -> Iterator[Played]:
    """Play all scenarios in a process of their own; the database runs until the session ends."""
    project = copy_of(stopped_project, open_folder / "a clone with Airflow")
    toy_clone.lay_out(project.root)
    _write_problems(project.root)
    postgres.start(project)
    try:
        done = toy_clone.run(project.root, SCENARIOS, project.root)
        assert done.returncode == 0, done.stdout + done.stderr
        yield Played(project, json.loads((project.root / "played.json").read_text()))
    finally:
        postgres.stop(project)


def _write_problems(root: Path) -> None:
    """Write configurations beside the shipped one: a quick protocol, and data of each bad kind.

    The shipped one itself gets fewer folds: all its candidates and estimates, in less time.
    """
    cancer = root / "config" / "breast_cancer.yaml"
    shipped = cancer.read_text()
    standard = "  protocol: standard "
    assert standard in shipped
    cancer.write_text(shipped.replace(standard, f"  folds: 3\n  repeats: 2\n{standard}"))
    lines = (root / "data" / "wdbc.data").read_text().splitlines(keepends=True)
    data = {
        "one_class": [line for line in lines if ",M," in line],
        "no_labels": [line.replace(",M,", ",,").replace(",B,", ",,") for line in lines],
        "not_numeric": [
            re.sub(r"(?<=,[MB],)[^,]+", "seventeen", line) if place % 10 == 0 else line
            for place, line in enumerate(lines)
        ],
    }
    for name, rows in data.items():
        (root / "data" / f"{name}.data").write_text("".join(rows))
    for name in (*data, "missing_file"):
        problem = shipped.replace("data/wdbc.data", f"data/{name}.data")
        (root / "config" / f"{name}.yaml").write_text(problem)
    quick = shipped.replace("protocol: standard", "protocol: quick")
    quick += "\ncandidates: [logistic_regression, k_nearest_neighbors]\n"
    (root / "config" / "quick.yaml").write_text(quick)

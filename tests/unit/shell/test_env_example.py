"""What .env.example tells: every setting that the code reads, and its default."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from ml_pipeline.cli import prune, up
from ml_pipeline.xcom.settings import DEFAULT_THRESHOLD

from .shells import REPOSITORY, SCRIPT, Shell

EXAMPLE = REPOSITORY / ".env.example"
CODE = ("*.sh", "*.py", "scripts/*.sh", "src/**/*.py", "dags/*.py", "airflow_home/**/*.py")
# Between our own processes; nobody sets them.
INTERNAL = {
    "ML_PIPELINE_EMBEDDED_DATABASE",
    "ML_PIPELINE_FROM_ENV_FILE",
    "ML_PIPELINE_HOME",
    "ML_PIPELINE_SOCKET",
    "ML_PIPELINE_SOURCED_BY",
    "ML_PIPELINE_STACK",
    "ML_PIPELINE_USER",
    "ML_PIPELINE_WEB_LISTENER",
    "ML_PIPELINE_WEB_PREDECESSORS",
}
LISTED = re.compile(r"^#((?:ML_PIPELINE|AIRFLOW)_\w+)=(.*)$", re.MULTILINE)


def listed() -> dict[str, str]:
    return dict(LISTED.findall(EXAMPLE.read_text()))


def read_by_the_code() -> set[str]:
    files = [path for pattern in CODE for path in REPOSITORY.glob(pattern)]
    texts = [path.read_text() for path in files if ".venv" not in path.parts]
    return {name for text in texts for name in re.findall(r"ML_PIPELINE_[A-Z_]*[A-Z]", text)}


def test_every_setting_that_the_code_reads_is_listed_and_no_other() -> None:
    ours = {name for name in listed() if name.startswith("ML_PIPELINE_")}
    assert ours == read_by_the_code() - INTERNAL


def test_every_listed_setting_is_explained_in_a_line_before_it() -> None:
    unexplained = [
        line
        for before, line in pairwise(EXAMPLE.read_text().splitlines())
        if LISTED.match(line) and not before.startswith("# ")
    ]
    assert not unexplained


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("ML_PIPELINE_HOST", up.DEFAULT_HOST),
        ("ML_PIPELINE_PORT", up.DEFAULT_PORT),
        ("ML_PIPELINE_KEEP_DAYS", prune.DEFAULT_DAYS),
        ("ML_PIPELINE_XCOM_THRESHOLD", DEFAULT_THRESHOLD),
    ],
)
def test_a_listed_default_is_the_code_s(name: str, default: object) -> None:
    assert listed()[name] == str(default)


def test_the_listed_number_of_web_server_processes_is_gunicorn_s() -> None:
    settings = (REPOSITORY / "gunicorn.conf.py").read_text()
    default = re.search(r'get\("ML_PIPELINE_API_WORKERS", "(\d+)"\)', settings)
    assert default and listed()["ML_PIPELINE_API_WORKERS"] == default[1]


def test_a_copy_of_the_example_changes_nothing(shell: Shell, clone: Path) -> None:
    without = shell.environment(f". ./{SCRIPT}", clone)
    (clone / ".env").write_text(EXAMPLE.read_text())
    assert shell.environment(f". ./{SCRIPT}", clone) == without


def test_every_listed_setting_can_be_set_in_the_file(shell: Shell, clone: Path) -> None:
    (clone / ".env").write_text(LISTED.sub(r"\1=7", EXAMPLE.read_text()))
    environment = shell.environment(f". ./{SCRIPT}", clone)
    assert [name for name in listed() if environment.get(name) != "7"] == []

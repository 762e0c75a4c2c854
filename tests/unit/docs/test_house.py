"""What must stand nowhere: commands of Airflow 2, and paths of somebody's machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .documents import REPOSITORY, Document, document, for_each_document, tracked_files

HERE = Path(__file__)
GONE_IN_AIRFLOW_3 = re.compile(
    r"\bairflow (webserver|initdb|upgradedb|resetdb|list_dags|trigger_dag|run)\b|"
    r"\bairflow backfill\b(?! create)|"
    r"\bdb (init|upgrade)\b"
)
OF_A_MACHINE = re.compile(r"/(?:home|Users)/(?!linuxbrew\b)\w+/|/root/\w")
TEXTUAL = {"", ".cfg", ".conf", ".md", ".py", ".service", ".sh", ".toml", ".txt", ".yaml", ".yml"}
CHANGES = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]


def lines_with(pattern: re.Pattern[str], files: list[Path]) -> list[str]:
    return [
        f"{path.relative_to(REPOSITORY)}:{number}: {line.strip()[:100]}"
        for path in files
        if path.suffix in TEXTUAL and path != HERE
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_command_of_airflow_2_stands_anywhere() -> None:
    assert lines_with(GONE_IN_AIRFLOW_3, list(tracked_files())) == []


def test_no_path_of_a_machine_stands_in_a_document_or_in_the_code() -> None:
    files = [path for path in tracked_files() if "tests" not in path.parts]
    assert lines_with(OF_A_MACHINE, files) == []


@pytest.mark.parametrize("line", ["airflow webserver -p 8080", "airflow db init", "airflow initdb"])
def test_a_command_of_airflow_2_is_seen(line: str) -> None:
    assert GONE_IN_AIRFLOW_3.search(line)


@pytest.mark.parametrize(
    "line", ["airflow db migrate", "airflow api-server", "webserver_config.py"]
)
def test_a_command_of_airflow_3_is_let_through(line: str) -> None:
    assert not GONE_IN_AIRFLOW_3.search(line)


@for_each_document
def test_fenced_blocks_are_closed(document: Document) -> None:
    assert len(re.findall(r"^```", document.text, re.MULTILINE)) % 2 == 0


def test_changelog_keeps_its_form() -> None:
    text = document("CHANGELOG.md").text
    versions = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert versions[0] == "[Unreleased]"
    assert [v for v in versions[1:] if not re.fullmatch(r"\[\d+\.\d+\.\d+\] - [\d-]{10}", v)] == []
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= set(CHANGES)

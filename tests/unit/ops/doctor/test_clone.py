from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest

from ml_pipeline.ops.doctor import clone
from ml_pipeline.ops.project import Project
from tests.running_clone import REPOSITORY


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A folder with the script that makes its environment."""
    project = Project(tmp_path / "a clone")
    project.airflow_home.mkdir(parents=True)
    shutil.copy(REPOSITORY / "airflow_postgresql_env.sh", project.root)
    return project


@pytest.fixture
def environment(project: Project) -> dict[str, str]:
    """What a shell has that has sourced the script."""
    shell = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    return clone.sourced(project, shell)


def test_check_folder_when_it_cannot_be_written_says_whose_it_should_be(tmp_path: Path) -> None:
    check = clone.check_folder(Project(tmp_path / "absent"))
    assert check.remedy.startswith(f"Make it yours: chown -R {os.getuid()} ")


@pytest.mark.parametrize("character", "$%:")
def test_check_folder_refuses_what_airflow_and_path_cannot_have(
    character: str, tmp_path: Path
) -> None:
    project = Project(tmp_path / f"a{character}b")
    project.airflow_home.mkdir(parents=True)
    assert clone.check_folder(project).remedy.startswith("Move the folder")


def test_check_path_length_accepts_a_usual_one(project: Project) -> None:
    check = clone.check_path_length(project)
    assert check.is_fine
    assert check.found.startswith(f"{len(os.fsencode(project.root))} bytes")


def test_check_path_length_when_a_file_below_would_be_too_long_for_the_system(
    tmp_path: Path,
) -> None:
    longest = os.pathconf("/", "PC_PATH_MAX")
    deep = Project(tmp_path / "/".join(["x" * 99] * (longest // 100 - 2)))
    assert clone.check_path_length(deep).remedy == "Move the folder to a shorter path"


def test_check_port_when_taken_names_the_holder(project: Project) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        check = clone.check_port(project, listener.getsockname()[1])
    assert "taken by process" in check.remedy


def test_check_programs_when_another_environment_comes_first_shows_its_programs(
    project: Project, environment: dict[str, str], tmp_path: Path
) -> None:
    for folder in (project.root / ".venv" / "bin", tmp_path / "other"):
        folder.mkdir(parents=True)
        for name in clone.PROGRAMS:
            (folder / name).write_text("#!/bin/sh\n")
            (folder / name).chmod(0o755)
    assert clone.check_programs(project, environment).is_fine
    (tmp_path / "other" / "ml-pipeline").unlink()
    other = f"{tmp_path / 'other'}:{environment['PATH']}"
    check = clone.check_programs(project, {"PATH": other})
    assert check.found.startswith(f"{tmp_path / 'other' / 'airflow'}, ")
    assert "ml-pipeline" not in check.found
    assert check.remedy.startswith("source airflow_postgresql_env.sh")
    assert "no airflow" in clone.check_programs(project, {"PATH": "/nowhere"}).found


def variables(project: Project, environment: dict[str, str]) -> clone.Check:
    return clone.check_variables(environment, clone.sourced(project, environment))


def test_check_variables_when_only_this_clone_set_some_shows_none(
    project: Project, environment: dict[str, str]
) -> None:
    assert "AIRFLOW__API__PORT" in environment
    check = variables(project, environment)
    assert (check.found, check.remedy) == ("none but ours", "")


def test_check_variables_shows_what_tunes_by_name_only(
    project: Project, environment: dict[str, str]
) -> None:
    check = variables(project, environment | {"AIRFLOW__SMTP__SMTP_PASSWORD": "hush"})
    assert (check.found, check.remedy) == ("AIRFLOW__SMTP__SMTP_PASSWORD", "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AIRFLOW__CORE__FERNET_KEY", "of another project"),  # would win over our _CMD
        ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql://elsewhere/db"),
        ("AIRFLOW__CORE__EXECUTOR", "KubernetesExecutor"),
        ("AIRFLOW_HOME", "/elsewhere"),
        ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD", "cat elsewhere"),
    ],
)
def test_check_variables_names_what_leads_to_somebody_else_s(
    name: str, value: str, project: Project, environment: dict[str, str]
) -> None:
    """Such as what was exported after the script had been sourced."""
    check = variables(project, environment | {name: value})
    assert check.found == f"foreign: {name}"
    assert check.remedy == "source airflow_postgresql_env.sh"
    assert value not in check.found


def test_check_variables_when_another_port_is_wanted_complains_of_nothing(
    project: Project, environment: dict[str, str]
) -> None:
    assert variables(project, environment | {"ML_PIPELINE_PORT": "9999"}).is_fine

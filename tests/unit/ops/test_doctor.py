from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from ml_pipeline.ops import doctor
from ml_pipeline.ops.project import Project


@pytest.mark.parametrize(
    ("version", "is_fine"), [((3, 10), False), ((3, 11), True), ((3, 15), False)]
)
def test_check_python_accepts_what_is_supported(version: tuple[int, int], is_fine: bool) -> None:
    assert doctor.check_python(version).is_fine is is_fine


@pytest.mark.parametrize(("free", "is_fine"), [(100 * 2**20, False), (50 * 2**30, True)])
def test_check_disk_asks_for_room_when_there_is_too_little(free: int, is_fine: bool) -> None:
    check = doctor.check_disk(free)
    assert check.is_fine is is_fine
    assert is_fine or "Free up" in check.remedy


@pytest.mark.parametrize(("limit", "is_fine"), [(256, False), (1024, True), (-1, True)])
def test_check_open_files_names_the_command(limit: int, is_fine: bool) -> None:
    check = doctor.check_open_files(limit)
    assert check.remedy == ("" if is_fine else "ulimit -n 1024")


def test_check_port_when_taken_names_the_holder(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        check = doctor.check_port(Project(tmp_path), listener.getsockname()[1])
    assert "taken by process" in check.remedy


def test_check_fork_safety_on_macos_wants_the_environment_sourced() -> None:
    assert not doctor.check_fork_safety("darwin", {}).is_fine
    assert doctor.check_fork_safety("darwin", doctor.FORK_SAFETY).is_fine
    assert doctor.check_fork_safety("linux", {}).is_fine


def test_check_variables_shows_the_caller_s_settings_by_name_only() -> None:
    check = doctor.check_variables({"AIRFLOW__SMTP__SMTP_PASSWORD": "hush"})
    assert check.found == "AIRFLOW__SMTP__SMTP_PASSWORD"


def test_check_variables_when_only_this_clone_set_some_shows_none() -> None:
    script = Project.here().root / "airflow_postgresql_env.sh"
    printed = subprocess.run(
        ["bash", "-c", '. "$0" && env -0', script],
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    sourced = dict(line.split("=", 1) for line in filter(None, printed.split("\0")))
    assert "AIRFLOW__API__PORT" in sourced
    assert doctor.check_variables(sourced).found == "none but ours"


def test_check_folder_when_it_cannot_be_written_says_whose_it_should_be(tmp_path: Path) -> None:
    check = doctor.check_folder(Project(tmp_path / "absent"))
    assert "chown" in check.remedy

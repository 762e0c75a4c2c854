from __future__ import annotations

import os
import plistlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ml_pipeline.ops.project import Project
from ml_pipeline.ops.service import LAUNCHD_LABEL, Kind, default_kind, unit

TEMPLATES = Project.here().root / "deploy"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "a clone & more, 50% $done"
    shutil.copytree(TEMPLATES, root / "deploy")
    (root / "start_airflow.sh").touch(mode=0o755)
    return Project(root)


@pytest.fixture
def short_folder() -> Iterator[str]:
    """A folder whose path leaves room for the sockets that other units of the user name there."""
    with tempfile.TemporaryDirectory() as folder:
        yield folder


@pytest.mark.parametrize("kind", [Kind.SYSTEMD_USER, Kind.SYSTEMD_SYSTEM])
def test_systemd_unit_when_the_path_is_odd_passes_systemd_s_own_check(
    project: Project, kind: Kind, tmp_path: Path, short_folder: str
) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd")
    file = tmp_path / "ml-pipeline.service"
    file.write_text(unit(project, kind))
    scope = ["--user"] if kind is Kind.SYSTEMD_USER else []
    check = subprocess.run(
        ["systemd-analyze", *scope, "verify", str(file)],
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_RUNTIME_DIR": short_folder},
    )
    assert (check.returncode, check.stderr) == (0, "")


def test_systemd_unit_leaves_no_placeholder_and_names_a_user_only_for_the_system(
    project: Project,
) -> None:
    units = {kind: unit(project, kind) for kind in (Kind.SYSTEMD_USER, Kind.SYSTEMD_SYSTEM)}
    assert all("@" not in text for text in units.values())
    assert "\nUser=" not in units[Kind.SYSTEMD_USER]
    assert "\nUser=" in units[Kind.SYSTEMD_SYSTEM]
    assert 'clone & more, 50%% $done/start_airflow.sh" --no-run' in units[Kind.SYSTEMD_USER]


def test_launchd_plist_starts_this_clone_and_keeps_it_alive(project: Project) -> None:
    document = plistlib.loads(unit(project, Kind.LAUNCHD).encode())
    assert document["ProgramArguments"] == [str(project.root / "start_airflow.sh"), "--no-run"]
    assert document["KeepAlive"] is True
    assert document["Label"] == LAUNCHD_LABEL
    assert "@" not in str(document)


@pytest.mark.parametrize(
    ("platform", "is_root", "expected"),
    [
        ("darwin", False, Kind.LAUNCHD),
        ("linux", False, Kind.SYSTEMD_USER),
        ("linux", True, Kind.SYSTEMD_SYSTEM),
    ],
)
def test_default_kind_fits_the_machine(platform: str, is_root: bool, expected: Kind) -> None:
    assert default_kind(platform, is_root) is expected

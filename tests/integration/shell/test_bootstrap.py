"""Making .venv, mending it, bringing it up to date: real ones, of a lock with a few packages."""

from __future__ import annotations

import getpass
import os
import resource
import signal
import tempfile
from pathlib import Path

import pytest

from tests.integration.shell.small_clone import (
    SmallClone,
    make_python,
    make_small_clone,
    make_tools,
)

# What a user may have exported for other work: a target, another Python, another way to install.
IN_THE_WAY = {
    "CONDA_PREFIX": "/dev/null/nowhere",
    "PIP_CONSTRAINT": "/dev/null/nowhere/constraints.txt",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "PIP_TARGET": "/dev/null/nowhere",
    "PIP_USER": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHOME": "/dev/null/nowhere",
    "PYTHONPATH": "/dev/null/nowhere",
    "UV_CONSTRAINT": "/dev/null/nowhere/constraints.txt",
    "UV_NO_BINARY": "1",
    "UV_NO_EDITABLE": "1",
    "UV_OVERRIDE": "/dev/null/nowhere/overrides.txt",
    "UV_PYTHON": "3.9",
    "UV_REQUIRE_HASHES": "1",
    "UV_SYSTEM_PYTHON": "1",
    "UV_TARGET": "/dev/null/nowhere",
    "VIRTUAL_ENV": "/dev/null/nowhere",
}
WHERE = "import ml_pipeline; print(ml_pipeline.__file__)"
# ensurepip's own are let alone by uv.
PACKAGES = """
from importlib.metadata import distributions
print(sorted({found.name for found in distributions()} - {"pip", "setuptools"}))
"""


def test_a_machine_with_only_a_python_gets_the_locked_packages(whole: SmallClone) -> None:
    assert whole.python(WHERE) == f"{whole.root}/src/ml_pipeline/__init__.py"
    assert "'iniconfig'" in whole.python(PACKAGES)
    assert not whole.lock.is_symlink()


def test_packages_are_installed_with_their_bytecode(whole: SmallClone) -> None:
    compiled = list(whole.root.glob(".venv/lib/python3*/site-packages/hatchling/__pycache__/*.pyc"))
    assert len(compiled) > 3


def test_a_current_environment_costs_next_to_nothing(whole: SmallClone, python: Path) -> None:
    made = whole.stamp.stat().st_mtime_ns
    whole.lock.parent.rmdir()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = whole.bootstrap(python)  # one for development also serves for use
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert whole.stamp.stat().st_mtime_ns == made and not whole.lock.parent.exists()
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


@pytest.mark.parametrize("kind", ["3.10 Linux x86_64", "3.15 Linux x86_64", "3.14t Linux x86_64"])
def test_a_python_that_will_not_do_is_named_in_one_line(
    new_clone: SmallClone, tmp_path: Path, kind: str
) -> None:
    result = new_clone.bootstrap(make_python(tmp_path / "bin", kind=kind))
    found = f"found python3 is {kind.split()[0]}."
    assert result.returncode == 1
    assert result.stderr.startswith(f"Error: Python 3.11 to 3.14 is needed; {found} Install one")
    assert result.stderr.count("\n") == 1
    assert not (new_clone.root / ".venv").exists()


def test_no_python_at_all_is_told_in_one_line(new_clone: SmallClone) -> None:
    result = new_clone.bootstrap()
    assert result.returncode == 1
    assert result.stderr.startswith("Error: Python 3.11 to 3.14 is needed; found none.")


def test_a_python_of_another_name_is_found_where_python3_will_not_do(
    new_clone: SmallClone, tmp_path: Path
) -> None:
    make_python(tmp_path / "bin", "python3", "3.9 Linux x86_64")
    make_python(tmp_path / "bin", "python3.12")
    result = new_clone.run("find_python; echo $BASE_PYTHON", tmp_path / "bin")
    assert Path(result.stdout.strip()).samefile(tmp_path / "bin" / "python3.12")


@pytest.mark.parametrize(
    ("kind", "is_what"),
    [(None, "no Python that runs"), ("", "no Python that runs"), ("3.10 Linux x86_64", "3.10")],
)
def test_a_python_asked_for_that_will_not_do_is_told_in_one_line(
    copied: SmallClone, python: Path, kind: str | None, is_what: str
) -> None:
    asked = copied.root.parent / "asked"
    if kind is not None:
        make_python(asked.parent, "asked", kind or " ")
    result = copied.bootstrap(python, ML_PIPELINE_PYTHON=str(asked))
    told = f"Error: ML_PIPELINE_PYTHON={asked} is {is_what}; 3.11 to 3.14 will do.\n"
    assert (result.returncode, result.stderr) == (1, told)
    assert copied.stamp.exists()


@pytest.mark.parametrize("name", ["a$HOME", "50%", "a:b"])
def test_a_folder_that_airflow_or_path_would_bend_is_refused(
    new_clone: SmallClone, python: Path, name: str
) -> None:
    clone = new_clone.copy(new_clone.root.parent / name)
    result = clone.bootstrap(python)
    told = f"Error: {clone.root}: the folder's path must hold no $, % or colon. Move it.\n"
    assert (result.returncode, result.stderr) == (1, told)
    assert not (clone.root / ".venv").exists() and not (clone.root / "airflow_home").exists()


@pytest.mark.parametrize("is_used", [False, True])
def test_a_folder_of_somebody_else_is_refused_in_one_line(open_folder: Path, is_used: bool) -> None:
    parent = Path(tempfile.mkdtemp(dir=open_folder))
    parent.chmod(0o755)
    clone = make_small_clone(parent / "of somebody else", make_tools(parent / "tools"))
    for name in ("run", "logs") if is_used else ():
        folder = clone.root / "airflow_home" / name
        folder.mkdir(parents=True)
        folder.chmod(0o777)
    clone.root.chmod(0o555)
    user = "nobody" if os.geteuid() == 0 else getpass.getuser()
    result = clone.bootstrap(user=user if os.geteuid() == 0 else None)
    told = f"Error: {user} cannot write in {clone.root}. Start as the user whose folder it is, or "
    assert result.returncode == 1
    assert result.stderr == f"{told}clone the project into a folder of your own.\n"


def test_a_moved_folder_is_mended_without_a_network(
    copied: SmallClone, python: Path, no_network: dict[str, str]
) -> None:
    result = copied.bootstrap(python, **no_network)
    assert result.returncode == 0, result.stderr
    assert "Mending .venv" in result.stderr and "packages" not in result.stderr
    assert copied.python(WHERE) == f"{copied.root}/src/ml_pipeline/__init__.py"
    assert copied.bootstrap(python, **no_network).stderr == ""


def test_a_moved_folder_finds_its_own_package_before_it_is_mended(copied: SmallClone) -> None:
    assert copied.python(WHERE) == f"{copied.root}/src/ml_pipeline/__init__.py"


def test_no_program_of_a_moved_folder_names_the_old_one(
    copied: SmallClone, whole: SmallClone, python: Path
) -> None:
    copied.bootstrap(python)
    programs = [path for path in (copied.root / ".venv" / "bin").iterdir() if path.is_file()]
    assert "hatchling" in {path.name for path in programs}
    assert [path for path in programs if bytes(whole.root) in path.read_bytes()] == []


def test_another_python_makes_everything_anew(copied: SmallClone, python: Path, uv: Path) -> None:
    pretend_another_python(copied)
    left_over = copied.root / ".venv" / "left over"
    left_over.touch()
    result = copied.bootstrap(python, uv)
    assert "Setting up .venv with Python 3." in result.stderr
    assert copied.python(WHERE) == f"{copied.root}/src/ml_pipeline/__init__.py"
    assert not left_over.exists()


def test_an_environment_that_is_half_removed_does_not_pass_for_whole(
    copied: SmallClone, python: Path
) -> None:
    pretend_another_python(copied)
    dies_removing = 'rm() { [ "$1" != -rf ] || kill -9 $$; command rm "$@"; }\nbootstrap "$1"'
    assert copied.run(dies_removing, python).returncode == -signal.SIGKILL
    assert (copied.root / ".venv").exists() and not copied.stamp.exists()


def pretend_another_python(clone: SmallClone) -> None:
    """Let the stamp name a Python that no machine of ours has."""
    root, _, *rest = clone.stamp.read_text().splitlines()
    clone.stamp.write_text("\n".join([root, "3.9 Linux x86_64", *rest, ""]))


def test_a_changed_lock_is_followed_and_development_stays(copied: SmallClone, python: Path) -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        lock = copied.root / name
        lock.write_text(lock.read_text() + "# changed\n")
    result = copied.bootstrap(python)
    assert "Updating .venv to the locked packages" in result.stderr
    assert "'iniconfig'" in copied.python(PACKAGES)


def test_what_the_user_set_for_other_work_does_not_matter(
    new_clone: SmallClone, whole: SmallClone, python: Path, uv: Path, tmp_path: Path
) -> None:
    (tmp_path / "uv.toml").write_text('[pip]\ntarget = "/dev/null/nowhere"\n')
    result = new_clone.bootstrap(python, uv, wanted="dev", cwd=tmp_path, **IN_THE_WAY)
    assert result.returncode == 0, result.stderr
    assert new_clone.python(PACKAGES) == whole.python(PACKAGES)
    assert new_clone.python(WHERE) == f"{new_clone.root}/src/ml_pipeline/__init__.py"
    assert not Path("/dev/null/nowhere").exists()


def test_without_a_network_one_line_says_so_and_nothing_passes_for_whole(
    new_clone: SmallClone, python: Path, no_network: dict[str, str]
) -> None:
    result = new_clone.bootstrap(python, **no_network)
    log = new_clone.root / "airflow_home" / "logs" / "bootstrap.log"
    *_, error = result.stderr.splitlines()
    assert result.returncode == 1
    assert error == (
        "Error: the packages cannot be downloaded; setting up needs the network, later starts do "
        f"not. Check the connection (proxy, package index) and start again. Details: {log}"
    )
    assert not new_clone.stamp.exists() and not new_clone.lock.is_symlink()

"""The Makefile tells what it offers, and each of its targets can at least be planned."""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from .shells import REPOSITORY

MAKEFILE = REPOSITORY / "Makefile"
TARGETS = re.findall(r"^([a-z-]+):", MAKEFILE.read_text(), re.MULTILINE)
IDENTITY = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


def make(*arguments: str, cwd: Path = REPOSITORY) -> str:
    result = subprocess.run(["make", *arguments], cwd=cwd, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture
def committed(tmp_path: Path) -> Path:
    """A repository with what `make` needs, committed, and a file that is not."""
    root = tmp_path / "a clone"
    root.mkdir()
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy2(REPOSITORY / name, root)
    for folder in ("benchmarks", "dags", "src", "tests"):
        (root / folder).mkdir()
    for command in (["init", "-q"], ["add", "."], [*IDENTITY, "commit", "-qm", "First"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    (root / "not committed").touch()
    return root


def test_make_alone_explains_every_target() -> None:
    told = dict(re.findall(r"^  ([a-z-]+) +(\S.+)$", make(), re.MULTILINE))
    assert list(told) == TARGETS


def test_every_target_is_phony() -> None:
    phony = re.search(r"^\.PHONY: (.+)$", MAKEFILE.read_text(), re.MULTILINE)
    assert phony and phony[1].split() == TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_s_commands_exist(target: str) -> None:
    planned = make("-n", target)
    scripts = re.findall(r"\./[\w./]+\.sh", planned)
    assert planned
    assert [name for name in scripts if not (REPOSITORY / name).stat().st_mode & 0o100] == []


def test_bench_finds_every_benchmark_or_takes_the_one_that_is_named() -> None:
    runnable = {
        path.stem
        for path in REPOSITORY.glob("benchmarks/*.py")
        if "\nif __name__ ==" in path.read_text()
    }
    listing = re.search(r"^BENCH = `(.+)`$", MAKEFILE.read_text(), re.MULTILINE)
    assert listing and runnable
    found = subprocess.check_output(listing[1], shell=True, cwd=REPOSITORY, text=True).split()
    assert set(found) == runnable
    assert "for name in faults;" in make("-n", "bench", "BENCH=faults")


def test_faults_takes_a_number_of_rounds() -> None:
    assert "benchmarks.faults --rounds 3" in make("-n", "faults", "ROUNDS=3")


def test_archive_holds_exactly_what_is_committed(committed: Path) -> None:
    make("archive", cwd=committed)
    (archive,) = (committed / "dist").iterdir()
    name = archive.name.removesuffix(".tar.gz")
    assert re.fullmatch(r"ml-pipeline-\d+\.\d+\.\d+", name)
    with tarfile.open(archive) as packed:
        files = {member.name for member in packed if member.isfile()}
    assert files == {f"{name}/Makefile", f"{name}/pyproject.toml"}


def test_clean_removes_caches_and_keeps_what_was_made_by_running(committed: Path) -> None:
    removed = ["dist/x", ".pytest_cache/x", ".coverage", "src/deep/__pycache__/x.pyc"]
    kept = [".venv/x", ".env", "results/run/metrics.json", "airflow_home/postgres/x"]
    for name in removed + kept:
        (committed / name).parent.mkdir(parents=True, exist_ok=True)
        (committed / name).touch()
    make("clean", cwd=committed)
    assert [name for name in removed if (committed / name).exists()] == []
    assert [name for name in kept if not (committed / name).exists()] == []

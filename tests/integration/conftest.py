"""A real embedded PostgreSQL: one cluster is made per session, and copied for who needs his own."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ml_pipeline.ops import postgres
from ml_pipeline.ops.postgres import placement
from ml_pipeline.ops.project import Project

REPOSITORY = Path(__file__).resolve().parents[2]
TRACKED = ("airflow.cfg", "config", "supervisord.conf", "webserver_config.py")
ENOUGH_BYTES = 2**31
MakeClone = Callable[..., Project]


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_the_caller() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("ML_PIPELINE_DATABASE_URL", "ML_PIPELINE_PG_BINDIR"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A temporary folder that every user can enter: as root, PostgreSQL runs as another one."""
    folder = Path(tempfile.mkdtemp(prefix="ml-pipeline-test-", dir=_memory_folder()))
    folder.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(placement, "OUTSIDE", folder / "outside")
        yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def stopped_project(open_folder: Path) -> Project:
    """A clone with a provisioned cluster that nobody starts: the pattern of all others."""
    pattern = Project(open_folder / "pattern")
    _copy_tracked_files(pattern)
    postgres.start(pattern)
    try:
        postgres.provision(pattern)
    finally:
        postgres.stop(pattern)
    return pattern


@pytest.fixture(scope="session")
def project(stopped_project: Project, open_folder: Path) -> Iterator[Project]:
    """A clone whose cluster runs and is provisioned, for the whole session: leave it as it is."""
    project = copy_of(stopped_project, open_folder / "project")
    postgres.start(project)
    yield project
    postgres.stop(project)


@pytest.fixture
def make_clone(stopped_project: Project, open_folder: Path) -> Iterator[MakeClone]:
    """Make a clone of one's own with a provisioned, stopped cluster, at a path of one's choice."""
    made: list[Path] = []

    def make(name: str = "clone") -> Project:
        parent = Path(tempfile.mkdtemp(dir=open_folder))
        parent.chmod(0o755)
        made.append(parent)
        return copy_of(stopped_project, parent / name)

    yield make
    for parent in made:
        for home in parent.glob("**/airflow_home"):
            postgres.stop(Project(home.parent))
        shutil.rmtree(parent, ignore_errors=True)


@pytest.fixture(scope="session")
def _lent_clone(stopped_project: Project, open_folder: Path) -> Project:
    return copy_of(stopped_project, open_folder / "lent")


@pytest.fixture
def clone(_lent_clone: Project) -> Iterator[Project]:
    """A stopped clone to start, stop, kill and write to, lent from test to test.

    It has to stay usable: who moves or damages one takes `make_clone`.
    """
    yield _lent_clone
    postgres.stop(_lent_clone)


def _memory_folder() -> str | None:
    """Return a folder in memory that is large enough, if there is one: clusters sync to disk."""
    try:
        memory = os.statvfs("/dev/shm")
    except OSError:
        return None
    is_large = memory.f_bavail * memory.f_frsize > ENOUGH_BYTES
    return "/dev/shm" if is_large and not memory.f_flag & os.ST_NOEXEC else None


def copy_of(project: Project, root: Path) -> Project:
    """Copy a stopped clone, with owners and rights."""
    subprocess.run(["cp", "-Rp", project.root, root], check=True)
    return Project(root)


def results_tables() -> str:
    """Return the statements that make the tables of `results_db`, without importing Airflow."""
    source = REPOSITORY / "src" / "ml_pipeline" / "orchestration" / "results_db.py"
    for node in ast.parse(source.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "TABLES":
            return str(ast.literal_eval(node.value))
    raise AssertionError("results_db.py has no TABLES")


def _copy_tracked_files(project: Project) -> None:
    project.airflow_home.mkdir(parents=True)
    for name in TRACKED:
        source = REPOSITORY / "airflow_home" / name
        if source.is_dir():
            shutil.copytree(source, project.airflow_home / name)
        elif source.is_file():
            shutil.copy2(source, project.airflow_home / name)

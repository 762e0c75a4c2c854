"""Who may import whom: by reading every import statement, and by importing each room afresh.

The table is the one of docs/architecture.md.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import toy_clone

CLONE = Path(__file__).parents[2]
PACKAGE = CLONE / "src" / "ml_pipeline"
FOUNDATIONS = {"errors", "config", "storage"}
MAY_IMPORT = {
    "errors": set(),
    "config": {"errors"},
    "storage": {"errors", "config"},
    "ml": FOUNDATIONS,
    "registry": FOUNDATIONS,
    "reporting": {"ml", *FOUNDATIONS},
    "documents": {"ml", "registry", *FOUNDATIONS},
    "pipeline": {"documents", "ml", "registry", "reporting", *FOUNDATIONS},
    "lifecycle": {"documents", "ml", "registry", *FOUNDATIONS},
    "scoring": {"ml", "registry", "reporting", *FOUNDATIONS},
    "model_registry": {"ops", "registry", *FOUNDATIONS},
    "loading": {"model_registry", "ops", "registry", *FOUNDATIONS},
    "xcom": FOUNDATIONS,
    "orchestration": {
        *{"pipeline", "lifecycle", "scoring"},
        *{"documents", "ml", "registry", *FOUNDATIONS},
    },
    "ops": {"xcom", *FOUNDATIONS},
    "cli": {"ops", "pipeline", "ml", "registry", "model_registry", *FOUNDATIONS},
    "dags": {"orchestration", "config", "errors"},
    "airflow_home": {"ops"},
}
DATA_LIBRARIES = {
    "matplotlib",
    "mlflow",
    "numpy",
    "pandas",
    "pandera",
    "pyarrow",
    "scipy",
    "skops",
    "sklearn",
}
WITH_DATA = {"ml", "documents", "pipeline", "reporting", "xcom"}
# Where large XComs lie; nothing of Arrow, pandas or Airflow comes with it.
XCOM_FOR_OPS = {"ml_pipeline.xcom.files", "ml_pipeline.xcom.settings"}


@dataclass(frozen=True)
class Import:
    """An import statement.

    Parameters
    ----------
    module
        What is imported, with its full name.
    is_deferred
        Whether it stands in a function or below TYPE_CHECKING: importing the file does not run it.
    """

    room: str
    file: Path
    line: int
    module: str
    is_deferred: bool

    @property
    def top(self) -> str:
        return self.module.split(".")[0]

    @property
    def imported_room(self) -> str | None:
        """The part of this package that is imported, if it is this package's."""
        parts = self.module.split(".")
        return parts[1] if parts[0] == "ml_pipeline" and len(parts) > 1 else None

    def __str__(self) -> str:
        return f"{self.file.relative_to(CLONE)}:{self.line} imports {self.module}"


def sources() -> Iterator[tuple[str, Path]]:
    """Yield every file with its room."""
    for file in sorted(PACKAGE.rglob("*.py")):
        yield file.relative_to(PACKAGE).parts[0].removesuffix(".py"), file
    for folder in ("dags", "airflow_home"):
        for file in sorted((CLONE / folder).rglob("*.py")):
            yield folder, file


def imports() -> list[Import]:
    return [
        Import(room, file, node.lineno, module, is_deferred)
        for room, file in sources()
        for node, is_deferred in statements(ast.parse(file.read_text()))
        for module in modules_of(node)
    ]


def statements(tree: ast.AST, is_deferred: bool = False) -> Iterator[tuple[ast.stmt, bool]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, is_deferred
        else:
            yield from statements(node, is_deferred or defers(node))


def defers(node: ast.AST) -> bool:
    is_typing = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    return is_typing or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def modules_of(node: ast.stmt) -> list[str]:
    """Name what a statement imports; `from package import name` may name a module."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    assert isinstance(node, ast.ImportFrom)
    assert node.level == 0, "relative imports hide from where"
    if node.module == "ml_pipeline":
        return [f"ml_pipeline.{alias.name}" for alias in node.names]
    return [str(node.module)]


ALL = imports()


def breaches(is_breach) -> list[str]:
    return [str(one) for one in ALL if is_breach(one)]


# The statements


def test_every_room_has_its_rule():
    rooms = {room for room, _ in sources()} - {"__init__"}

    assert rooms == set(MAY_IMPORT)


def test_no_room_imports_one_that_it_may_not():
    def is_breach(one: Import) -> bool:
        room = one.imported_room
        is_known = room in MAY_IMPORT and one.room in MAY_IMPORT
        return is_known and room not in {one.room, *MAY_IMPORT[one.room]}

    assert breaches(is_breach) == []


def test_ops_imports_of_xcom_only_where_its_files_lie():
    def is_breach(one: Import) -> bool:
        is_xcom = one.room == "ops" and one.imported_room == "xcom"
        return is_xcom and one.module not in XCOM_FOR_OPS

    assert breaches(is_breach) == []


def test_only_orchestration_the_xcom_backend_and_two_files_of_ops_import_the_task_sdk():
    def is_breach(one: Import) -> bool:
        is_one_of_two = one.file.name in {"task_end.py", "zygote.py"} and one.is_deferred
        is_allowed = one.room == "orchestration" or is_backend(one)
        is_allowed = is_allowed or (one.room == "ops" and is_one_of_two)
        return one.module.startswith("airflow.sdk") and not is_allowed

    assert breaches(is_breach) == []


def test_only_ops_also_imports_airflow_and_only_when_it_needs_it():
    def is_breach(one: Import) -> bool:
        is_allowed = one.room == "orchestration" or (one.room == "ops" and one.is_deferred)
        return one.top == "airflow" and not is_allowed and not is_backend(one)

    assert breaches(is_breach) == []


def is_backend(one: Import) -> bool:
    """Tell whether it is Airflow's way into the XCom room, or that room's to object storage."""
    is_folder = one.file.name == "files.py" and one.is_deferred
    return one.room == "xcom" and (one.file.name == "backend.py" or is_folder)


def test_only_the_rooms_of_data_import_its_libraries_with_the_file():
    def is_breach(one: Import) -> bool:
        return one.top in DATA_LIBRARIES and not one.is_deferred and one.room not in WITH_DATA

    assert breaches(is_breach) == []


def test_the_table_of_the_architecture_page_says_the_same():
    """Foundations may be imported by all above them; the page names them once."""
    page = (CLONE / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| `(?:src/ml_pipeline/)?(\w+)(?:\.py|/)` \| .* \| (.*) \|$", page, re.M)
    documented = {room: set(re.findall(r"`(\w+)`", may)) for room, may in rows}

    for room, allowed in documented.items():
        assert allowed - FOUNDATIONS == MAY_IMPORT[room] - FOUNDATIONS, room
    assert set(documented) == set(MAY_IMPORT) - {"airflow_home"}


# Fresh processes

LOADED = """
import importlib, json, pkgutil, sys
for name in sys.argv[1:]:
    room = importlib.import_module("ml_pipeline." + name)
    for module in pkgutil.walk_packages(getattr(room, "__path__", []), room.__name__ + "."):
        importlib.import_module(module.name) if "__main__" not in module.name else None
print(json.dumps(sorted(sys.modules)))
"""


def fresh(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=60, cwd=CLONE
    )


def loaded(*rooms: str) -> set[str]:
    """Return the modules that there are after importing all of some rooms in a new process."""
    done = fresh("-c", LOADED, *rooms)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("room", "unwanted"),
    [
        ("errors", {"pydantic", "yaml", "typer", "airflow", *DATA_LIBRARIES}),
        ("config", {"airflow", "typer", "ml_pipeline.ml", "ml_pipeline.ops", *DATA_LIBRARIES}),
        ("storage", {"airflow", "typer", "ml_pipeline.ml", "ml_pipeline.ops", *DATA_LIBRARIES}),
        ("ml", {"airflow", "typer", "ml_pipeline.ops", "ml_pipeline.pipeline"}),
        ("registry", {"airflow", "typer", "ml_pipeline.ops", "ml_pipeline.ml", *DATA_LIBRARIES}),
        ("pipeline", {"airflow", "typer", "ml_pipeline.ops", "ml_pipeline.orchestration"}),
        ("loading", {"airflow", "typer", "ml_pipeline.ml", "ml_pipeline.cli", *DATA_LIBRARIES}),
        ("pipeline", {"matplotlib", "jinja2"}),
        ("reporting", {"airflow", "typer", "ml_pipeline.registry", "matplotlib.pyplot"}),
        ("ops", {"airflow", "typer", "ml_pipeline.ml", "ml_pipeline.pipeline", *DATA_LIBRARIES}),
        ("cli", {"airflow", "ml_pipeline.orchestration", *DATA_LIBRARIES}),
    ],
)
def test_a_room_that_is_imported_brings_nothing_that_it_should_not(room, unwanted):
    modules = loaded(room)

    assert f"ml_pipeline.{room}" in modules
    assert modules & unwanted == set()


def test_importing_the_package_imports_nothing_of_it():
    done = fresh("-c", "import ml_pipeline, sys; print(*sys.modules)")

    modules = set(done.stdout.split())
    assert "ml_pipeline" in modules
    assert not [name for name in modules if name.startswith("ml_pipeline.")]
    assert modules & {"pydantic", "upath", *DATA_LIBRARIES} == set()


BACKEND = """
import json, sys
import ml_pipeline.xcom.backend
print(json.dumps(sorted(sys.modules)))
"""


def test_the_xcom_backend_brings_no_library_of_data_into_every_airflow_process(tmp_path):
    toy_clone.lay_out(tmp_path)

    done = toy_clone.run(tmp_path, "-c", BACKEND)

    assert done.returncode == 0, done.stderr
    modules = set(json.loads(done.stdout.splitlines()[-1]))
    assert "ml_pipeline.xcom.backend" in modules
    assert modules & {"ml_pipeline.xcom.codec", *DATA_LIBRARIES} == set()


def test_orchestration_brings_airflow_but_no_command_line(tmp_path):
    toy_clone.lay_out(tmp_path)

    done = toy_clone.run(tmp_path, "-c", LOADED, "orchestration")

    assert done.returncode == 0, done.stderr
    modules = set(json.loads(done.stdout.splitlines()[-1]))
    assert "airflow.sdk" in modules
    assert modules & {"ml_pipeline.cli", "typer", *DATA_LIBRARIES} == set()


WATCHED = """
import json, sys
import pydantic, yaml
pydantic.create_model("First")  # pydantic looks for its plugins once
seen = []

def watch(event, arguments):
    is_code = event == "open" and str(arguments[0]).endswith((".py", ".pyc"))
    if event in ("open", "socket.connect", "subprocess.Popen") and not is_code:
        seen.append([event, str(arguments[0])])

sys.addaudithook(watch)
import ml_pipeline.config
print(json.dumps(seen))
"""


def test_importing_the_configuration_reads_nothing():
    done = fresh("-c", WATCHED)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


COMMAND = """
import json, os, sys
sys.argv[0] = "ml-pipeline"
from ml_pipeline.cli import main
try:
    main()
except SystemExit:
    pass
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments", [["--help"], ["status"], ["status", "--json"], ["config", "--help"]]
)
def test_commands_that_only_look_import_neither_data_libraries_nor_airflow(arguments, monkeypatch):
    monkeypatch.setenv("ML_PIPELINE_HOME", str(CLONE))
    monkeypatch.setenv("AIRFLOW_HOME", str(CLONE / "airflow_home"))

    done = fresh("-c", COMMAND, *arguments)

    assert done.stdout
    modules = set(json.loads(done.stderr.splitlines()[-1]))
    assert modules & {"airflow", "sqlalchemy", *DATA_LIBRARIES} == set()

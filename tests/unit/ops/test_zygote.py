"""Programs that go on from a fork which has Airflow imported: as if they had been executed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ml_pipeline.ops import zygote
from ml_pipeline.ops.zygote import Zygote
from tests.running_clone import user_environment

# Like supervisord: it has signal handlers and modules of ours, which are old when a child starts.
STARTS_EACH = """
import json, os, signal, sys
from pathlib import Path
import ml_pipeline.errors
from ml_pipeline.ops.zygote import Zygote

signal.signal(signal.SIGTERM, lambda *_: None)
ml_pipeline.errors.IS_OLD = True
zygote = Zygote([Path(os.environ["AIRFLOW_HOME"], "airflow.cfg")])
outcomes = {}
for script in sys.argv[1:]:
    zygote.load_for(script)
    assert zygote.can_become(script)
    reads, writes = os.pipe()
    if (pid := os.fork()) == 0:
        os.dup2(writes, 1)
        os.dup2(writes, 2)
        zygote.become(script, ["airflow", "--option"], {**os.environ, "ITS_OWN": "yes"})
    os.close(writes)
    output = open(reads).read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    outcomes[Path(script).parent.name] = status, output
print(json.dumps(outcomes))
"""
PROGRAMS = {
    "tells what it sees": """
import json, os, sys
import airflow.sdk.execution_time.task_runner, airflow.settings, setproctitle
import ml_pipeline.errors
print(json.dumps({
    "main": __name__,
    "arguments": sys.argv,
    "first of the path": sys.path[0],
    "its own variable": os.environ.get("ITS_OWN"),
    "as a library": os.environ.get("_AIRFLOW__AS_LIBRARY"),
    "other address": os.environ.get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"),
    "address": airflow.settings.SQL_ALCHEMY_CONN.partition(":")[0],
    "old module": hasattr(ml_pipeline.errors, "IS_OLD"),
    "title": setproctitle.getproctitle(),
    "web server's modules": "airflow.api_fastapi.execution_api.routes" in sys.modules,
    "scheduler's modules": "airflow.jobs.scheduler_job_runner" in sys.modules,
    "backends": sorted({
        module.XCom.__module__
        for name, module in list(sys.modules.items())
        if name.startswith("airflow") and "XCom" in vars(module)
    }),
    "backend is of the new module": airflow.sdk.execution_time.task_runner.XCom
        is sys.modules["ml_pipeline.xcom.backend"].ArrowXCom,
}))
""",
    "ends with a number": "import sys; sys.exit(3)",
    "ends with a text": "import sys; sys.exit('no such thing')",
    "ends with an error": "raise LookupError('not there')",
    "ends with a thread": """
import atexit, threading, time
atexit.register(print, "last")
threading.Thread(target=lambda: (time.sleep(0.3), print("thread"))).start()
""",
    "ends by a signal": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    home = tmp_path_factory.mktemp("home")
    (home / "airflow.cfg").write_text(
        "[core]\nload_examples = False\nxcom_backend = ml_pipeline.xcom.backend.ArrowXCom\n"
    )
    for name, source in PROGRAMS.items():
        (home / name).mkdir()
        (home / name / "airflow").write_text(source)
    process = subprocess.run(
        [sys.executable, "-c", STARTS_EACH, *(str(home / name / "airflow") for name in PROGRAMS)],
        capture_output=True,
        text=True,
        env={**user_environment(), "AIRFLOW_HOME": str(home)},
        timeout=120,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return dict(json.loads(process.stdout.splitlines()[-1]))


def test_program_sees_what_it_would_see_if_it_had_been_executed(
    outcomes: dict[str, tuple[int, str]],
) -> None:
    status, output = outcomes["tells what it sees"]
    seen = json.loads(output.splitlines()[-1])
    script = seen["arguments"][0]
    assert status == 0
    assert script.endswith("/tells what it sees/airflow")
    assert seen == {
        "main": "__main__",
        "arguments": [script, "--option"],
        "first of the path": str(Path(script).parent),
        "its own variable": "yes",
        "as a library": None,
        "other address": None,
        "address": "sqlite",
        "old module": False,
        "title": "airflow --option",
        "web server's modules": True,
        "scheduler's modules": True,
        "backends": ["ml_pipeline.xcom.backend"],
        "backend is of the new module": True,
    }


@pytest.mark.parametrize(
    ("name", "status", "last_line"),
    [
        ("ends with a number", 3, ""),
        ("ends with a text", 1, "no such thing"),
        ("ends with an error", 1, "LookupError: not there"),
        ("ends with a thread", 0, "last"),
        ("ends by a signal", -15, ""),
    ],
)
def test_program_ends_as_if_it_had_been_executed(
    name: str, status: int, last_line: str, outcomes: dict[str, tuple[int, str]]
) -> None:
    its_status, output = outcomes[name]
    assert its_status == status, output
    assert output.splitlines()[-1:] == ([last_line] if last_line else []), output


def test_program_when_a_thread_still_works_waits_for_it(
    outcomes: dict[str, tuple[int, str]],
) -> None:
    assert outcomes["ends with a thread"][1].split() == ["thread", "last"]


_count_threads = threading.active_count


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zygote's source, and stages that cost nothing; other tests' threads are none of its own."""
    threads = threading.active_count()
    monkeypatch.setattr(threading, "active_count", lambda: 1 + _count_threads() - threads)
    monkeypatch.setattr(zygote, "STAGES", (("json",), ("csv",)))
    source = tmp_path / "airflow.cfg"
    source.write_text("[core]\n")
    return source


def test_fork_can_become_a_program_once_its_stages_are_there(source: Path) -> None:
    forked = Zygote([source])
    assert not forked.can_become("/bin/gunicorn")
    forked.load_next()
    assert forked.can_become("/bin/gunicorn")
    assert not forked.can_become("/bin/airflow")
    forked.load_for("/bin/airflow")
    assert forked.can_become("/bin/airflow")
    assert not forked.can_become("/bin/postgres")


@pytest.mark.parametrize("change", [lambda file: file.write_text("[cores]\n"), Path.unlink])
def test_fork_when_a_source_has_changed_becomes_nothing(source: Path, change: object) -> None:
    forked = Zygote([source])
    forked.load_for("/bin/airflow")
    assert forked.can_become("/bin/airflow")
    assert callable(change)
    change(source)
    assert not forked.can_become("/bin/airflow")


# The last one is a module of ours, which a child would have as it was.
@pytest.mark.parametrize(
    "name", ["no_such_module", "json:no_such_function", "ml_pipeline.ops.service"]
)
def test_fork_when_something_cannot_be_shared_becomes_nothing(
    name: str, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zygote, "STAGES", (("json",), (name,)))
    monkeypatch.delitem(sys.modules, name, raising=False)
    forked = Zygote([source])
    forked.load_for("/bin/airflow")
    assert not forked.can_become("/bin/airflow")
    assert not forked.can_become("/bin/gunicorn")
    assert not zygote.WHILE_IMPORTING.keys() & os.environ.keys()


def test_fork_when_a_thread_runs_becomes_nothing(source: Path) -> None:
    is_over = threading.Event()
    thread = threading.Thread(target=is_over.wait)
    thread.start()
    try:
        forked = Zygote([source])
        forked.load_for("/bin/airflow")
        assert not forked.can_become("/bin/airflow")
    finally:
        is_over.set()
        thread.join()

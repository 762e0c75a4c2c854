"""Every command that a document tells to type is run by a test, or the reason stands here."""

from __future__ import annotations

import ast
import os
import random
import subprocess
from functools import cache
from pathlib import Path

import pytest

from .documents import REPOSITORY, Document, all_documents, document

FIRST_START = "tests/e2e/test_first_start.py"
SIGNALS = "tests/e2e/test_stop_and_signals.py"
EVERY_DAY = "tests/e2e/test_readme.py::test_every_day_s_commands_work_in_their_order"
CARE = (
    "tests/e2e/test_care.py::test_commands_of_the_page_bring_a_stack_back_whose_secrets_were_lost"
)
ADMINISTRATOR = (
    "tests/integration/postgres/test_provisioning.py"
    "::test_own_server_whose_role_may_create_is_provisioned"
)
MODELS = "tests/integration/registry/test_cli_models.py"
TUTORIAL = "tests/unit/docs/test_tutorial.py::test_each_command_does_what_the_page_says"
PROMOTED = f"{MODELS}::test_promote_and_rollback_say_who_is_champion"
OWN_URL = (
    "export ML_PIPELINE_DATABASE_URL="
    "'postgresql://me:password@db.example.org:5432/postgres?sslmode=require'"
)

RUN_BY = {
    "source airflow_postgresql_env.sh && ./start_airflow.sh": (
        f"{FIRST_START}::test_first_start_shows_every_task_and_ends_well"
    ),
    "./start_airflow.sh": (
        f"{SIGNALS}::test_up_when_signalled_stops_everything_and_exits_by_that_signal"
    ),
    "./start_airflow.sh --detach": EVERY_DAY,
    "ml-pipeline status": EVERY_DAY,
    "airflow dags trigger breast_cancer_ml_pipeline": EVERY_DAY,
    "ml-pipeline logs scheduler -f": EVERY_DAY,
    "ml-pipeline restart api-server": EVERY_DAY,
    "./zombie_monitor.sh": EVERY_DAY,
    "ml-pipeline down": EVERY_DAY,
    "airflow dags test breast_cancer_ml_pipeline": (
        f"{FIRST_START}::test_dags_test_prints_a_successful_run"
    ),
    "ml-pipeline logs api-server -n 100": (
        f"{SIGNALS}::test_down_when_running_leaves_nothing_and_says_so"
    ),
    "ml-pipeline db backup ~/airflow.backup": CARE,
    "ml-pipeline db restore ~/airflow.backup": CARE,
    "./start_airflow.sh --detach --no-run": CARE,
    "ml-pipeline prune --older-than 30 --dry-run": CARE,
    "ml-pipeline prune --older-than 30": CARE,
    "ml-pipeline prune --older-than 365 --results": CARE,
    "ml-pipeline run": (
        "tests/unit/pipeline/test_results.py::test_the_command_prints_the_figures_and_where_they_lie"
    ),
    "make setup": "tests/unit/shell/test_makefile.py::test_a_target_s_commands_exist",
    "ml-pipeline models list": f"{MODELS}::test_list_shows_aliases_metric_age_and_data",
    "ml-pipeline models show 3": f"{MODELS}::test_show_gives_evidence_and_reason",
    'ml-pipeline models promote 3 --reason "the data has become harder"': PROMOTED,
    "ml-pipeline models rollback": PROMOTED,
    OWN_URL: ADMINISTRATOR,
    "python make_customers.py": TUTORIAL,
    "ml-pipeline config init data/customers.csv --target left --output config/customers.yaml": (
        TUTORIAL
    ),
    "ml-pipeline config check config/customers.yaml": TUTORIAL,
    "ml-pipeline run --config config/customers.yaml": TUTORIAL,
}
RUN_BY_CI = {
    "./scripts/test.sh",
    './scripts/test.sh -m "not e2e"',
    "./scripts/test.sh tests/unit",
    "./scripts/test.sh -n 2 tests/unit",
}
# What is typed below an example that has to be quick: three folds.
QUICK = "ml-pipeline run --config config/loans.yaml"
# What it prints; exit status 1 is an answer of `doctor`, which judges the machine.
RUN_HERE = {
    "source airflow_postgresql_env.sh": "",
    "ml-pipeline doctor": "PostgreSQL:",
    "ml-pipeline service install": "To start the stack after a reboot",
    "ml-pipeline config check config/loans.yaml": "fine. 200 rows, 2 features",
    QUICK: "positive class 'yes'",
}
NOT_RUN = {
    "ssh -L 8080:localhost:8080 you@server": "needs another machine",
    "git pull": "is git's own",
    "airflow backfill create --dag-id breast_cancer_scoring --from-date 2026-11-01 "
    "--to-date 2026-11-04": "needs a stack whose scoring has a schedule",
}


def told() -> dict[str, Document]:
    """Return every command that stands in a document's fenced block."""
    return {command: page for page in all_documents() for command in page.commands()}


@cache
def names_of_tests(file: str) -> set[str]:
    tree = ast.parse((REPOSITORY / file).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_command_in_a_document_is_run_or_excused_once() -> None:
    lists = (RUN_BY, RUN_BY_CI, RUN_HERE, NOT_RUN)
    for command, page in told().items():
        assert sum(command in each for each in lists) == 1, f"{page}: {command}"


def test_no_list_holds_a_command_that_no_document_names() -> None:
    assert {*RUN_BY, *RUN_BY_CI, *RUN_HERE, *NOT_RUN} - set(told()) == set()


@pytest.mark.parametrize("test", sorted(set(RUN_BY.values())))
def test_named_tests_exist(test: str) -> None:
    file, name = test.split("::")
    assert name in names_of_tests(file)


def test_ci_runs_the_script_that_runs_all_tests() -> None:
    assert "exec scripts/test.sh" in (REPOSITORY / ".ci" / "run").read_text()
    assert "run: scripts/test.sh" in (REPOSITORY / ".github/workflows/ci.yml").read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the README's example of a problem of one's own, and data for it."""
    (tmp_path / "config").mkdir()
    (tmp_path / "data").mkdir()
    example = document("README.md").blocks("yaml")[0]
    (tmp_path / "config" / "loans.yaml").write_text(example)
    draw = random.Random(1)
    lines = ["loan_id,amount,income,defaulted"]
    for number in range(200):
        amount, income = draw.uniform(1, 100), draw.uniform(1, 100)
        lines.append(f"{number},{amount},{income},{'yes' if amount > income else 'no'}")
    (tmp_path / "data" / "loans.csv").write_text("\n".join(lines))
    return tmp_path


@pytest.mark.parametrize("command", RUN_HERE)
def test_command_does_what_its_document_says(command: str, folder: Path) -> None:
    if command == QUICK:
        with (folder / "config" / "loans.yaml").open("a") as configuration:
            configuration.write("selection:\n  protocol: quick\n")
    script = REPOSITORY / "airflow_postgresql_env.sh"
    in_clone = command.replace("source airflow_postgresql_env.sh", ":")
    done = subprocess.run(
        ["bash", "-c", f'. "$0" && {in_clone}', script],
        cwd=folder,
        env={**os.environ, "ML_PIPELINE_RESULTS": str(folder / "results")},
        capture_output=True,
        text=True,
    )
    assert done.returncode in ({0, 1} if command.endswith("doctor") else {0}), done.stderr
    assert RUN_HERE[command] in done.stdout

"""docs/tutorial.md, played from its first block to its last one, as a reader would."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from .documents import REPOSITORY, commands_of, document

PAGE = document("docs/tutorial.md")
MADE_FIRST, *NOTEBOOK = PAGE.blocks("python")
WRITTEN, ADDED = PAGE.blocks("yaml")
COMMANDS = list(PAGE.commands())
SHA256 = re.compile(r"\b[0-9a-f]{64}\b")
SAYS = {
    "python make_customers.py": "",
    "ml-pipeline config init data/customers.csv --target left --output config/customers.yaml": (
        "customers.yaml: written"
    ),
    "ml-pipeline config check config/customers.yaml": "fine. 600 rows, 5 features",
    "ml-pipeline run --config config/customers.yaml": "roc_auc",
}


@dataclass(frozen=True)
class Reader:
    """Somebody who types what the page shows, in a folder of his own."""

    folder: Path

    def type(self, command: str) -> str:
        """Run a command in the clone's environment; return what it printed."""
        done = subprocess.run(
            ["bash", "-c", f'. "$0" && {command}', REPOSITORY / "airflow_postgresql_env.sh"],
            cwd=self.folder,
            env={**os.environ, "ML_PIPELINE_RESULTS": str(self.folder / "results")},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """A reader with an empty clone, but for the example's script."""
    folder = tmp_path_factory.mktemp("clone")
    (folder / "data").mkdir()
    (folder / "make_customers.py").write_text(MADE_FIRST)
    return Reader(folder)


@pytest.fixture(scope="module")
def printed(reader: Reader) -> dict[str, str]:
    """What each command printed, typed in the page's order, with its edit where it stands."""
    before, _, after = PAGE.text.partition(ADDED)
    said = {command: reader.type(command) for command in commands_of(f"{before}```\n")}
    with (reader.folder / "config" / "customers.yaml").open("a") as configuration:
        configuration.write(f"\n{ADDED}")
    return said | {command: reader.type(command) for command in commands_of(f"```\n{after}")}


def test_the_page_s_commands_are_known_here() -> None:
    assert list(SAYS) == COMMANDS


def test_each_command_does_what_the_page_says(printed: dict[str, str]) -> None:
    for command, expected in SAYS.items():
        assert expected in printed[command]


def test_the_report_that_the_reader_is_sent_to_is_there(
    reader: Reader, printed: dict[str, str]
) -> None:
    folder = reader.folder / "results" / "latest"
    assert "how the model was chosen" in (folder / "report.html").read_text().lower()
    assert (folder / "model_card.md").read_text().startswith("# Model card: customers")


def test_the_configuration_shown_is_the_one_that_is_written(
    reader: Reader, printed: dict[str, str]
) -> None:
    written = (reader.folder / "config" / "customers.yaml").read_text()
    assert WRITTEN in written
    assert ADDED in written


@pytest.fixture(scope="module")
def noted(reader: Reader, printed: dict[str, str]) -> list[str]:
    """What the notebook printed, line by line, with the checksum that the run had printed."""
    checksum = SHA256.findall(printed["ml-pipeline run --config config/customers.yaml"])[-1]
    script = "\n".join(NOTEBOOK)
    assert '"…"' in script
    (reader.folder / "notebook.py").write_text(script.replace("…", checksum))
    return reader.type("python notebook.py").splitlines()


def test_the_notebook_gives_the_figures_of_the_command_to_the_last_digit(
    reader: Reader, noted: list[str]
) -> None:
    of_notebook = next(ast.literal_eval(line) for line in noted if line.startswith("{"))
    metrics = json.loads((reader.folder / "results" / "latest" / "metrics.json").read_text())
    assert of_notebook == metrics["holdout"]["roc_auc"]


def test_the_saved_model_answers_for_new_rows_and_one_that_does_not_fit_is_set_aside(
    noted: list[str],
) -> None:
    assert "['N1', 'N2'] ['yes' 'no']" in noted
    assert "many" in noted[-1]

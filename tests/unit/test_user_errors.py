"""What a user can get wrong with a problem: one clear line, exit status 1, and nothing written."""

from __future__ import annotations

import gzip
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from ml_pipeline.cli import main
from ml_pipeline.errors import DataError
from ml_pipeline.ops.project import Project

CLONE = Path(__file__).parents[2]
COMMANDS = [["config", "check"], ["run", "--json", "--config"]]


@dataclass(frozen=True)
class Problem:
    """A configuration and its data, to be spoilt."""

    yaml: Path
    data: Path

    def rewrite(self, old: str, new: str) -> None:
        text = self.yaml.read_text()
        assert old in text
        self.yaml.write_text(text.replace(old, new))

    def respell(self, old: str, new: str, line: int) -> None:
        lines = self.data.read_text().splitlines(keepends=True)
        lines[line - 1] = lines[line - 1].replace(old, new)
        self.data.write_text("".join(lines))

    def write_table(self, text: str) -> None:
        self.yaml.write_text(
            "data: {path: cancer.data}\ntarget: {column: diagnosis, positive: M}\n"
        )
        self.data.write_text(text)

    def keep_rows(self, containing: str) -> None:
        rows = self.data.read_text().splitlines(keepends=True)
        self.data.write_text("".join(row for row in rows if containing in row))


FAULTS: dict[str, tuple[Callable[[Problem], object], str]] = {
    "no configuration": (
        lambda problem: problem.yaml.unlink(),
        "cancer.yaml: no such file.",
    ),
    "empty configuration": (
        lambda problem: problem.yaml.write_text("# nothing yet\n"),
        "cancer.yaml: the file is empty. Must give at least `data` and `target`",
    ),
    "configuration that is no YAML": (
        lambda problem: problem.rewrite("ids: [id]", "ids: [id"),
        "column 7: not valid YAML: expected ',' or ']', but got ':'",
    ),
    "configuration of one word": (
        lambda problem: problem.yaml.write_text("cancer"),
        "cancer.yaml: must be a section with keys and values",
    ),
    "configuration that is no text": (
        lambda problem: problem.yaml.write_bytes(b"\xff\xfe\x00"),
        "cancer.yaml: cannot be read as UTF-8 text: 'utf-8' codec can't decode byte 0xff in "
        "position 0: invalid start byte",
    ),
    "unknown key": (
        lambda problem: problem.rewrite("test_size", "testsize"),
        "cancer.yaml: split.testsize: unknown key. Must be one of test_size, random_state. "
        "Did you mean 'test_size'?",
    ),
    "unknown model parameter": (
        lambda problem: problem.rewrite(
            "selection:", "candidates: [{name: svc, parameters: {Q: 1}}]\n\nselection:"
        ),
        "cancer.yaml: parameters of svc: Got 'Q'. Must be one of C, ",
    ),
    "no data": (
        lambda problem: problem.data.unlink(),
        "cancer.data: no such file; check `data.path`",
    ),
    "empty data": (
        lambda problem: problem.data.write_text("\n"),
        "cancer.data: the file is empty",
    ),
    "wrong delimiter": (
        lambda problem: problem.rewrite("header: false", "header: false\n  delimiter: ';'"),
        "cancer.data, line 1: 1 fields where 32 are expected (and 568 more such lines). "
        "Is ';' the right `data.delimiter`?",
    ),
    "no target column": (
        lambda problem: problem.yaml.write_text(
            "data: {path: cancer.data}\ntarget: {column: diagnosis, positive: M}\n"
        ),
        "cancer.data: no column 'diagnosis'. The file has '842302', 'M', ",
    ),
    "one class": (
        lambda problem: problem.keep_rows(",M,"),
        "cancer.data, column 'diagnosis': 1 label: 'M'. Must be at least two",
    ),
    "undecodable bytes": (
        lambda problem: problem.data.write_bytes("1,ä\n2,".encode() + b"\xfc\n"),
        "cancer.data, line 2: byte 0xfc is not UTF-8. Give the file's `data.encoding`, or save it",
    ),
    "binary garbage": (
        lambda problem: problem.data.write_bytes(bytes(range(256))),
        "cancer.data: no text file (a zero byte at offset 0). Must be CSV text or Parquet",
    ),
    "ragged rows": (
        lambda problem: problem.respell("\n", ",1\n", 3),
        "cancer.data, line 3: 33 fields where 32 are expected",
    ),
    "open quote": (
        lambda problem: problem.respell(",M,", ',"M,', 5),
        'cancer.data, line 5: a quote (") is opened and not closed',
    ),
    "header only": (
        lambda problem: problem.write_table("diagnosis,a\n"),
        "cancer.data: no rows below the header",
    ),
    "duplicate header": (
        lambda problem: problem.write_table("diagnosis,a,a\nM,1,2\n"),
        "cancer.data, line 1: the column name 'a' occurs twice",
    ),
    "infinity": (
        lambda problem: problem.respell(",M,17.99,", ",M,inf,", 1),
        "cancer.data, column 'mean radius', row 1: inf is not a finite number",
    ),
    "all-missing target": (
        lambda problem: problem.write_table("diagnosis,a\n" + ",1\n" * 50),
        "cancer.data, column 'diagnosis': the target is missing in every row",
    ),
    "text in a numeric column": (
        lambda problem: problem.write_table(
            "diagnosis,a\n" + "".join(f"M,{n}\nB,{n}\n" for n in range(50)) + "M,many\n" * 9
        ),
        "cancer.data, column 'a', row 101: 'many' is not a number (and 8 more rows): 8% of the",
    ),
    "few rows of a class": (
        lambda problem: problem.write_table("diagnosis,a\n" + "M,1\n" + "B,2\nB,3\n" * 50),
        "cancer.data, column 'diagnosis': only 1 different row(s) with label 'M'. Must be at",
    ),
    "nothing but a mark": (
        lambda problem: problem.data.write_bytes(b"\xff\xfe"),
        "cancer.data: the file is empty",
    ),
    "number too large": (
        lambda problem: problem.respell(",M,17.99,", ",M,1e300,", 1),
        "cancer.data, column 'mean radius', row 1: 1e+300 is not a finite number up to 3e+38",
    ),
    "two quotes, lines apart": (
        lambda problem: (problem.respell(",M,", ',"M,', 5), problem.respell(",M,", ',"M,', 7)),
        'cancer.data, line 5: a quote (") is opened and not closed',
    ),
    "archive": (
        lambda problem: problem.data.write_bytes(gzip.compress(b"1,M\n")),
        "cancer.data: compressed by gzip: unpack it. Must be CSV text or Parquet",
    ),
    "UTF-16 without its mark": (
        lambda problem: problem.data.write_bytes("1,M,17.99\n".encode("utf-16-le")),
        "Must be CSV text or Parquet. Is it UTF-16? Give the `data.encoding`",
    ),
    "pipe": (
        lambda problem: (problem.data.unlink(), os.mkfifo(problem.data)),
        "cancer.data: a pipe. Must be a file, as it is read more than once",
    ),
    "endless line": (
        lambda problem: problem.write_table("diagnosis,a\nM," + "x" * 9_000_000),
        "cancer.data: cannot be read as CSV: a line longer than 4 MiB. Is it a table?",
    ),
    "titles above the header": (
        lambda problem: problem.write_table("# one\n# two\ndiagnosis,a\n" + "M,1\nB,2\n" * 9),
        "line 3: 2 fields where 1 are expected (and 18 more such lines). Does line 1 name the",
    ),
    "Parquet without columns": (
        lambda problem: parquet.write_table(pa.table({}), problem.data),
        "cancer.data: the file has no columns",
    ),
    "Parquet with a target of lists": (
        lambda problem: parquet.write_table(pa.table({"diagnosis": [[1]]}), problem.data),
        "cancer.data, column 'diagnosis': of type list<",
    ),
    "delimiter that is no ASCII": (
        lambda problem: problem.rewrite("header: false", "header: false\n  delimiter: '§'"),
        "data.delimiter: Got '§'. Must be an ASCII character that is no quote and no line end",
    ),
    "encoding of no text": (
        lambda problem: problem.rewrite("header: false", "header: false\n  encoding: base64"),
        "data.encoding: Got 'base64'. Must be an encoding that Python knows",
    ),
    "encoding that refuses": (
        lambda problem: problem.rewrite("header: false", "header: false\n  encoding: undefined"),
        "data.encoding: Got 'undefined'. Must be an encoding that Python knows",
    ),
    "path with a line end": (
        lambda problem: problem.rewrite("cancer.data", '"C:\\new\\rows.csv"'),
        "Must hold no control characters; a path with backslashes goes into single quotes",
    ),
    "target as group": (
        lambda problem: problem.rewrite("ids: [id]", "ids: [id]\n  group: diagnosis"),
        "cancer.yaml: `target.column` 'diagnosis' also stands in `data.group`",
    ),
    "configuration without end": (
        lambda problem: problem.yaml.write_text("data: " + "[" * 3000 + "]" * 3000),
        "cancer.yaml: not valid YAML: nested too deeply",
    ),
    "too many columns": (
        lambda problem: problem.write_table(",".join(f"c{n}" for n in range(10_001)) + "\n"),
        "cancer.data: 10001 columns. Must be at most 10000",
    ),
}


@pytest.fixture
def problem(tmp_path: Path) -> Problem:
    shipped = (CLONE / "config" / "breast_cancer.yaml").read_text()
    text = shipped.replace("../data/wdbc.data", "cancer.data").replace("../results", "results")
    made = Problem(tmp_path / "cancer.yaml", tmp_path / "cancer.data")
    made.yaml.write_text(text)
    made.data.write_bytes((CLONE / "data" / "wdbc.data").read_bytes())
    return made


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., object]]:
    """Return a function that runs `ml-pipeline` in this process and returns its exit status."""
    monkeypatch.setenv("ML_PIPELINE_HOME", str(CLONE))
    monkeypatch.setenv("AIRFLOW_HOME", str(CLONE / "airflow_home"))
    monkeypatch.delenv("ML_PIPELINE_RESULTS", raising=False)
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = {number: signal.getsignal(number) for number in numbers}

    def run(*words: str | Path) -> object:
        monkeypatch.setattr(sys, "argv", ["ml-pipeline", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("command", COMMANDS, ids=["check", "run"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_clear_line_and_leaves_nothing(
    problem, command_line, capsys, fault, command
):
    spoil, message = FAULTS[fault]
    spoil(problem)
    before = {path: path.stat().st_mtime_ns for path in problem.yaml.parent.iterdir()}

    status = command_line(*command, problem.yaml)

    printed = capsys.readouterr()
    assert (status, printed.out) == (1, "")
    lines = [line for line in printed.err.splitlines() if not line.startswith(("…", "✓"))]
    assert len(lines) == 1
    assert lines[0].startswith("Error: ")
    assert message in lines[0]
    assert {path: path.stat().st_mtime_ns for path in problem.yaml.parent.iterdir()} == before


def test_a_fault_with_verbose_shows_the_traceback(problem, command_line, monkeypatch):
    problem.data.unlink()
    words = ["ml-pipeline", "--verbose", "config", "check", str(problem.yaml)]
    monkeypatch.setattr(sys, "argv", words)

    with pytest.raises(DataError):
        main()


def test_check_goes_on_after_a_fault_and_names_every_one(
    problem, command_line, capsys, monkeypatch
):
    folder = problem.yaml.parent / "config"
    folder.mkdir()
    for name in ("one", "two", "three"):
        text = problem.yaml.read_text().replace("cancer.data", "../cancer.data")
        (folder / f"{name}.yaml").write_text(text)
    (folder / "one.yaml").write_text("")
    (folder / "three.yml").write_text("")
    monkeypatch.setattr(Project, "here", lambda: Project(problem.yaml.parent))
    monkeypatch.setenv("ML_PIPELINE_HOME", str(problem.yaml.parent))
    monkeypatch.setenv("AIRFLOW_HOME", str(problem.yaml.parent))

    status = command_line("config", "check")

    printed = capsys.readouterr()
    assert status == 1
    assert [line.split(":")[0] for line in printed.out.splitlines()] == [
        str(folder / "three.yaml"),
        str(folder / "two.yaml"),
    ]
    assert len(printed.err.splitlines()) == 2
    assert "one.yaml: the file is empty" in printed.err
    assert "three.yml: the file's name gives the DAG its id" in printed.err

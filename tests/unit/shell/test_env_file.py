"""The file .env: settings of this clone, weaker than the caller's, never run."""

from __future__ import annotations

from pathlib import Path

import pytest

from .shells import SCRIPT, Shell, make_clone

SOURCE = f". ./{SCRIPT}"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("ML_PIPELINE_X=plain", "plain"),
        ("ML_PIPELINE_X=", ""),
        ("export ML_PIPELINE_X=exported", "exported"),
        ("  ML_PIPELINE_X = spaced out  ", "spaced out"),
        ('ML_PIPELINE_X=" kept blanks "', " kept blanks "),
        ("ML_PIPELINE_X='single'", "single"),
        ("ML_PIPELINE_X='\"'", '"'),
        ("ML_PIPELINE_X=a=b&c?d", "a=b&c?d"),
        ("ML_PIPELINE_X=windows\r", "windows"),
        ("ML_PIPELINE_X=back\\slash %s \\n", "back\\slash %s \\n"),
        ("ML_PIPELINE_X=Zürich 名", "Zürich 名"),
        ("ML_PIPELINE_X=first\nML_PIPELINE_X=second", "first"),
    ],
)
def test_a_setting_is_what_the_line_says(
    shell: Shell, tmp_path: Path, line: str, value: str
) -> None:
    clone = make_clone(tmp_path / "clone", f"{line}\n")
    assert shell.environment(SOURCE, clone)["ML_PIPELINE_X"] == value


def test_a_last_line_without_an_end_counts(shell: Shell, tmp_path: Path) -> None:
    clone = make_clone(tmp_path / "clone", "ML_PIPELINE_X=1\nML_PIPELINE_Y=2")
    assert shell.environment(SOURCE, clone)["ML_PIPELINE_Y"] == "2"


@pytest.mark.parametrize(
    "line",
    [
        "ML_PIPELINE_X=$(touch ran)",
        "ML_PIPELINE_X=`touch ran`",
        "ML_PIPELINE_X=1; touch ran",
        'ML_PIPELINE_X="$(touch ran)"',
        "touch ran",
        "touch ran; ML_PIPELINE_X=1",
        "ML_PIPELINE_X[$(touch ran)]=1",
        "ML_PIPELINE_$(touch ran)=1",
        "ML_PIPELINE_X}$(touch ran)=1",
    ],
)
def test_the_file_is_never_run(shell: Shell, tmp_path: Path, line: str) -> None:
    clone = make_clone(tmp_path / "clone", f"{line}\n")
    shell.environment(f"{SOURCE}; {SOURCE}", clone)
    assert not (clone / "ran").exists()


def test_a_command_in_a_value_stays_text(shell: Shell, tmp_path: Path) -> None:
    clone = make_clone(tmp_path / "clone", "ML_PIPELINE_X=$(id) `id` $HOME ~\n")
    assert shell.environment(SOURCE, clone)["ML_PIPELINE_X"] == "$(id) `id` $HOME ~"


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "AIRFLOW_HOME",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
        "LD_PRELOAD",
        "ML_PIPELINE_HOME",
        "ML_PIPELINE_FROM_ENV_FILE",
    ],
)
def test_what_is_no_setting_is_left_out(shell: Shell, tmp_path: Path, name: str) -> None:
    clone = make_clone(tmp_path / "clone", f"# a comment\n\n{name}=evil\n")
    assert not any("evil" in value for value in shell.environment(SOURCE, clone).values())


def test_airflow_s_tuning_may_stand_in_it(shell: Shell, tmp_path: Path) -> None:
    clone = make_clone(tmp_path / "clone", "AIRFLOW__CORE__PARALLELISM=5\n")
    assert shell.environment(SOURCE, clone)["AIRFLOW__CORE__PARALLELISM"] == "5"


@pytest.mark.parametrize("name", ["ML_PIPELINE_PORT", "AIRFLOW__CORE__PARALLELISM"])
@pytest.mark.parametrize("value", ["9111", ""])
def test_the_caller_s_value_wins(shell: Shell, tmp_path: Path, name: str, value: str) -> None:
    clone = make_clone(tmp_path / "clone", f"{name}=9222\n")
    assert shell.environment(SOURCE, clone, **{name: value})[name] == value


def test_what_the_caller_changed_after_sourcing_wins(shell: Shell, tmp_path: Path) -> None:
    clone = make_clone(tmp_path / "clone", "ML_PIPELINE_PORT=9222\n")
    environment = shell.environment(f"{SOURCE}; export ML_PIPELINE_PORT=9333; {SOURCE}", clone)
    assert environment["AIRFLOW__API__PORT"] == "9333"


def test_an_edited_file_counts_when_sourced_again(shell: Shell, tmp_path: Path) -> None:
    clone = make_clone(tmp_path / "clone", "ML_PIPELINE_PORT=9222\nML_PIPELINE_X=gone soon\n")
    edited = f"{SOURCE}; echo ML_PIPELINE_PORT=9333 >.env; {SOURCE}"
    environment = shell.environment(edited, clone)
    assert environment["AIRFLOW__API__PORT"] == "9333"
    assert "ML_PIPELINE_X" not in environment


def test_a_program_that_sources_again_keeps_what_it_was_given(shell: Shell, tmp_path: Path) -> None:
    clone = make_clone(tmp_path / "clone", "ML_PIPELINE_PORT=9222\n")
    (clone / "program").write_text(f'{SOURCE}\nprintf %s "$ML_PIPELINE_PORT"\n')
    result = shell.run(f"{SOURCE}; ML_PIPELINE_PORT=9333 bash ./program", clone)
    assert (result.stdout, result.stderr) == ("9333", "")


def test_a_program_that_sources_again_finds_the_edited_file(shell: Shell, tmp_path: Path) -> None:
    clone = make_clone(tmp_path / "clone", "ML_PIPELINE_PORT=9222\n")
    (clone / "program").write_text(f'{SOURCE}\nprintf %s "$ML_PIPELINE_PORT"\n')
    result = shell.run(f"{SOURCE}; echo ML_PIPELINE_PORT=9333 >.env; bash ./program", clone)
    assert (result.stdout, result.stderr) == ("9333", "")


@pytest.mark.parametrize("kind", ["a folder", "nothing"])
def test_a_clone_without_the_file_is_fine(shell: Shell, clone: Path, kind: str) -> None:
    if kind == "a folder":
        (clone / ".env").mkdir()
    assert "ML_PIPELINE_FROM_ENV_FILE" not in shell.environment(SOURCE, clone)

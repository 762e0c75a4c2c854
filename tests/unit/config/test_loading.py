"""Reading the YAML file itself."""

import pytest

from ml_pipeline.config import load, load_folder
from ml_pipeline.errors import ConfigError

MINIMAL = "data: {path: rows.csv}\ntarget: {column: y, positive: M}\n"


def refusal(path):
    with pytest.raises(ConfigError) as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    return message


def test_the_file_name_gives_the_problem_its_name(tmp_path):
    (tmp_path / "wine-2.yaml").write_text(MINIMAL)

    assert load(tmp_path / "wine-2.yaml").name == "wine-2"


def test_a_relative_path_is_made_absolute(tmp_path, monkeypatch):
    (tmp_path / "wine.yaml").write_text(MINIMAL)
    monkeypatch.chdir(tmp_path)

    assert load("wine.yaml").source == tmp_path / "wine.yaml"


def test_a_missing_file_is_answered_with_those_beside_it(tmp_path):
    (tmp_path / "wine.yaml").write_text(MINIMAL)

    message = refusal(tmp_path / "wien.yaml")

    assert message.endswith("no such file. Beside it: wine.yaml")


def test_broken_yaml_is_answered_with_line_and_column(tmp_path):
    (tmp_path / "wine.yaml").write_text("data:\n  path: [a\ntarget: x\n")

    assert "line 3, column 7: not valid YAML" in refusal(tmp_path / "wine.yaml")


def test_a_key_given_twice_is_answered_with_its_line(tmp_path):
    (tmp_path / "wine.yaml").write_text(MINIMAL + "target: {column: z, positive: M}\n")

    assert "line 3, column 1: not valid YAML: key 'target' twice" in refusal(tmp_path / "wine.yaml")


@pytest.mark.parametrize("content", [b"- a\n", b"just text\n"])
def test_a_file_without_sections_is_refused(tmp_path, content):
    (tmp_path / "wine.yaml").write_bytes(content)

    assert "must be a section with keys and values" in refusal(tmp_path / "wine.yaml")


@pytest.mark.parametrize("content", [b"", b"\n", b"# only a comment\n"])
def test_a_file_without_anything_is_called_empty(tmp_path, content):
    (tmp_path / "wine.yaml").write_bytes(content)

    assert "the file is empty. Must give at least `data`" in refusal(tmp_path / "wine.yaml")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a: \x00\n", b"? [a]: b\n: c"])
def test_what_is_no_text_or_no_mapping_of_text_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "wine.yaml").write_bytes(content)

    refusal(tmp_path / "wine.yaml")


def test_a_folder_in_place_of_the_file_is_refused(tmp_path):
    (tmp_path / "wine.yaml").mkdir()

    assert "cannot be read" in refusal(tmp_path / "wine.yaml")


@pytest.mark.parametrize("name", ["my wine.yaml", "wine.v2.yaml", "süß.yaml"])
def test_a_name_that_cannot_become_a_dag_id_is_refused(tmp_path, name):
    (tmp_path / name).write_text(MINIMAL)

    assert "the file's name gives the DAG its id" in refusal(tmp_path / name)


def test_another_ending_is_refused(tmp_path):
    (tmp_path / "wine.yml").write_text(MINIMAL)

    assert refusal(tmp_path / "wine.yml").endswith("and end in .yaml")


def test_a_folder_gives_the_valid_problems_and_what_is_wrong_with_the_others(tmp_path):
    (tmp_path / "wine.yaml").write_text(MINIMAL)
    (tmp_path / "iris.yaml").write_text(MINIMAL)
    (tmp_path / "glass.yaml").write_text("data: [")
    (tmp_path / "seeds.yml").write_text(MINIMAL)
    (tmp_path / "._wine.yaml").write_bytes(b"what macOS leaves on other file systems")
    (tmp_path / "notes.txt").write_text("no configuration")

    problems, errors = load_folder(tmp_path)

    assert [problem.name for problem in problems] == ["iris", "wine"]
    assert [str(error).split(":")[0] for error in errors] == [
        str(tmp_path / "glass.yaml"),
        str(tmp_path / "seeds.yml"),
    ]

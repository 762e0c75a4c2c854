"""A run's pictures, page and card: what they hold, and that they need nothing else."""

from __future__ import annotations

import base64
import copy
import re
import subprocess
import sys
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ml_pipeline.reporting import write_report
from ml_pipeline.storage import folder_name

CLONE = Path(__file__).parents[3]
TEMPLATES = CLONE / "src" / "ml_pipeline" / "reporting" / "templates"
PNG = b"\x89PNG\r\n"
ALWAYS = {"roc", "precision_recall", "calibration", "confusion_matrix", "candidates", "importance"}


def written(folder: Path, run) -> Path:
    folder.mkdir(exist_ok=True)
    write_report(folder, *run)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory, two):
    return written(tmp_path_factory.mktemp("report"), two)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def turned(value):
    """Turn the order of the keys of all dicts below `classes` and `groups` round."""
    found = {}
    for key, part in value.items():
        is_unordered = key in ("classes", "groups", "validation") and isinstance(part, dict)
        found[key] = dict(reversed(turned(part).items())) if is_unordered else part
    return found


class Tags(HTMLParser):
    """Collects tags with their attributes, and holds every opened one against its end."""

    VOID = ("meta", "img", "link", "br")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def tags(page: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(page)
    assert parser.open == []
    return parser.found


def test_a_run_with_two_labels_has_every_picture_as_a_png(folder):
    pictures = {file.stem: file.read_bytes() for file in folder.glob("*.png")}

    assert set(pictures) == {*ALWAYS, "threshold"}
    assert all(content.startswith(PNG) for content in pictures.values())


def test_a_run_with_three_labels_has_all_but_the_threshold(tmp_path, three):
    written(tmp_path, three)

    assert {file.stem for file in tmp_path.glob("*.png")} == ALWAYS
    assert "Each class is set against the rest" in (tmp_path / "report.html").read_text()


def test_the_same_run_gives_the_same_bytes(tmp_path, folder, two):
    assert contents(written(tmp_path, two)) == contents(folder)


def test_the_order_of_keys_which_the_database_turns_round_changes_nothing(tmp_path, three):
    evaluation, document, config = three
    written(tmp_path / "one", three)

    written(tmp_path / "other", (turned(evaluation), turned(document), config))

    assert contents(tmp_path / "other")["report.html"] == contents(tmp_path / "one")["report.html"]


def test_a_run_without_folds_candidates_or_validation_has_what_is_left(tmp_path, two):
    evaluation, document, config = two
    bare = {key: evaluation[key] for key in ("predictions", "confusion_matrix")}

    written(tmp_path, (bare, document, config))

    assert [file.stem for file in tmp_path.glob("*.png")] == ["confusion_matrix"]
    assert "Confusion matrix" in (tmp_path / "report.html").read_text()


def test_the_page_loads_nothing_and_runs_nothing(folder):
    page = (folder / "report.html").read_text()
    found = tags(page)

    sources = [attributes["src"] for _, attributes in found if "src" in attributes]
    assert len(sources) == len(list(folder.glob("*.png")))
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert {tag for tag, _ in found} & {"script", "link", "iframe", "object"} == set()
    assert re.findall(r"https?://|@import|url\(", re.sub(r"base64,[^\"]+", "", page)) == []


def test_the_pictures_on_the_page_are_the_files(folder):
    page = (folder / "report.html").read_text()
    shown = {base64.b64decode(text) for text in re.findall(r"base64,([^\"]+)\"", page)}

    assert shown == {file.read_bytes() for file in folder.glob("*.png")}


def test_every_picture_on_the_page_is_described_in_words(folder):
    pictures = [one for tag, one in tags((folder / "report.html").read_text()) if tag == "img"]

    assert all(len(one["alt"] or "") > 40 for one in pictures)


@pytest.mark.parametrize(
    "text",
    [
        "random_forest",
        "The simplest within one standard error",
        "chosen inside the folds for the highest Recall",
        "0.910 (0.840 to 0.960)",
        "ab" * 32,
        "scikit-learn 1.9",
        "feature 3",
        "south",
        "2 repeated rows dropped",
    ],
)
def test_the_page_shows(folder, text):
    assert text in (folder / "report.html").read_text()


def test_what_comes_from_the_data_is_no_markup(folder):
    page, card = ((folder / name).read_text() for name in ("report.html", "model_card.md"))

    assert "alone &lt;tells&gt; the labels" in page
    assert "<tells>" not in page + card


def test_the_page_names_the_champion_that_the_run_was_compared_with(tmp_path, two):
    evaluation, document, config = two
    promotion = {
        "decision": "challenger",
        "reason": "Harm is not excluded",
        "champion": {"version": "7", "run_id": "manual__1", "model": "svc", "mean": 0.9},
    }

    written(tmp_path, (evaluation | {"promotion": promotion}, document, config))

    page = (tmp_path / "report.html").read_text()
    assert "Challenger" in page
    assert "Harm is not excluded." in page
    assert "version 7 (svc, run manual__1)" in page


def test_the_first_champion_was_compared_with_nobody(tmp_path, two):
    evaluation, document, config = two
    promotion = {"decision": "champion", "reason": "The first with skill", "champion": None}

    written(tmp_path, (evaluation | {"promotion": promotion}, document, config))

    page, card = ((tmp_path / name).read_text() for name in ("report.html", "model_card.md"))
    assert "Becomes the champion.</b>\nThe first with skill.\n" in page
    assert "Compared with version" not in page
    assert "champion. The first with skill.\n" in card


def test_the_card_says_what_the_model_is_for_and_where_it_ends(folder):
    card = (folder / "model_card.md").read_text()

    assert "## Intended use\n\nTo be tested." in card
    assert "- It is no medical device." in card


@pytest.mark.parametrize(
    ("dag_id", "run_id", "arguments"),
    [
        ("d", "manual__1", '"results/manual__1"'),
        ("d", "manual+1", '"results/{folder}"'),
        (None, "local-1", '"results/local-1", expected_sha256="…"'),
    ],
)
def test_the_card_names_the_run_s_folder_and_what_vouches_for_it(
    tmp_path, two, dag_id, run_id, arguments
):
    evaluation, document, config = two
    run = {"dag_id": dag_id, "run_id": run_id}

    card = (written(tmp_path, (evaluation, document | run, config)) / "model_card.md").read_text()

    expected = arguments.format(folder=folder_name(run_id, dag_id))
    assert f"ml_pipeline.load_model({expected})\n" in card
    assert ("the recorded one" in card) is (dag_id is not None)


def test_the_card_says_that_nobody_stated_what_the_model_is_for(tmp_path, three):
    card = (written(tmp_path, three) / "model_card.md").read_text()

    assert "Not stated. Say it in `card.intended_use`" in card


def test_a_figure_over_several_labels_is_said_to_be_their_mean(tmp_path, two, three):
    for run, is_said in ((two, False), (three, True)):
        folder = written(tmp_path / str(is_said), run)
        for name in ("report.html", "model_card.md"):
            said = "unweighted mean over the labels" in (folder / name).read_text()
            assert said is is_said


def test_an_interval_without_width_is_said_to_be_no_certainty(tmp_path, folder, two):
    evaluation, document, config = copy.deepcopy(two)
    document["holdout"]["roc_auc"] = {"value": 1.0, "low": 1.0, "high": 1.0}

    written(tmp_path, (evaluation, document, config))

    assert "It is no certainty" in (tmp_path / "model_card.md").read_text()
    assert "It is no certainty" not in (folder / "model_card.md").read_text()


def test_a_run_without_a_nested_estimate_has_no_column_for_it(tmp_path, two):
    evaluation, document, config = two

    written(tmp_path, (evaluation, document | {"nested": {}}, config))

    assert "nested" not in (tmp_path / "report.html").read_text()
    assert "nested" not in (tmp_path / "model_card.md").read_text()


def test_every_row_of_a_table_of_the_card_has_as_many_cells(folder):
    card = (folder / "model_card.md").read_text()

    for table in re.findall(r"(?:^\|.*\n)+", card, re.M):
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(cells) == 1, table


def test_the_card_says_that_no_group_was_looked_at(tmp_path, two):
    evaluation, document, config = two

    written(tmp_path, (evaluation, document | {"groups": {}}, config))

    assert "No metrics by group" in (tmp_path / "model_card.md").read_text()


def test_more_labels_than_a_picture_holds_are_said_to_be_left_out(tmp_path, three):
    evaluation, document, config = copy.deepcopy(three)
    rows = evaluation["out_of_fold"]
    rows["y_true"] = [f"label {place % 11}" for place in range(len(rows))]

    written(tmp_path, (evaluation, document, config))

    assert "the 8 most frequent of them are shown" in (tmp_path / "report.html").read_text()


def test_drawing_leaves_pyplot_alone():
    module = "ml_pipeline.reporting.pictures"
    code = f"import sys, {module}; print('matplotlib.pyplot' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


def test_the_wheel_holds_the_templates(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]

    subprocess.run(build, cwd=CLONE, capture_output=True, check=True)

    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    templates = {Path(name).name for name in names if "/reporting/templates/" in name}
    assert templates == {file.name for file in TEMPLATES.iterdir()}
    assert {"report.html.j2", "model_card.md.j2"} <= templates

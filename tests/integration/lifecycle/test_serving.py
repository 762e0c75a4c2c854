"""The champion loaded by its alias, and served by the page's own snippet."""

import re
import sys

import pandas as pd
import pytest
from fastapi.testclient import TestClient

import ml_pipeline
from ml_pipeline.ops.project import Project
from ml_pipeline.registry.model_files import ModelRefused
from ml_pipeline.registry.tracking import RegistryError
from tests.integration.conftest import REPOSITORY

pytestmark = pytest.mark.timeout(900)  # the first test waits for all scenarios


@pytest.fixture
def here(lived, monkeypatch):
    """Make the clone with models the one that this Python belongs to."""
    monkeypatch.setattr(Project, "here", classmethod(lambda cls: lived.project))
    monkeypatch.delenv("ML_PIPELINE_RESULTS", raising=False)
    return lived


def test_champion_is_loaded_by_its_alias(here, contest):
    by_alias = ml_pipeline.load_model("champion")
    by_path = ml_pipeline.load_model(here.folder("better"))

    assert repr(by_alias) == repr(by_path)
    assert repr(ml_pipeline.load_model("challenger", problem="contest")) != repr(by_alias)


def test_alias_of_another_problem_is_refused(here):
    with pytest.raises(RegistryError, match="must be one of contest"):
        ml_pipeline.load_model("champion", problem="absent")


def test_champion_whose_file_was_changed_is_refused(here):
    file = here.folder("better") / "model.skops"
    content = file.read_bytes()
    try:
        file.write_bytes(content + b"\0")
        with pytest.raises(ModelRefused, match="SHA-256"):
            ml_pipeline.load_model("champion")
    finally:
        file.write_bytes(content)


def test_snippet_of_the_page_serves_the_champion(here, contest, tmp_path, monkeypatch):
    page = (REPOSITORY / "docs" / "serving.md").read_text()
    (snippet,) = [
        block for block in re.findall(r"```python\n(.*?)```", page, re.S) if "FastAPI" in block
    ]
    (tmp_path / "service.py").write_text(snippet)
    champion = contest.aliased("champion")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("MODEL_FILE", str(here.results / champion.facts["uri"]))
    monkeypatch.setenv("MODEL_SHA256", champion.facts["sha256"])
    import service  # type: ignore[import-not-found]

    try:
        table = pd.read_csv(here.folder("better") / "predictions.csv")
        features = ml_pipeline.load_model("champion").feature_names_in_
        data = pd.read_csv(here.project.root / "data" / "wdbc.data", header=None)
        data = data.set_axis(["id", "diagnosis", *features], axis=1).set_index("id")
        asked = data.loc[table["row_id"].head(20), list(features)]

        answer = TestClient(service.app).post("/predict", json=asked.to_dict("records"))

        assert answer.status_code == 200
        assert [one["label"] for one in answer.json()] == list(table["y_pred"].head(20))
        assert [one["M"] for one in answer.json()] == pytest.approx(list(table["score"].head(20)))
    finally:
        sys.modules.pop("service", None)

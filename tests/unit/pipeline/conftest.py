import pytest

from ml_pipeline.config import load
from tests.unit.pipeline.runs import SHIPPED


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Send results to a folder of the test."""
    monkeypatch.setenv("ML_PIPELINE_RESULTS", str(tmp_path / "my results"))
    return tmp_path / "my results"


@pytest.fixture(scope="module")
def config():
    """Return the shipped problem under a quick protocol."""
    shipped = load(SHIPPED)
    tree = shipped.model_dump() | {
        "candidates": ["logistic_regression", "k_nearest_neighbors", "svc"],
        "selection": {"protocol": "quick"},
    }
    return shipped.validated(tree, shipped.source)

"""A small classification problem in a file of its own, and the breast cancer data."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ml_pipeline.config import ProblemConfig, load
from ml_pipeline.errors import DataError
from ml_pipeline.ml import dataset, validation

SHIPPED = Path(__file__).parents[3] / "config" / "breast_cancer.yaml"


@pytest.fixture
def problem(tmp_path):
    """Return a function that writes a data file and gives the problem that reads it."""

    def write(content, data=None, **sections):
        content = content.encode() if isinstance(content, str) else content
        (tmp_path / "rows.csv").write_bytes(content)
        tree = {
            "data": {"path": "rows.csv"} | (data or {}),
            "target": {"column": "y", "positive": "M"},
            "selection": {"protocol": "quick", "folds": 2, "repeats": 2},
        }
        return ProblemConfig.validated(tree | sections, tmp_path / "small.yaml")

    return write


@pytest.fixture
def rows():
    """Return a frame of 60 rows: two informative features, a noisy one, an id."""
    generator = np.random.default_rng(0)
    is_positive = np.arange(60) % 3 == 0
    return pd.DataFrame(
        {
            "id": [f"p{n:02d}" for n in range(60)],
            "y": np.where(is_positive, "M", "B"),
            "a": is_positive * 2 + generator.normal(size=60),
            "b": generator.normal(size=60) - is_positive,
            "noise": generator.normal(size=60),
        }
    )


@pytest.fixture
def small(problem, rows):
    """Return the problem of `rows` in a file."""
    return problem(rows.to_csv(index=False), {"ids": ["id"]})


@pytest.fixture(scope="session")
def wdbc():
    """Return the shipped problem and its validated rows."""
    config = load(SHIPPED)
    return config, validation.validate(dataset.read_table(config), config)


def refusal(config):
    """Return the one line with which reading is refused, the file's place in it made short."""
    with pytest.raises(DataError) as caught:
        dataset.read_table(config)
    message = str(caught.value)
    assert "\n" not in message
    assert config.data_location in message
    return message.replace(config.data_location, "rows.csv")

"""`ml-pipeline config init` writes what `config check` accepts, from files as people have them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ml_pipeline.cli.config import check
from ml_pipeline.cli.config_init import init
from ml_pipeline.config import load
from ml_pipeline.errors import ConfigError, DataError


@pytest.fixture
def customers():
    """Return a frame such as a spreadsheet holds: a running number, names, gaps, dates, a dull."""
    generator, place = np.random.default_rng(0), np.arange(300)
    churned = generator.integers(0, 2, 300)
    return pd.DataFrame(
        {
            "": place,
            "household_id": place // 2,
            "name, full": [f"person {n}" for n in place],
            "age": np.where(place % 9 == 0, "?", generator.integers(18, 90, 300).astype(str)),
            "income": (generator.normal(size=300) + churned).round(3),
            "city": np.array(["Köln", "Bonn", "Aachen"])[generator.integers(0, 3, 300)],
            "member": np.array(["yes", "no"])[generator.integers(0, 2, 300)],
            "since": pd.date_range("2020-01-01", periods=300).strftime("%d.%m.%Y"),
            "country: of": "DE",
            "churn": np.array(["no", "yes"])[churned],
        }
    )


def write_csv(frame, path):
    frame.to_csv(path, index=False)


def write_german(frame, path):
    frame.to_csv(path, index=False, sep=";", decimal=",", encoding="cp1252")


def write_parquet(frame, path):
    frame.rename(columns={"": "column_1"}).to_parquet(path)


def write_without_header(frame, path):
    frame.to_csv(path, index=False, header=False)


@pytest.mark.parametrize("write", [write_csv, write_german, write_parquet])
def test_what_is_written_is_accepted_and_says_what_the_columns_are(
    customers, tmp_path, capsys, write
):
    data, file = tmp_path / "my data.csv", tmp_path / "config" / "shop.yaml"
    write(customers, data)

    init(str(data), "churn", file)
    check(file)

    assert "fine. 300 rows, 5 features, churn: " in capsys.readouterr().out
    config = load(file)
    assert (config.target.column, config.target.positive) == ("churn", "yes")
    assert config.data.ids == ["column_1", "household_id", "name, full"]
    assert config.data.exclude == ["country: of"]
    assert config.data.kinds == {
        "numeric": ["age", "income"],
        "categorical": ["city"],
        "boolean": ["member"],
        "dates": ["since"],
    }
    assert config.data.missing_values == ["?"]
    assert config.data.path == "../my data.csv"


def test_a_file_without_header_has_its_columns_numbered(customers, tmp_path):
    data, file = tmp_path / "rows.csv", tmp_path / "shop.yaml"
    write_without_header(customers, data)

    init(str(data), "column_10", file)

    config = load(file)
    assert config.data.header is False
    assert config.data.columns == [f"column_{n}" for n in range(1, 11)]
    check(file)


def test_more_than_two_labels_have_no_positive_one(customers, tmp_path, capsys):
    data, file = tmp_path / "rows.csv", tmp_path / "shop.yaml"
    write_csv(customers, data)

    init(str(data), "city", file)

    check(file)
    assert load(file).target.positive is None
    assert "positive" not in capsys.readouterr().out


def test_a_leakage_suspect_is_remarked_upon(customers, tmp_path):
    data, file = tmp_path / "rows.csv", tmp_path / "shop.yaml"
    write_csv(customers.assign(left=customers["churn"].map({"yes": 1, "no": 0})), data)

    init(str(data), "churn", file)

    assert "# look at this: column 'left' is the target in other words" in file.read_text()


def test_an_empty_path_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"data.path: Got ''"):
        init("", "churn", tmp_path / "shop.yaml")


def test_numbers_written_with_thousands_are_no_ids(customers, tmp_path):
    data, file = tmp_path / "rows.csv", tmp_path / "shop.yaml"
    write_csv(customers.assign(salary=[f"{1000 + place:,}" for place in range(300)]), data)

    init(str(data), "churn", file)

    assert "salary" in load(file).data.categorical
    assert "write its numbers plainly, not '1,000'" in file.read_text()


def test_the_positive_label_may_be_a_one_with_a_fraction(customers, tmp_path):
    data, file = tmp_path / "rows.csv", tmp_path / "shop.yaml"
    write_csv(customers.assign(churn=customers["churn"].map({"yes": 1.0, "no": 0.0})), data)

    init(str(data), "churn", file)

    assert load(file).target.positive == "1.0"


def test_a_file_that_is_there_is_not_overwritten(customers, tmp_path):
    data, file = tmp_path / "rows.csv", tmp_path / "shop.yaml"
    write_csv(customers, data)
    file.write_text("mine")

    with pytest.raises(ConfigError, match="is there already"):
        init(str(data), "churn", file)

    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "target", "error"),
    [
        ("shop.yaml", "churned", DataError),
        ("shop.yaml", "age", DataError),
        ("shop.yaml", "", ConfigError),
        ("my shop.yaml", "churn", ConfigError),
    ],
    ids=["unknown target", "target of numbers", "no target", "name that no DAG can have"],
)
def test_nothing_is_written_when_nothing_can_be_learnt(customers, tmp_path, name, target, error):
    data = tmp_path / "rows.csv"
    write_csv(customers, data)

    with pytest.raises(error):
        init(str(data), target, tmp_path / name)

    assert [file.name for file in tmp_path.iterdir()] == ["rows.csv"]

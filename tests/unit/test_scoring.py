"""New rows scored by real models, without Airflow: who scores what, and what is set aside."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import yaml

from ml_pipeline import pipeline, scoring
from ml_pipeline.config import load
from ml_pipeline.errors import DataError
from ml_pipeline.ml import dataset
from ml_pipeline.registry import model_files
from ml_pipeline.storage import Run, results_root

ROWS = 200


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A problem, its model, and the profile of its training."""
    folder = tmp_path_factory.mktemp("scoring")
    table(ROWS, seed=0).to_csv(folder / "shop.csv", index=False)
    tree = {
        "data": {"path": "shop.csv", "ids": ["order"]},
        "target": {"column": "label", "positive": "yes"},
        "candidates": ["logistic_regression"],
        "selection": {"protocol": "quick"},
        "storage": {"results": "results"},
        "scoring": {"source": "new.csv", "chunk_rows": 100},
    }
    (folder / "shop.yaml").write_text(yaml.safe_dump(tree))
    config = load(folder / "shop.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ML_PIPELINE_RESULTS", raising=False)
        pipeline.run_pipeline(config, "r1")
    published = folder / "results" / "r1"
    checksum = model_files.sha256((published / "model.skops").read_bytes())
    model = model_files.load_model(published / "model.skops", checksum)
    return config, model, json.loads((published / "profile.json").read_text())


def table(rows, seed):
    generator = np.random.default_rng(seed)
    age, price = generator.normal(40, 10, rows), generator.normal(100, 20, rows)
    frame = pd.DataFrame({"order": [f"o{seed}-{n}" for n in range(rows)], "age": age})
    frame["price"] = price
    frame["colour"] = generator.choice(["red", "blue"], rows)
    is_yes = age + generator.normal(0, 5, rows) > 40
    frame["label"] = np.where(is_yes, "yes", "no")
    return frame


def scored(trained, rows, *, challenger="none", scorers=1):
    """Score a frame or text; return the document, what was handed on, and the folder."""
    config, model, profile = trained
    text = rows if isinstance(rows, str) else rows.to_csv(index=False)
    config.source.with_name("new.csv").write_text(text)
    tree = config.model_dump()
    tree["scoring"]["challenger"] = challenger
    config = config.validated(tree, config.source)
    both = [scoring.Scorer("champion", 1, model), scoring.Scorer("challenger", 2, model)]
    run = Run(results_root(config) / "scoring" / "shop", "2026-01-01", "shop_scoring")
    kept = []
    document, _ = scoring.score(
        dataset.read_chunks(config, str(config.source.with_name("new.csv")), 100),
        both[:scorers],
        profile,
        kept.append,
        lambda drifts: [("2026-01-01", one.feature, one.psi) for one in drifts],
        run,
        config,
        logical_date="2026-01-01",
        source="new.csv",
    )
    scores = pd.concat([one.scores for one in kept], ignore_index=True)
    set_aside = pd.concat([one.set_aside for one in kept], ignore_index=True)
    return document, scores, set_aside, run.folder


@pytest.fixture(autouse=True)
def _own_results(monkeypatch):
    monkeypatch.delenv("ML_PIPELINE_RESULTS", raising=False)


def test_every_row_is_scored_once_whatever_the_chunks(trained):
    new = table(250, seed=1).drop(columns="label")

    document, scores, set_aside, folder = scored(trained, new)

    assert document["rows"] == document["scored"] == 250
    assert list(scores["row_number"]) == list(range(250))
    assert list(scores["row_id"]) == list(new["order"])
    assert set_aside.empty
    expected = trained[1].predict_proba(new[["age", "price", "colour"]])[:, 1]
    assert scores["score"].to_numpy() == pytest.approx(expected)
    published = pd.read_csv(folder / "predictions.csv")
    assert list(published["row_id"]) == list(new["order"])


def test_rows_of_the_same_kind_raise_no_alert_and_a_shifted_column_its_own_alone(trained):
    new = table(250, seed=2)
    assert scored(trained, new)[0]["alerts"] == []

    new["price"] += 40
    assert scored(trained, new)[0]["alerts"] == ["price"]


def test_faulty_rows_are_set_aside_with_their_reason_and_the_rest_is_scored(trained):
    new = table(120, seed=3).astype(object)
    new.loc[5, "age"] = "old"
    new.loc[110, "label"] = "perhaps"

    document, scores, set_aside, _ = scored(trained, new)

    assert list(set_aside["row_number"]) == [5, 110]
    assert "'old' is not a number" in set_aside["reason"][0]
    assert "never saw" in set_aside["reason"][1]
    assert (document["scored"], document["set_aside"], len(scores)) == (118, 2, 118)


def test_a_line_with_too_few_or_too_many_fields_is_set_aside_and_the_rest_is_scored(trained):
    lines = table(120, seed=8).to_csv(index=False).splitlines()
    lines[3] = "o8-2,40"
    lines[120] += ",more"

    document, scores, set_aside, folder = scored(trained, "\n".join(lines) + "\n")

    assert set_aside.to_dict("records") == [
        {"row_number": 2, "row_id": "", "reason": "line 4: 2 fields where 5 are expected"},
        {"row_number": 119, "row_id": "", "reason": "line 121: 6 fields where 5 are expected"},
    ]
    assert (document["rows"], document["scored"], document["set_aside"]) == (120, 118, 2)
    assert list(scores["row_id"][[1, 2]]) == ["o8-1", "o8-3"]
    assert list(scores["row_number"][[1, 2]]) == [1, 3]
    assert len(pd.read_csv(folder / "set_aside.csv")) == 2


def test_a_missing_column_is_named_and_nothing_is_published(trained):
    config = trained[0]
    folder = results_root(config) / "scoring" / "shop" / "2026-01-01"
    before = (folder / "scoring.json").read_text() if folder.exists() else None

    with pytest.raises(DataError, match="'price'"):
        scored(trained, table(10, seed=4).drop(columns="price"))

    after = (folder / "scoring.json").read_text() if folder.exists() else None
    assert after == before


def test_both_score_every_row_in_the_shadow(trained):
    _, scores, _, _ = scored(trained, table(50, seed=5), challenger="shadow", scorers=2)

    assert list(scores["role"]) == ["challenger", "champion"] * 50


def test_champion_and_challenger_see_stable_halves(trained):
    new = table(1000, seed=6)
    first = scored(trained, new, challenger="split", scorers=2)[1]
    other_order = new.sample(frac=1, random_state=0)
    second = scored(trained, other_order, challenger="split", scorers=2)[1]

    halves = [dict(zip(one["row_id"], one["role"], strict=True)) for one in (first, second)]
    assert halves[0] == halves[1] and len(first) == 1000
    assert 0.45 < (first["role"] == "challenger").mean() < 0.55


def test_share_of_nothing_and_of_everything():
    ids = pd.Series([str(n) for n in range(100)])

    assert not scoring.challenger_rows(ids, "shop", 0.0).any()
    assert scoring.challenger_rows(ids, "shop", 1.0).all()


def test_other_problems_split_the_same_ids_elsewhere():
    ids = pd.Series([str(n) for n in range(1000)])
    one, other = (scoring.challenger_rows(ids, name, 0.5) for name in ("shop", "bank"))

    assert 0.4 < (one == other).mean() < 0.6


def test_report_stands_alone(trained):
    page = (scored(trained, table(100, seed=7))[3] / "report.html").read_text()

    assert "price: training and now" in page and "data:image/png;base64," in page
    assert "http" not in page

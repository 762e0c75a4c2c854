"""Whether the pipeline's figures are those that a plain scikit-learn script gets.

``python -m benchmarks.model`` first cross-validates the breast cancer data 10x10, twice. Then it
runs data sets that nothing was tuned on, by a YAML file alone: some that come with scikit-learn,
some generated. "Stock" is a plain script with the chosen estimator on the same rows and folds.

``--tables FOLDER`` takes the CSV files of a folder as well: their column ``target`` is predicted,
and all five models are compared on each. Columns whose names end in ``_date`` are dates.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from sklearn import datasets
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks.record import Measure, record
from benchmarks.running import temporary_folder
from ml_pipeline import pipeline
from ml_pipeline.config import MODELS, load
from ml_pipeline.config.selection import CALIBRATION_FOLDS
from ml_pipeline.ml.candidates import recipe_of
from ml_pipeline.ml.selection import cross_validate, summarize
from ml_pipeline.ml.training import build_pipeline

SHIPPED = Path("config") / "breast_cancer.yaml"
PROMISED = {
    "accuracy": (0.975, True),
    "roc_auc": (0.994, True),
    "recall_at_specificity_95": (0.97, True),
    "brier_score": (0.020, False),
}
SEED, FOLDS = 42, 3
MANY = 1_000_000
FEW_CANDIDATES = ["logistic_regression", "hist_gradient_boosting"]


def breast_cancer() -> list[Measure]:
    """Cross-validate the recipe that the shipped configuration chooses, on all rows, twice."""
    shipped = load(SHIPPED)
    tree = shipped.model_dump() | {"selection": {"folds": 10, "repeats": 10}}
    config = shipped.validated(tree, shipped.source)
    frame = pipeline.validate_data(pipeline.load_data(config), config)
    model = build_pipeline(config.candidate("logistic_regression"), config, frame)
    one, other = (cross_validate(model, frame, config) for _ in range(2))
    assert one.scores == other.scores
    figures = summarize(one.scores, len(frame), config)
    return [
        Measure(
            f"breast cancer, 10x10: {metric}",
            "",
            [figures[metric]["mean"]],
            target=target,
            judged="ours",
            is_more_better=is_more_better,
            remark="logistic regression on all 569 rows; a second pass gave the same to the last "
            f"digit; 95 %: {figures[metric]['low']:.3f} to {figures[metric]['high']:.3f}",
        )
        for metric, (target, is_more_better) in PROMISED.items()
    ]


def bundled(name: str) -> pd.DataFrame:
    """Return a data set that comes with scikit-learn."""
    frame: pd.DataFrame = getattr(datasets, f"load_{name}")(as_frame=True).frame
    return frame.assign(target="class " + frame["target"].astype(str))


def customers(n_rows: int = 3000) -> pd.DataFrame:
    """Generate rows with gaps, categories and dates."""
    generator = np.random.default_rng(SEED)
    region = generator.choice(["north", "south", "east", "west"], n_rows)
    days, spent = generator.integers(0, 2000, n_rows), generator.gamma(2, 50, n_rows)
    since = pd.Timestamp("2018-01-01") + pd.to_timedelta(days, "D")
    odds = 0.01 * spent - 0.001 * days + (region == "north") + generator.normal(size=n_rows)
    return pd.DataFrame(
        {
            "region": pd.Series(region).mask(generator.random(n_rows) < 0.05),
            "since_date": since.strftime("%Y-%m-%d"),
            "spent": pd.Series(spent).mask(generator.random(n_rows) < 0.1),
            "noise": generator.normal(size=n_rows),
            "target": np.where(odds > np.median(odds), "stays", "leaves"),
        }
    )


def many_rows(n_rows: int) -> pd.DataFrame:
    """Generate a large table of numbers."""
    features, labels = datasets.make_classification(
        n_rows, 10, n_informative=6, flip_y=0.05, random_state=SEED
    )
    frame = pd.DataFrame(features).add_prefix("feature ")
    return frame.assign(target=np.where(labels == 1, "yes", "no"))


def compare(folder: Path, name: str, frame: pd.DataFrame, **more: Any) -> list[Measure]:
    """Run the pipeline on a table, and a plain script with the estimator that it chose."""
    labels = sorted(set(frame["target"]))
    target = {"column": "target"} | ({"positive": labels[-1]} if len(labels) == 2 else {})
    tree = {
        "data": {"path": f"{name}.csv"},
        "target": target,
        "selection": {"protocol": "quick"},
        "storage": {"results": "results"},
        **more,
    }
    frame.to_csv(folder / f"{name}.csv", index=False)
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(tree))
    document = pipeline.run_pipeline(load(folder / f"{name}.yaml"), name)
    ours = document["cross_validation"]["accuracy"]["mean"]
    (chosen,) = (one for one in document["selection"]["candidates"] if one["chosen"])
    candidate = load(folder / f"{name}.yaml").candidate(chosen["name"])
    stock = plain(frame, chosen["estimator"], recipe_of(candidate).defaults)
    title = f"{name}, {len(frame):,} rows, {len(labels)} classes"
    apart = 100 * abs(ours - stock)
    return [
        Measure(f"{title}: apart", "points of accuracy", [apart], target=1, judged="ours"),
        Measure(f"{title}: {chosen['name']}", "accuracy", [ours], [stock]),
    ]


def plain(frame: pd.DataFrame, path: str, parameters: Any) -> float:
    """Return the mean accuracy that scikit-learn alone gets on the same rows and folds."""
    module, name = path.rsplit(".", 1)
    frame = frame.drop_duplicates()
    features, labels = with_date_parts(frame.drop(columns="target")), frame["target"]
    texts = features.select_dtypes(exclude="number").columns
    numbers = [column for column in features.columns if column not in texts]
    scaler = "passthrough" if module == "sklearn.ensemble" else StandardScaler()
    prepared = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), scaler), numbers),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), list(texts)),
    )
    seed = {} if name == "KNeighborsClassifier" else {"random_state": SEED}
    estimator = getattr(import_module(module), name)(**parameters, **seed)
    if name == "SVC":  # it has no probabilities of its own
        estimator = CalibratedClassifierCV(estimator, cv=CALIBRATION_FOLDS, ensemble=False)
    train, _ = train_test_split(features, test_size=0.2, random_state=SEED, stratify=labels)
    train = train.sort_index()
    folds = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=1, random_state=SEED)
    model = make_pipeline(prepared, estimator)
    return float(np.mean(cross_val_score(model, train, labels[train.index], cv=folds)))


def with_date_parts(features: pd.DataFrame) -> pd.DataFrame:
    """Return the features with each date as year, month, day of the week and seconds."""
    features = features.copy()
    for name in [name for name in features.columns if name.endswith("_date")]:
        moments = pd.to_datetime(features.pop(name))
        for part in ("year", "month", "day_of_week"):
            features[f"{name} {part}"] = getattr(moments.dt, part)
        features[f"{name} seconds"] = (moments - pd.Timestamp("1970-01-01")).dt.total_seconds()
    return features


def from_folder(folder: Path | None) -> dict[str, pd.DataFrame]:
    """Return the tables of a folder by name."""
    files = sorted(folder.glob("*.csv")) if folder else []
    return {file.stem: pd.read_csv(file) for file in files}


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--many", type=int, default=MANY, help="rows of the largest table")
    parser.add_argument("--tables", type=Path, help="folder of more tables, as CSV")
    options = parser.parse_args()
    tables: dict[str, tuple[Callable[[], pd.DataFrame], dict[str, Any]]] = {
        "wine": (lambda: bundled("wine"), {}),
        "digits": (lambda: bundled("digits"), {}),
        "cancer": (lambda: bundled("breast_cancer"), {}),
        "customers": (customers, {}),
        "many": (lambda: many_rows(options.many), {"candidates": FEW_CANDIDATES}),
        "many-boosted": (lambda: many_rows(options.many), {"candidates": FEW_CANDIDATES[1:]}),
    }
    for name, frame in from_folder(options.tables).items():
        for model in MODELS:
            tables[f"{name}-{model}"] = (partial(frame.copy), {"candidates": [model]})
    measures = breast_cancer()
    with temporary_folder() as folder:
        for name, (make, more) in tables.items():
            measures += compare(folder, name, make(), **more)
            print(name, [measure.ours for measure in measures[-2:]], flush=True)
    record("model", "Are the figures those of a plain scikit-learn script?", measures)


if __name__ == "__main__":
    main()

"""The outcome of a small real fit, in the shape that `write_report` takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, roc_auc_score
from sklearn.model_selection import RepeatedStratifiedKFold

from ml_pipeline.config import ProblemConfig
from ml_pipeline.ml.intervals import corrected_t

FOLDS, REPEATS, ROWS = 4, 2, 240
CANDIDATES = {
    "logistic_regression": LogisticRegression(max_iter=500),
    "random_forest": RandomForestClassifier(20, random_state=0),
}
Outcome = tuple[dict[str, Any], dict[str, Any], ProblemConfig]


def outcome(labels: list[str], folder: Path, **sections: Any) -> Outcome:
    """Return evaluation, metrics document and configuration of a fit on generated rows."""
    features, places = make_classification(
        ROWS, 6, n_informative=4, n_classes=len(labels), class_sep=1.5, random_state=0
    )
    x = pd.DataFrame(features, columns=[f"feature {n}" for n in range(5)] + ["cost in $ or $"])
    y = np.array(labels)[places]
    positive = labels[1] if len(labels) == 2 else None
    tree = {
        "data": {"path": "rows.csv", "group": "site"},
        "target": {"column": "outcome", "positive": positive},
    }
    config = ProblemConfig.validated(tree | sections, folder / "small_problem.yaml")
    evaluation = _evaluation(x, y, labels, config)
    return evaluation, _document(evaluation, config), config


def _evaluation(
    x: pd.DataFrame, y: np.ndarray, labels: list[str], config: ProblemConfig
) -> dict[str, Any]:
    train, test = slice(0, 180), slice(180, ROWS)
    folded = {
        name: _folded(model, x[train], y[train], labels) for name, model in CANDIDATES.items()
    }
    model = CANDIDATES["logistic_regression"].fit(x[train], y[train])
    predictions = _scores(model, x[test], y[test], labels)
    predictions.insert(0, "row_id", [str(n) for n in range(len(predictions))])
    predictions["y_pred"] = model.predict(x[test])
    found = permutation_importance(model, x[test], y[test], n_repeats=3, random_state=0)
    importance = pd.DataFrame(
        {"feature": x.columns, "mean": found.importances_mean, "sd": found.importances_std}
    )
    counts = confusion_matrix(predictions["y_true"], predictions["y_pred"], labels=labels)
    return {
        "predictions": predictions,
        "out_of_fold": folded["logistic_regression"][1],
        "candidates": [
            _candidate(name, scores, chosen=name == "logistic_regression")
            for name, (scores, _) in folded.items()
        ],
        "importance": importance.sort_values("mean", ascending=False, ignore_index=True),
        "confusion_matrix": {"labels": labels, "counts": counts.tolist()},
        "validation": {
            "rows": ROWS,
            "duplicates": 2,
            "classes": {label: int((y == label).sum()) for label in labels},
            "findings": [
                {
                    "level": "warning",
                    "column": "feature 1",
                    "message": "rows.csv, column 'feature 1': alone <tells> the labels | apart",
                    "rows": 0,
                }
            ],
            "quality": [_quality(str(name), column) for name, column in x.items()],
            "schema": {},
        },
        "groups": {site: _holdout() for site in ("north", "south")},
        "threshold": {
            "value": 0.4,
            "aim": {"maximize": "recall", "at_least": {"specificity": 0.95}},
        },
    }


def _folded(
    model: Any, x: pd.DataFrame, y: np.ndarray, labels: list[str]
) -> tuple[list[float], pd.DataFrame]:
    splitter = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=REPEATS, random_state=0)
    scores, tables = [], []
    for number, (train, test) in enumerate(splitter.split(x, y)):
        fitted = model.fit(x.iloc[train], y[train])
        table = _scores(fitted, x.iloc[test], y[test], labels)
        scores.append(_auc(table, labels))
        repeat, fold = divmod(number, FOLDS)
        tables.append(table.assign(repeat=repeat, fold=fold, row=test))
    return scores, pd.concat(tables, ignore_index=True)


def _scores(model: Any, x: pd.DataFrame, y: np.ndarray, labels: list[str]) -> pd.DataFrame:
    probability = pd.DataFrame(model.predict_proba(x), columns=model.classes_)
    table = pd.DataFrame({"y_true": y})
    if len(labels) == 2:
        return table.assign(score=probability[labels[1]])
    each = {f"score_{label}": probability[label] for label in labels}
    return table.assign(score=probability.max(axis=1), **each)


def _auc(table: pd.DataFrame, labels: list[str]) -> float:
    if len(labels) == 2:
        return float(roc_auc_score(table["y_true"] == labels[1], table["score"]))
    each = [roc_auc_score(table["y_true"] == one, table[f"score_{one}"]) for one in labels]
    return float(np.mean(each))


def _candidate(name: str, scores: list[float], *, chosen: bool) -> dict[str, Any]:
    return {
        "name": name,
        "estimator": f"sklearn.{name}",
        "parameters": {},
        "scores": {"roc_auc": scores},
        **_figures(scores),
        "rows": 180,
        "seconds": 0.4,
        "chosen": chosen,
        "reason": "The simplest within one standard error (0.0100) of the best mean",
    }


def _figures(scores: list[float]) -> dict[str, float]:
    low, high = corrected_t(np.array(scores), 135, 45)
    return {"mean": float(np.mean(scores)), "sd": float(np.std(scores)), "low": low, "high": high}


def _holdout() -> dict[str, Any]:
    names = ("accuracy", "recall", "specificity", "matthews_corrcoef", "roc_auc", "brier_score")
    return {name: {"value": 0.91, "low": 0.84, "high": 0.96} for name in names}


def _quality(name: str, values: pd.Series) -> dict[str, Any]:
    return {
        "column": name,
        "kind": "numeric",
        "missing": 0,
        "distinct": int(values.nunique()),
        "outliers": 3,
        "skew": float(values.skew()),
        "mean": float(values.mean()),
        "sd": float(values.std()),
        "low": float(values.min()),
        "high": float(values.max()),
        "top": None,
    }


def _document(evaluation: dict[str, Any], config: ProblemConfig) -> dict[str, Any]:
    chosen = evaluation["candidates"][0]
    figures = {name: _figures(chosen["scores"]["roc_auc"]) for name in _holdout()}
    return {
        "run_id": "manual__2026-01-05",
        "dag_id": "small_problem_ml_pipeline",
        "created_at": "2026-01-05T12:00:00+00:00",
        "dataset": {"path": "rows.csv", "sha256": "ab" * 32, "rows": ROWS, "features": 6},
        "target": config.target.column,
        "positive_class": config.target.positive,
        "model": chosen["name"],
        "random_state": 42,
        "holdout": _holdout(),
        "cross_validation": {**figures, "folds": FOLDS, "repeats": REPEATS},
        "nested": {**figures, "folds": FOLDS, "repeats": 1},
        "threshold": evaluation["threshold"],
        "selection": {"metric": "roc_auc", "protocol": "quick"},
        "confusion_matrix": evaluation["confusion_matrix"],
        "groups": evaluation["groups"],
        "versions": {"scikit-learn": "1.9", "python": "3.11"},
    }

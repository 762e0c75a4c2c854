"""Features that are too good to be true: they may know the answer, or name the row."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score
from sklearn.tree import DecisionTreeClassifier

SAMPLE_ROWS = 20_000
SEPARATES = 0.995
FEWEST_ROWS = 30
MOST_LEVELS = 50
MOST_LABELS = 20


def suspects(frame: pd.DataFrame, target: pd.Series) -> dict[str, str]:
    """Return, by feature, why it may leak the target; nothing is left out for it.

    For two labels a number is judged by the area under the ROC curve that its value alone has; for
    more by how well a tree with a leaf for each label does; a category by its most frequent label.

    Parameters
    ----------
    frame
        The features, shape (n_rows, n_features): float64, text or dates.
    target
        The labels, shape (n_rows,).
    """
    if len(frame) < FEWEST_ROWS or target.nunique() > MOST_LABELS:
        return {}
    every = max(1, len(frame) // SAMPLE_ROWS)
    sample, labels = frame.iloc[::every], target.iloc[::every]
    reasons = {str(name): _reason(frame[name], sample[name], labels) for name in frame.columns}
    return {name: reason for name, reason in reasons.items() if reason}


def _reason(column: pd.Series, sample: pd.Series, labels: pd.Series) -> str:
    if _is_copy(sample, labels):
        return "is the target in other words"
    if is_id(column):
        return "has another value in every row: an id?"
    if _separation(sample, labels) >= SEPARATES:
        return "alone tells the labels apart: is it known before the target is?"
    return ""


def _is_copy(values: pd.Series, labels: pd.Series) -> bool:
    """Whether each value goes with one label and each label with one value."""
    if values.nunique() != labels.nunique() or values.isna().any():
        return False
    return len(pd.DataFrame({"value": values, "label": labels}).drop_duplicates()) == len(
        labels.unique()
    )


def is_id(column: pd.Series) -> bool:
    """Whether all values differ though they are no measurements: whole numbers or text.

    Parameters
    ----------
    column
        Typed values, as `kinds.as_feature` gives them.
    """
    if pd.api.types.is_datetime64_any_dtype(column) or column.isna().any():
        return False
    is_number = pd.api.types.is_numeric_dtype(column)
    if is_number and not (column % 1 == 0).all():
        return False
    return bool(column.is_unique)


def _separation(values: pd.Series, labels: pd.Series) -> float:
    if pd.api.types.is_datetime64_any_dtype(values):
        values = values.astype("int64").where(values.notna())
    if pd.api.types.is_numeric_dtype(values):
        if labels.nunique() == 2:
            return _area(values.rank(), labels == labels.iloc[0])
        return _tree_score(values, labels)
    return _purity(values.fillna("missing"), labels)


def _area(ranks: pd.Series, is_label: pd.Series) -> float:
    """Return the area under the ROC curve from ranks (Mann-Whitney), for the better direction."""
    inside = ranks[is_label].dropna()
    others = ranks.notna().sum() - len(inside)
    if not len(inside) or not others:
        return 0.5
    wins = inside.sum() - len(inside) * (len(inside) + 1) / 2
    # Ranks leave the missing out, so the sum is over those that are there.
    area = wins / (len(inside) * others)
    return float(max(area, 1 - area))


def _tree_score(values: pd.Series, labels: pd.Series) -> float:
    """Return the balanced accuracy of as many intervals as there are labels."""
    tree = DecisionTreeClassifier(
        max_leaf_nodes=labels.nunique(), class_weight="balanced", random_state=0
    )
    guessed = tree.fit(values.to_frame(), labels).predict(values.to_frame())
    return float(balanced_accuracy_score(labels, guessed))


def _purity(values: pd.Series, labels: pd.Series) -> float:
    """Return the balanced accuracy of each value's most frequent label."""
    if values.nunique() > min(MOST_LEVELS, len(values) / 10):
        return 0.0
    counts = pd.crosstab(values, labels)
    guessed = counts.to_numpy().argmax(axis=1)
    right = [
        counts.to_numpy()[guessed == place, place].sum() / counts.iloc[:, place].sum()
        for place in range(counts.shape[1])
    ]
    return float(np.mean(right))

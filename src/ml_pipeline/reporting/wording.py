"""How figures are called and written for a reader."""

from __future__ import annotations

from typing import Any

from ml_pipeline.ml.metrics import LOWER_IS_BETTER

NAMES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "precision": "Precision",
    "recall": "Recall (sensitivity)",
    "specificity": "Specificity",
    "f1": "F1",
    "matthews_corrcoef": "Matthews' coefficient",
    "roc_auc": "ROC AUC",
    "average_precision": "PR AUC (average precision)",
    "brier_score": "Brier score",
    "expected_calibration_error": "Expected calibration error",
    "recall_at_specificity_95": "Recall at specificity .95",
    "recall_at_specificity_98": "Recall at specificity .98",
}
LONGEST = 36
NONE = "\N{EN DASH}"


def name_of(metric: str) -> str:
    """Return what a metric is called; lower-is-better is said."""
    name = NAMES.get(metric, metric.replace("_", " "))
    return f"{name} (lower is better)" if metric in LOWER_IS_BETTER else name


def short(text: object, longest: int = LONGEST) -> str:
    """Return a name cut to fit."""
    whole = str(text)
    return whole if len(whole) <= longest else whole[: longest - 1] + "…"


def number(value: Any) -> str:
    """Return a figure with as many digits as a reader needs."""
    if value is None or value != value:
        return NONE
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or (float(value).is_integer() and abs(value) >= 1000):
        return f"{int(value):,}"
    return f"{value:.3f}" if 0.001 <= abs(value) < 100 or value == 0 else f"{value:.3g}"


def interval(figures: dict[str, Any] | None) -> str:
    """Return `value (low to high)` of a hold-out's figures or of a mean's."""
    if not figures:
        return NONE
    value = figures.get("value", figures.get("mean"))
    if figures.get("low") is None:
        return number(value)
    return f"{number(value)} ({number(figures['low'])} to {number(figures['high'])})"


def sentence(text: str) -> str:
    """Return the text with one full stop at its end."""
    return text.rstrip(".") + "."

"""Which pictures a run has, with what a reader has to know about each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

import pandas as pd

from ml_pipeline.reporting import bars, charts, curves
from ml_pipeline.reporting.canvas import png
from ml_pipeline.reporting.wording import interval, name_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ml_pipeline.config import ProblemConfig

MOST_CLASSES = 8
BAND = "The line is the mean of the folds, the band holds nine in ten of them"
DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True)
class Picture:
    """A picture as PNG.

    Parameters
    ----------
    name
        Its file's name without the ending.
    title, caption
        Shown above and below it.
    png
        Its bytes.
    """

    name: str
    title: str
    caption: str
    png: bytes

    @property
    def file(self) -> str:
        """The PNG file's name."""
        return f"{self.name}.png"


def pictures_of(
    evaluation: Mapping[str, Any], document: Mapping[str, Any], config: ProblemConfig
) -> list[Picture]:
    """Draw every picture that the run has the figures for.

    Parameters
    ----------
    evaluation
        From `pipeline.evaluate_model`.
    document
        What `metrics.json` holds.
    config
        The problem.
    """
    out_of_fold = evaluation.get("out_of_fold")
    drawn = [*_of_curves(out_of_fold, evaluation, document, config)] if _some(out_of_fold) else []
    drawn += _of_bars(evaluation, document)
    return [Picture(name, title, caption, png(figure)) for name, title, caption, figure in drawn]


Drawn = tuple[str, str, str, "Figure"]


def _of_curves(
    out_of_fold: pd.DataFrame,
    evaluation: Mapping[str, Any],
    document: Mapping[str, Any],
    config: ProblemConfig,
) -> Iterator[Drawn]:
    labels = _labels(out_of_fold, config)
    folds = {label: curves.folds_of(out_of_fold, label) for label in labels}
    folds = {label: each for label, each in folds.items() if each}
    holdout = {label: curves.scored(evaluation["predictions"], label) for label in folds}
    repeats = out_of_fold["repeat"].nunique()
    rest = _one_against_the_rest(labels, out_of_fold)
    if not folds:
        return
    yield (
        *("roc", "ROC curve", f"{BAND}. {_figure('roc_auc', document)}{rest}"),
        charts.draw_roc(folds, holdout),
    )
    yield (
        *("precision_recall", "Precision and recall"),
        f"{BAND}. {_figure('average_precision', document)}{rest}",
        charts.draw_precision_recall(folds, holdout),
    )
    yield (
        *("calibration", "Calibration"),
        "Of the rows that were promised a probability, how many were of the class. On the dotted "
        f"line it is what was promised; bars are 95 % intervals.{rest}",
        charts.draw_calibration(
            {label: curves.scored(out_of_fold, label) for label in folds}, repeats
        ),
    )
    if len(labels) == 1:
        yield (
            *("threshold", "Threshold"),
            f"What a decision gains and costs at every threshold. {BAND}.",
            charts.draw_threshold(folds[labels[0]], threshold_of(document)),
        )


def _of_bars(evaluation: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[Drawn]:
    if matrix := document.get("confusion_matrix"):
        yield (
            *("confusion_matrix", "Confusion matrix"),
            "Rows of the hold-out, by their true and their predicted label. Colour and percentage "
            "are the share of the true label's rows.",
            bars.draw_confusion_matrix(matrix["labels"], matrix["counts"]),
        )
    if candidates := evaluation.get("candidates"):
        metric = document["selection"]["metric"]
        yield (
            *("candidates", "Candidates"),
            f"{name_of(metric)} in every fold (dots), its mean (large dot) and the mean's 95 % "
            "interval (bar). ✓ marks the one that was chosen.",
            bars.draw_candidates(candidates, metric),
        )
    importance = evaluation.get("importance")
    if _some(importance):
        yield (
            *("importance", "Permutation importance"),
            "What the model loses on the hold-out when one feature's values are shuffled: mean and "
            "standard deviation. Features that say the same share their importance, so that each "
            f"may look unimportant.{_hidden(importance)}",
            bars.draw_importance(importance, document["selection"]["metric"]),
        )


def threshold_of(document: Mapping[str, Any]) -> float:
    """Return the probability from which a row counts as positive."""
    value = (document.get("threshold") or {}).get("value")
    return DEFAULT_THRESHOLD if value is None else float(value)


def _labels(out_of_fold: pd.DataFrame, config: ProblemConfig) -> list[str]:
    """Return the classes that have curves: the positive one, or the most frequent ones."""
    if config.target.positive is not None:
        return [config.target.positive]
    counts = out_of_fold["y_true"].astype(str).value_counts()
    return sorted(counts.index[:MOST_CLASSES])


def _one_against_the_rest(labels: list[str], out_of_fold: pd.DataFrame) -> str:
    if len(labels) == 1:
        return ""
    hidden = out_of_fold["y_true"].nunique() - len(labels)
    only = f"; the {len(labels)} most frequent of them are shown" if hidden > 0 else ""
    return f" Each class is set against the rest{only}."


def _figure(metric: str, document: Mapping[str, Any]) -> str:
    figures = document["cross_validation"].get(metric)
    return f"{name_of(metric)} {interval(figures)}."


def _hidden(importance: pd.DataFrame) -> str:
    hidden = len(importance) - bars.FEATURES_SHOWN
    return f" {hidden} less important features are not shown." if hidden > 0 else ""


def _some(table: Any) -> TypeGuard[pd.DataFrame]:
    return isinstance(table, pd.DataFrame) and len(table) > 0

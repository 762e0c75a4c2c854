"""Whether a newcomer may take the champion's place: the test on shared folds, and the rule."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from scipy import stats

from ml_pipeline.ml.metrics import LOWER_IS_BETTER, oriented

Verdict = Literal["champion", "challenger", "refused"]


@dataclass(frozen=True)
class PairedTest:
    """The outcome of the corrected resampled t-test; positive differences favour the newcomer.

    Parameters
    ----------
    mean
        Of the differences.
    low
        Lower end of the one-sided interval of the mean, at confidence 1 - alpha.
    p_value
        Of the hypothesis that the newcomer is worse by the margin or more.
    folds
        How many differences there are.
    """

    mean: float
    low: float
    p_value: float
    folds: int


@dataclass(frozen=True)
class Evidence:
    """A model's selection metric over the folds, and the data that it was measured on.

    Parameters
    ----------
    mean, low, high
        Of the metric, with its 95 % interval.
    data_sha256
        Of the data file.
    """

    mean: float
    low: float
    high: float
    data_sha256: str


@dataclass(frozen=True)
class Rule:
    """What promotion asks for.

    Parameters
    ----------
    metric
        The selection metric's name.
    margin
        What counts as harm, in the metric's own unit.
    alpha
        Risk of taking harm for none.
    no_skill
        What guessing reaches; None where the metric does not tell.
    """

    metric: str
    margin: float
    alpha: float
    no_skill: float | None = None


@dataclass(frozen=True)
class Decision:
    """What becomes of a newcomer, and why, in one sentence."""

    verdict: Verdict
    reason: str


def corrected_resampled_t(
    differences: Sequence[float], test_fraction: float, margin: float, alpha: float
) -> PairedTest:
    """Test whether harm beyond `margin` is excluded (Nadeau and Bengio 2003, one-sided).

    The folds' training parts overlap, so the variance of the mean is taken as
    (1/n + n_test/n_train) times that of the differences.

    Parameters
    ----------
    differences : shape (n_folds * n_repeats,)
        Newcomer less champion on the same folds, so turned that more is better.
    test_fraction
        Share of the rows that a fold tests on: 1 / n_folds.
    margin, alpha
        See `Rule`.
    """
    values = np.asarray(differences, dtype=float)
    n, mean = len(values), float(np.mean(values))
    spread = float(np.var(values, ddof=1)) if n > 1 else math.inf
    error = math.sqrt((1 / n + test_fraction / (1 - test_fraction)) * spread)
    if error == 0:
        return PairedTest(mean, mean, 0.0 if mean > -margin else 1.0, n)
    if math.isinf(error):
        return PairedTest(mean, -math.inf, 1.0, n)
    reach = float(stats.t.ppf(1 - alpha, n - 1)) * error
    p_value = float(stats.t.sf((mean + margin) / error, n - 1))
    return PairedTest(mean, mean - reach, p_value, n)


def no_skill(metric: str, classes: Mapping[str, int], positive: str | None = None) -> float | None:
    """Return what a guess that knows only the class counts reaches.

    None for recall and specificity, which a constant answer makes perfect, and for unknown names.

    Parameters
    ----------
    metric
        scikit-learn's name.
    classes
        Rows per label.
    positive
        The positive label; None for more than two classes.
    """
    total = sum(classes.values())
    shares = {str(label): count / total for label, count in classes.items()}
    chance = 1 / len(shares)
    share = shares.get(str(positive), chance)
    impurity = 1 - sum(one**2 for one in shares.values())
    return {
        "accuracy": max(shares.values()),
        "balanced_accuracy": chance,
        "precision": share,
        "f1": 2 * share / (1 + share) if positive else chance,
        "matthews_corrcoef": 0.0,
        "roc_auc": 0.5,
        "average_precision": share,
        "brier_score": impurity / 2 if len(shares) == 2 else impurity,
    }.get(metric)


def decide(
    newcomer: Evidence, champion: Evidence | None, paired: PairedTest | None, rule: Rule
) -> Decision:
    """Apply the rule of docs/registry.md; `paired` may be missing only without a champion.

    Returns
    -------
    Decision
        `refused` for a model no better than guessing, or too far below what the champion reached;
        `champion` for a first model with skill, for one that is better without harm, and for one
        without harm on other data; else `challenger`.
    """
    if not _has_skill(newcomer, rule):
        return Decision("refused", _without_skill(newcomer, rule))
    if champion is None:
        return Decision("champion", "The first model of this problem that is better than guessing")
    if _shortfall(newcomer, champion, rule) > rule.margin:
        return Decision("refused", _too_far_below(newcomer, champion, rule))
    if paired is None or paired.p_value >= rule.alpha:
        return Decision("challenger", _harm_possible(paired, rule))
    if paired.mean > 0:
        return Decision("champion", f"Better, and {_no_harm(paired, rule)}")
    if newcomer.data_sha256 != champion.data_sha256:
        return Decision("champion", f"Trained on other data, and {_no_harm(paired, rule)}")
    return Decision("challenger", _no_gain(paired, rule))


def as_document(test: PairedTest | None) -> dict[str, Any] | None:
    """Return the test's figures for JSON, which knows no infinity."""
    if test is None:
        return None
    figures = asdict(test)
    return figures | {"low": figures["low"] if math.isfinite(figures["low"]) else None}


def _has_skill(newcomer: Evidence, rule: Rule) -> bool:
    if rule.no_skill is None:
        return True
    worst = newcomer.high if rule.metric in LOWER_IS_BETTER else newcomer.low
    return oriented(rule.metric, worst) > oriented(rule.metric, rule.no_skill)


def _shortfall(newcomer: Evidence, champion: Evidence, rule: Rule) -> float:
    return oriented(rule.metric, champion.mean) - oriented(rule.metric, newcomer.mean)


def _without_skill(newcomer: Evidence, rule: Rule) -> str:
    return (
        f"No better than guessing: {rule.metric} {newcomer.mean:.4f} "
        f"[{newcomer.low:.4f}, {newcomer.high:.4f}], guessing reaches {rule.no_skill:.4f}. "
        "Check the labels"
    )


def _too_far_below(newcomer: Evidence, champion: Evidence, rule: Rule) -> str:
    return (
        f"{rule.metric} {newcomer.mean:.4f} is worse than the champion's {champion.mean:.4f} by "
        f"more than {rule.margin:g}. Check the data and its labels"
    )


def _harm_possible(paired: PairedTest | None, rule: Rule) -> str:
    if paired is None:
        return "The champion's recipe cannot be fitted to these rows, so nothing was compared"
    return (
        f"A loss of {rule.margin:g} {rule.metric} against the champion is not excluded: "
        f"{_figures(paired, rule)}"
    )


def _no_harm(paired: PairedTest, rule: Rule) -> str:
    return (
        f"a loss of {rule.margin:g} {rule.metric} against the champion is excluded: "
        f"{_figures(paired, rule)}"
    )


def _no_gain(paired: PairedTest, rule: Rule) -> str:
    return f"No better than the champion on the same data: {_figures(paired, rule)}"


def _figures(paired: PairedTest, rule: Rule) -> str:
    return (
        f"mean difference {paired.mean:+.4f}, at least {paired.low:+.4f} "
        f"({1 - rule.alpha:.0%}), p = {paired.p_value:.2g} over {paired.folds} folds"
    )

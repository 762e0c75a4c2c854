"""A newcomer against the model in use: its recipe on the same folds, and what the test decides."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ml_pipeline.errors import PipelineError
from ml_pipeline.ml import comparison, selection
from ml_pipeline.ml.metrics import oriented

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

    from ml_pipeline.config import ProblemConfig
    from ml_pipeline.registry.versions import Version

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Incumbent:
    """The champion as it was found when the newcomer came.

    Parameters
    ----------
    version
        Its record.
    model
        The loaded model; None when its file is gone or refused.
    """

    version: Version
    model: Pipeline | None


def compare_with_champion(
    parts: dict[str, pd.DataFrame],
    evaluation: dict[str, Any],
    model: Pipeline,
    incumbent: Incumbent | None,
    config: ProblemConfig,
) -> dict[str, Any]:
    """Decide what becomes of a run's model; see docs/registry.md.

    Parameters
    ----------
    parts
        Its `train` holds the rows that the candidates were cross-validated on.
    evaluation
        Of `pipeline.evaluate_model`.
    model
        The newcomer, fitted.
    incumbent
        None when there is no champion yet.
    config
        The problem.

    Returns
    -------
    dict
        `decision`, `reason`, `metric`, `margin`, `alpha`, `mean`, `low`, `high`, `champion` (None,
        or `version`, `run_id`, `model`, `mean`) and `difference` (None, or the test's figures).
    """
    rows = parts["train"]
    rule = _rule(rows, config)
    newcomer = _newcomer(evaluation)
    test = _paired(rows, evaluation, model, incumbent, rule, config) if incumbent else None
    champion = _evidence(incumbent.version) if incumbent else None
    decision = comparison.decide(newcomer, champion, test, rule)
    return {
        "decision": decision.verdict,
        "reason": decision.reason,
        "metric": rule.metric,
        "margin": rule.margin,
        "alpha": rule.alpha,
        "mean": newcomer.mean,
        "low": newcomer.low,
        "high": newcomer.high,
        "champion": _named(incumbent.version) if incumbent else None,
        "difference": comparison.as_document(test),
    }


def _rule(rows: pd.DataFrame, config: ProblemConfig) -> comparison.Rule:
    metric = config.selection.metric
    counts = rows[config.target.column].value_counts()
    classes = {str(label): int(count) for label, count in counts.items()}
    return comparison.Rule(
        metric,
        config.promotion.margin,
        config.promotion.alpha,
        comparison.no_skill(metric, classes, config.target.positive),
    )


def _newcomer(evaluation: dict[str, Any]) -> comparison.Evidence:
    chosen = _chosen(evaluation)
    return comparison.Evidence(
        chosen["mean"], chosen["low"], chosen["high"], evaluation["dataset"]["sha256"]
    )


def _chosen(evaluation: dict[str, Any]) -> dict[str, Any]:
    chosen: dict[str, Any] = next(one for one in evaluation["candidates"] if one["chosen"])
    return chosen


def _evidence(version: Version) -> comparison.Evidence:
    mean, low, high = (version.figure(name) for name in ("mean", "low", "high"))
    return comparison.Evidence(mean, low, high, version.facts.get("data_sha256", ""))


def _paired(
    rows: pd.DataFrame,
    evaluation: dict[str, Any],
    model: Pipeline,
    incumbent: Incumbent,
    rule: comparison.Rule,
    config: ProblemConfig,
) -> comparison.PairedTest | None:
    """Return the test on shared folds; None when the champion's recipe does not fit these rows."""
    if incumbent.model is None or not _is_same_question(incumbent.version, rule, config):
        return None
    chosen = _chosen(evaluation)
    ours = chosen["scores"][rule.metric]
    theirs = ours
    if not _is_same_recipe(model, incumbent.model):
        theirs = _champion_scores(rows, incumbent.model, chosen["name"], rule, config)
    if theirs is None:
        return None
    differences = [
        oriented(rule.metric, one) - oriented(rule.metric, other)
        for one, other in zip(ours, theirs, strict=True)
    ]
    fraction = 1 / config.selection.plan.folds
    return comparison.corrected_resampled_t(differences, fraction, rule.margin, rule.alpha)


def _is_same_question(version: Version, rule: comparison.Rule, config: ProblemConfig) -> bool:
    asked = (rule.metric, config.target.column, str(config.target.positive))
    return asked == tuple(version.facts.get(key) for key in ("metric", "target", "positive_class"))


def _is_same_recipe(one: Pipeline, other: Pipeline) -> bool:
    """Tell whether two models were made alike: on the same folds they give the same figures."""
    import joblib
    from sklearn.base import clone

    return bool(joblib.hash(clone(one)) == joblib.hash(clone(other)))


def _champion_scores(
    rows: pd.DataFrame,
    champion: Pipeline,
    chosen: str,
    rule: comparison.Rule,
    config: ProblemConfig,
) -> list[float] | None:
    """Fit the champion's recipe on the folds, with the newcomer's row cap: on the same rows."""
    try:
        folds = selection.cross_validate(champion, rows, config, config.candidate(chosen))
    except (PipelineError, ValueError, TypeError, KeyError) as error:
        log.warning("The champion's recipe cannot be fitted to these rows: %s", error)
        return None  # other columns, for example
    return folds.scores[rule.metric]


def _named(version: Version) -> dict[str, Any]:
    return {
        "version": version.number,
        "run_id": version.facts.get("run_id"),
        "model": version.facts.get("model"),
        "mean": version.figure("mean"),
    }

"""From run to champion: a newcomer compared with the model in use, and registered."""

from __future__ import annotations

import json
import logging
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ml_pipeline.documents import metrics_rows
from ml_pipeline.errors import PipelineError
from ml_pipeline.ml import comparison, selection
from ml_pipeline.ml.metrics import oriented
from ml_pipeline.registry import training_runs
from ml_pipeline.registry.versions import CHALLENGER, CHAMPION
from ml_pipeline.storage import CLONE

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

    from ml_pipeline.config import ProblemConfig
    from ml_pipeline.registry.versions import Version, Versions
    from ml_pipeline.storage import Place, Run

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


def register(
    summary: dict[str, Any],
    promotion: dict[str, Any],
    versions: Versions,
    run: Run,
    config: ProblemConfig,
) -> dict[str, Any]:
    """Track the run, register its model and move the aliases as was decided.

    Parameters
    ----------
    summary
        Of `pipeline.save_results`.
    promotion
        Of `compare_with_champion`.
    versions
        Of this problem.
    run, config
        The run.

    Returns
    -------
    dict
        `version`, `decision`, `reason`.
    """
    promotion = _unless_overtaken(promotion, versions.aliased(CHAMPION), run)
    facts = _facts(summary, promotion, run)
    mlflow_run = training_runs.track(
        versions.client,
        config.name,
        location_uri(run.root),
        f"{run.dag_id}/{run.run_id}",
        metrics=_figures(summary["metrics"]),
        params=summary["params"],
        tags=facts,
    )
    version = versions.add(f"results:/{summary['model_uri']}", facts, mlflow_run)
    _move_aliases(version, promotion, versions)
    return {
        "version": version.number,
        "decision": promotion["decision"],
        "reason": promotion["reason"],
    }


def location_uri(root: Place) -> str:
    """Return the results root as a URI."""
    return root.as_uri() if hasattr(root, "as_uri") else str(root)


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


def _unless_overtaken(
    promotion: dict[str, Any], champion: Version | None, run: Run
) -> dict[str, Any]:
    """Let nobody take the place of a champion that he was not compared with."""
    found = champion.number if champion else None
    compared = (promotion["champion"] or {}).get("version")
    facts = champion.facts if champion else {}
    is_own = (facts.get("dag_id"), facts.get("run_id")) == _key(run)
    if promotion["decision"] != CHAMPION or found == compared or is_own:
        return promotion
    reason = f"Version {found} became champion while this run was compared with {compared}"
    return promotion | {"decision": CHALLENGER, "reason": reason}


def _move_aliases(version: Version, promotion: dict[str, Any], versions: Versions) -> None:
    decision, reason = promotion["decision"], promotion["reason"]
    champion = versions.aliased(CHAMPION)
    if champion and champion.number == version.number:
        return  # the champion's own run, run again
    if decision == CHALLENGER and champion is None and promotion["champion"]:
        decision = CHAMPION  # it has just replaced the champion's file
        reason = "Its run was run again, and the champion's model file was replaced by this one"
    if decision == CHAMPION:
        versions.promote(version, reason)
    elif decision == CHALLENGER:
        versions.challenge(version)


def _facts(summary: dict[str, Any], promotion: dict[str, Any], run: Run) -> dict[str, str]:
    document = summary["metrics"]
    facts = {
        "dag_id": run.dag_id,
        "run_id": run.run_id,
        "uri": summary["model_uri"],
        "sha256": summary["model_sha256"],
        "report": f"{run.name}/report.html",
        "model": document["model"],
        "target": document["target"],
        "positive_class": document["positive_class"],
        "data_path": document["dataset"]["path"],
        "data_sha256": document["dataset"]["sha256"],
        "rows": document["dataset"]["rows"],
        "versions": document["versions"],
        "requirements": _requirements(document["versions"]),
        "compared_with": promotion["champion"],
        "mlflow.source.git.commit": commit(),
        **{key: promotion[key] for key in ("decision", "reason", "metric", "margin", "alpha")},
        **{key: promotion[key] for key in ("mean", "low", "high", "difference")},
    }
    return {key: _text(value) for key, value in facts.items() if value is not None}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _requirements(versions: Mapping[str, str]) -> str:
    """Say what loading the model takes; MLflow would find it out by trying, for ten seconds."""
    names = ("scikit-learn", "skops", "numpy", "scipy", "pandas")
    return "\n".join(f"{name}=={versions[name]}" for name in names if name in versions)


def _figures(document: dict[str, Any]) -> dict[str, float]:
    return {
        f"{protocol}.{metric}{suffix}": value
        for protocol, metric, *values in metrics_rows(document)
        for suffix, value in zip(("", ".sd", ".low", ".high"), values, strict=True)
        if value is not None
    }


def _key(run: Run) -> tuple[str | None, str]:
    return run.dag_id, run.run_id


def commit() -> str | None:
    """Return the commit of this clone, marked when files differ from it; None without git."""
    if not (CLONE / ".git").exists():
        return None
    try:
        head, changes = (
            subprocess.run(
                ["git", "-C", str(CLONE), *arguments],
                capture_output=True,
                text=True,
                check=True,
                timeout=10,
            ).stdout.strip()
            for arguments in (["rev-parse", "HEAD"], ["status", "--porcelain", "-uno"])
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return head + ("-dirty" if changes else "")

"""A run tracked, its model registered as a version, and the aliases moved as was decided."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ml_pipeline.documents import metrics_rows
from ml_pipeline.registry import training_runs
from ml_pipeline.registry.versions import CHALLENGER, CHAMPION
from ml_pipeline.storage import CLONE

if TYPE_CHECKING:
    from ml_pipeline.config import ProblemConfig
    from ml_pipeline.registry.versions import Version, Versions
    from ml_pipeline.storage import Place, Run


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

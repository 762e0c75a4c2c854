"""New rows scored chunk by chunk by the model in use, and counted for drift; plain functions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ml_pipeline.errors import DataError
from ml_pipeline.ml import drift, evaluation, validation
from ml_pipeline.registry import model_files
from ml_pipeline.registry.versions import CHALLENGER
from ml_pipeline.storage import SCORING, Run, results_root

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray
    from sklearn.pipeline import Pipeline

    from ml_pipeline.config import ProblemConfig

SCORED = ("row_number", "row_id", "role", "version", "label", "score")
SET_ASIDE = ("row_number", "row_id", "reason")
PREDICTIONS, REJECTED = "predictions.csv", "set_aside.csv"

# Logical date, feature and PSI, oldest first.
History = Sequence[tuple[str, str, float]]


@dataclass(frozen=True)
class Scorer:
    """A model at work.

    Parameters
    ----------
    role
        `champion` or `challenger`.
    version
        Its number in the registry.
    model
        Loaded.
    """

    role: str
    version: int
    model: Pipeline


@dataclass(frozen=True)
class Scored:
    """What became of one chunk.

    Parameters
    ----------
    scores : DataFrame of `SCORED`
        One row per row and model.
    set_aside : DataFrame of `SET_ASIDE`
        Rows that the training's schema does not allow, with what is wrong; a line with too few or
        too many fields has no id.
    """

    scores: pd.DataFrame
    set_aside: pd.DataFrame


def place(config: ProblemConfig, dag_id: str, moment: datetime) -> Run:
    """Return where the scores of a logical date are published: the same date, the same folder."""
    return Run(results_root(config) / SCORING / config.name, f"{moment:%Y-%m-%dt%H-%M-%S}", dag_id)


def folder_of(run: Run, config: ProblemConfig) -> str:
    """Return where `place` is, as seen from the results root, which may be moved."""
    return f"{SCORING}/{config.name}/{run.name}"


def located(config: ProblemConfig, moment: datetime) -> str:
    """Return the file or URL that holds the new rows of a logical date."""
    source = config.scoring.source or ""
    return config.resolve(source.replace("{date}", f"{moment:%Y-%m-%d}"))


def score(
    chunks: Iterable[pd.DataFrame],
    scorers: list[Scorer],
    profile: dict[str, Any],
    keep: Callable[[Scored], None],
    history: Callable[[list[drift.Drift]], History],
    run: Run,
    config: ProblemConfig,
    **facts: Any,
) -> tuple[dict[str, Any], list[drift.Drift]]:
    """Score all chunks, and publish files and report in the run's folder.

    Parameters
    ----------
    chunks
        New rows as read; the index is each row's place in the source. `attrs["ragged"]` may hold
        what is wrong with rows that are not among them, by place.
    scorers
        The champion first; then the challenger, if it takes part.
    profile
        Of the champion's training: `schema` and `features`.
    keep
        Is given each chunk's outcome.
    history
        Is given this run's drifts, and returns them after those of earlier runs.
    run
        From `place`.
    config
        The problem.
    facts
        What else `scoring.json` is to say.

    Returns
    -------
    document, drifts
        The document is what `scoring.json` holds.

    Raises
    ------
    DataError
        When a column that the model needs is missing.
    """
    tally = drift.Tally(profile["features"])
    with run.writing():
        run.begin()
        counts = _write_rows(_scored(chunks, scorers, profile, tally, config), keep, run)
        drifts = tally.drifts(config.scoring)
        document = _document(counts, scorers, drifts, config) | facts
        _write_report(document, drifts, history(drifts), run, config)
        model_files.write_manifest(run.staging, run_id=run.run_id, dag_id=run.dag_id)
        run.publish()
    return document, drifts


def _scored(
    chunks: Iterable[pd.DataFrame],
    scorers: list[Scorer],
    profile: dict[str, Any],
    tally: drift.Tally,
    config: ProblemConfig,
) -> Iterator[Scored]:
    for chunk in chunks:
        good, bad = validation.check_rows(chunk, profile["schema"])
        scores = [_scores(good, scorer, scorers, config) for scorer in scorers]
        tally.add(good, scores[0]["score" if config.target.positive is not None else "label"])
        yield Scored(_together(scores), _set_aside(bad, chunk, config))


def _write_rows(scored: Iterable[Scored], keep: Callable[[Scored], None], run: Run) -> Counter[str]:
    """Write each chunk's rows to their files, hand them on, and count them."""
    counts: Counter[str] = Counter()
    with ExitStack() as stack:
        files = {
            name: stack.enter_context((run.staging / name).open("w", encoding="utf-8"))
            for name in (PREDICTIONS, REJECTED)
        }
        for name, columns in ((PREDICTIONS, SCORED), (REJECTED, SET_ASIDE)):
            files[name].write(",".join(columns) + "\n")
        for one in scored:
            one.scores.to_csv(files[PREDICTIONS], index=False, header=False, lineterminator="\n")
            one.set_aside.to_csv(files[REJECTED], index=False, header=False, lineterminator="\n")
            keep(one)
            counts["scored"] += one.scores["row_number"].nunique()
            counts["set_aside"] += len(one.set_aside)
    return counts


def _document(
    counts: Counter[str], scorers: list[Scorer], drifts: list[drift.Drift], config: ProblemConfig
) -> dict[str, Any]:
    return {
        "problem": config.name,
        "rows": counts["scored"] + counts["set_aside"],
        "scored": counts["scored"],
        "set_aside": counts["set_aside"],
        "champion": scorers[0].version,
        "challenger": scorers[1].version if len(scorers) > 1 else None,
        "mode": config.scoring.challenger,
        "alerts": [one.feature for one in drifts if one.is_alert],
    }


def _write_report(
    document: dict[str, Any],
    drifts: list[drift.Drift],
    history: History,
    run: Run,
    config: ProblemConfig,
) -> None:
    from ml_pipeline.reporting.drift import drift_page

    figures = [{"feature": one.feature, "psi": one.psi, "ks": one.ks} for one in drifts]
    page = drift_page(document, drifts, history, config.scoring.psi_alert)
    text = json.dumps(document | {"drift": figures}, indent=2) + "\n"
    (run.staging / "scoring.json").write_text(text, encoding="utf-8")
    (run.staging / "report.html").write_text(page, encoding="utf-8")


def challenger_rows(row_ids: pd.Series, problem: str, share: float) -> NDArray[np.bool_]:
    """Tell which rows are the challenger's under `split`: by a hash, so always the same ones.

    Parameters
    ----------
    row_ids : shape (n_rows,)
    problem
        Its name: other problems split the same ids elsewhere.
    share
        Of the rows.
    """
    from pandas.util import hash_array

    named = (problem + "/" + row_ids.astype(str)).to_numpy(dtype=object)
    chosen: NDArray[np.bool_] = hash_array(named, categorize=False) < share * 2.0**64
    return chosen


def _scores(
    good: pd.DataFrame, scorer: Scorer, scorers: list[Scorer], config: ProblemConfig
) -> pd.DataFrame:
    import pandas as pd

    row_ids = pd.Series(evaluation.row_ids(good, config), index=good.index, dtype=object)
    if config.scoring.challenger == "split" and len(scorers) > 1:
        is_challengers = challenger_rows(row_ids, config.name, config.scoring.share)
        is_own = is_challengers if scorer.role == CHALLENGER else ~is_challengers
        good, row_ids = good[is_own], row_ids[is_own]
    labels, probabilities = _judged(good, scorer, config)
    return pd.DataFrame(
        {
            "row_number": good.index,
            "row_id": row_ids.to_numpy(),
            "role": scorer.role,
            "version": scorer.version,
            "label": labels,
            "score": probabilities,
        }
    )


def _judged(good: pd.DataFrame, scorer: Scorer, config: ProblemConfig) -> tuple[Any, Any]:
    """Return labels and probabilities: of the positive class, or of the label that was chosen."""
    import numpy as np

    if good.empty:
        return [], []
    features = good[_features(good, scorer)]
    probability = scorer.model.predict_proba(features)
    labels = scorer.model.predict(features)
    classes = [str(label) for label in scorer.model.classes_]
    if config.target.positive is not None:
        return labels, probability[:, classes.index(str(config.target.positive))]
    places = [classes.index(str(label)) for label in labels]
    return labels, probability[np.arange(len(labels)), places]


def _features(good: pd.DataFrame, scorer: Scorer) -> list[str]:
    names = [str(name) for name in scorer.model.feature_names_in_]
    missing = [name for name in names if name not in good.columns]
    if missing:
        raise DataError(
            f"The new rows have no column {missing[0]!r}, which version {scorer.version} of the "
            "model needs. Mend the source, or train without that column"
        )
    return names


def _together(scores: list[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    joined = pd.concat(scores, ignore_index=True)
    return joined.sort_values(["row_number", "role"], ignore_index=True)[list(SCORED)]


def _set_aside(bad: pd.DataFrame, chunk: pd.DataFrame, config: ProblemConfig) -> pd.DataFrame:
    import pandas as pd

    ragged: dict[int, str] = chunk.attrs.get("ragged", {})
    row_ids = evaluation.row_ids(chunk.loc[bad["row"]], config)
    names = ["" if config.data.ids else str(place) for place in ragged]
    found = {
        "row_number": [*bad["row"], *ragged],
        "row_id": [*row_ids, *names],
        "reason": [*bad["reason"], *ragged.values()],
    }
    return pd.DataFrame(found)[list(SET_ASIDE)]

"""Which features a model relies on: what it loses when one is shuffled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.inspection import permutation_importance
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from ml_pipeline.ml.training import scorer
from ml_pipeline.ml.validation import feature_names

if TYPE_CHECKING:
    from ml_pipeline.config import ProblemConfig

SHUFFLES = 5
MOST_FEATURES = 300  # each is shuffled by itself, so time grows with them
MOST_ROWS = 5000


def permutation(model: BaseEstimator, test: pd.DataFrame, config: ProblemConfig) -> pd.DataFrame:
    """Return what the selection metric loses when one feature's values are shuffled (Breiman 2001).

    Features that say the same share their importance: the model reads the other one.

    Parameters
    ----------
    model
        Fitted.
    test
        Rows that it has not seen; a stratified sample of 5,000 at most is used.
    config
        The problem; the seed is `split.random_state`.

    Returns
    -------
    DataFrame of shape (n_features, 3)
        `feature`, `mean` and `sd` over five shuffles, the most important first. Empty where there
        are more than 300 features.
    """
    names = feature_names(test, config)
    if len(names) > MOST_FEATURES:
        return _table([], [], [])
    rows = _sampled(test, config)
    with threadpool_limits(1):
        found = permutation_importance(
            model,
            rows[names],
            rows[config.target.column],
            scoring=scorer(config),
            n_repeats=SHUFFLES,
            random_state=config.split.random_state,
        )
    table = _table(names, found.importances_mean, found.importances_std)
    return table.sort_values("mean", ascending=False, kind="stable", ignore_index=True)


def _table(names: list[str], means: ArrayLike, deviations: ArrayLike) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "feature": pd.Series(names, dtype="str"),
            "mean": pd.Series(means, dtype="float64"),
            "sd": pd.Series(deviations, dtype="float64"),
        }
    )


def _sampled(test: pd.DataFrame, config: ProblemConfig) -> pd.DataFrame:
    if len(test) <= MOST_ROWS:
        return test
    labels, seed = test[config.target.column], config.split.random_state
    kept: pd.DataFrame
    kept, _ = train_test_split(test, train_size=MOST_ROWS, random_state=seed, stratify=labels)
    return kept.sort_index()

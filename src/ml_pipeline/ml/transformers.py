"""Two steps that scikit-learn does not have: dates into numbers, and outliers clipped."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

PARTS = ("year", "month", "day_of_week", "ordinal")


class DateParts(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Each date as four numbers: year, month, day of the week (0: Monday), days since 1970.

    A missing date gives missing numbers. Text is read as ISO 8601.
    """

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Remember the columns' names."""
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Return the numbers, shape (n_rows, 4 * n_columns)."""
        check_is_fitted(self)
        return np.column_stack([_parts(X[name]) for name in self.feature_names_in_])

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the new columns' names, such as `born_year`."""
        names = [f"{name}_{part}" for name in self.feature_names_in_ for part in PARTS]
        return np.asarray(names, dtype=object)


class QuantileClipper(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Clip each feature to the quantiles `quantile` and `1 - quantile` of the training rows."""

    def __init__(self, quantile: float = 0.01) -> None:
        self.quantile = quantile

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find each feature's quantiles; missing values do not count."""
        values = np.asarray(X, dtype="float64")
        if hasattr(X, "columns"):
            self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = values.shape[1]
        self.lower_ = np.nanquantile(values, self.quantile, axis=0)
        self.upper_ = np.nanquantile(values, 1 - self.quantile, axis=0)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the clipped values, shape (n_rows, n_features)."""
        check_is_fitted(self)
        clipped: np.ndarray = np.clip(np.asarray(X, dtype="float64"), self.lower_, self.upper_)
        return clipped


def _parts(column: pd.Series) -> np.ndarray:
    moments = pd.to_datetime(column, errors="coerce", format="ISO8601")
    days = (moments - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)
    parts = [moments.dt.year, moments.dt.month, moments.dt.day_of_week, days]
    return np.column_stack([np.asarray(part, dtype="float64") for part in parts])

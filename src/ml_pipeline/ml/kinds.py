"""What kind of feature a column is, and its values as that kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

SAMPLE_ROWS = 2_000
# From this share of numbers on, a column of text is a numeric one with stray text in it.
MOSTLY = 0.5
FEW_STRAYS = 0.05
MOST_DATES = 0.95
FEW_VALUES = 20
TRUE = ("true", "yes", "y", "t", "on", "1", "1.0")
FALSE = ("false", "no", "n", "f", "off", "0", "0.0")
PAIRS = ({"true", "false"}, {"yes", "no"}, {"y", "n"}, {"t", "f"})
ADORNED = r"[\s$€£+-]*\d[\d.,' ]*[\s$€£%]*"
NOTHING = ("none", "<na>", "")
DATE_FORMATS = (
    "ISO8601",
    "%d.%m.%Y",
    "%d.%m.%y",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%m/%d/%y",
    "%d/%m/%y",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p",
    "%d-%m-%Y",
    "%d-%b-%Y",
    "%d %b %Y",
    "%b %d, %Y",
    "%Y%m%d",
)


@dataclass(frozen=True)
class Feature:
    """A column as a kind of feature.

    Attributes
    ----------
    kind
        `numeric`, `categorical`, `boolean` or `dates`.
    values
        float64, `str` or datetime64; stray values are missing.
    is_stray
        Where the column had a value that is none of its kind, shape (n_rows,).
    date_format
        How dates were written, for `pandas.to_datetime`.
    is_ambiguous
        Whether day and month could be the other way round.
    """

    kind: str
    values: pd.Series
    is_stray: np.ndarray
    date_format: str = ""
    is_ambiguous: bool = False


def as_feature(column: pd.Series, kind: str | None = None, date_format: str = "") -> Feature:
    """Return a column's values as `kind`, or as the kind that they look like.

    Parameters
    ----------
    column
        As `dataset.read_table` gives it, shape (n_rows,).
    kind
        None: inferred.
    date_format
        How dates are written; found out when empty.
    """
    if column.dtype == "object":
        column = _settled(column)
    kind = kind or inferred_kind(column)
    if kind == "numeric":
        return _numeric(column)
    if kind == "boolean":
        return _boolean(column)
    if kind == "dates":
        return _dates(column, date_format)
    return Feature("categorical", _text(column), np.zeros(len(column), dtype=bool))


def inferred_kind(column: pd.Series) -> str:
    """Return what a column's values look like."""
    if pd.api.types.is_bool_dtype(column):
        return "boolean"
    if pd.api.types.is_numeric_dtype(column):
        return "numeric"
    if pd.api.types.is_datetime64_any_dtype(column):
        return "dates"
    sample = _sample(column)
    sample = sample.astype("str").str.strip()
    if set(sample.str.lower()) in PAIRS:
        return "boolean"
    if _is_numeric(sample):
        return "numeric"
    found, share, _ = _date_format(sample)
    return "dates" if found and share >= MOST_DATES else "categorical"


def _settled(column: pd.Series) -> pd.Series:
    """Return a column of Python objects as what its values have in common, or as text.

    A database's dates are such objects, and no text that training's format could read.
    """
    if pd.api.types.infer_dtype(column, skipna=True) == "date":
        return pd.to_datetime(column)
    settled = column.infer_objects()
    return settled.astype("str") if settled.dtype == "object" else settled


def _sample(column: pd.Series) -> pd.Series:
    """Return values from all over the column, none missing."""
    present = column.dropna()
    return present.iloc[:: max(1, len(present) // SAMPLE_ROWS)]


def _is_numeric(sample: pd.Series) -> bool:
    """Whether most are numbers, and the rest neither levels (`3+`, `5-7`) nor codes (`A 117`)."""
    numbers = pd.to_numeric(sample, errors="coerce")
    stray = sample[numbers.isna() & ~sample.str.lower().isin(NOTHING)]
    if numbers.notna().sum() <= MOSTLY * (numbers.notna().sum() + len(stray)):
        return False
    has_digits = len(stray) > 0 and stray.str.contains(r"\d").mean() > MOSTLY
    is_few = len(stray) <= FEW_STRAYS * len(sample)
    return not (has_digits and (sample.nunique() <= FEW_VALUES or not is_few))


def looks_like_numbers(feature: Feature) -> bool:
    """Whether the texts of a categorical feature are numbers with a unit or thousands set apart."""
    sample = _sample(feature.values)
    return sample.nunique() > FEW_VALUES and bool(sample.str.fullmatch(ADORNED).all())


def _numeric(column: pd.Series) -> Feature:
    if pd.api.types.is_numeric_dtype(column):
        return Feature("numeric", column.astype("float64"), np.zeros(len(column), dtype=bool))
    text = _text(column)
    numbers = pd.to_numeric(text, errors="coerce").astype("float64")
    stray = numbers.isna() & text.notna()
    if stray.any():
        stray &= ~text.str.lower().isin(NOTHING)
    return Feature("numeric", numbers, stray.to_numpy())


def _boolean(column: pd.Series) -> Feature:
    if pd.api.types.is_bool_dtype(column):
        return Feature("boolean", column.astype("float64"), np.zeros(len(column), dtype=bool))
    text = _text(column).str.lower()
    codes = dict.fromkeys(TRUE, 1.0) | dict.fromkeys(FALSE, 0.0)
    values = text.map(codes).astype("float64")
    return Feature("boolean", values, (values.isna() & text.notna()).to_numpy())


def _dates(column: pd.Series, date_format: str) -> Feature:
    if pd.api.types.is_datetime64_any_dtype(column):
        values = column.dt.tz_convert("UTC").dt.tz_localize(None) if column.dt.tz else column
        none = np.zeros(len(column), dtype=bool)
        return Feature("dates", values.astype("datetime64[us]"), none, "ISO8601")
    text, is_ambiguous = _text(column), False
    if not date_format:
        date_format, _, is_ambiguous = _date_format(_sample(text))
    values = _parsed(text, date_format or "ISO8601")
    stray = (values.isna() & text.notna()).to_numpy()
    return Feature("dates", values, stray, date_format or "ISO8601", is_ambiguous)


def _text(column: pd.Series) -> pd.Series:
    """Return the values as text without blanks around it; whole numbers without a fraction."""
    if pd.api.types.is_float_dtype(column) and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")
    text = column.astype("str").where(column.notna())
    text = text.astype("str").str.strip()
    return text.mask(text == "")


def _date_format(sample: pd.Series) -> tuple[str, float, bool]:
    """Return the format that fits most values, their share, and whether another does as well."""
    texts = sample.astype("str").drop_duplicates().head(SAMPLE_ROWS)
    if texts.empty or not texts.head(20).str.contains(r"\d").all():
        return "", 0.0, False
    shares = {one: float(_parsed(texts, one).notna().mean()) for one in DATE_FORMATS}
    best = max(shares, key=lambda one: shares[one])
    as_good = [one for one in shares if shares[one] == shares[best]]
    is_ambiguous = best.startswith("%m/%d") and best.replace("%m/%d", "%d/%m") in as_good
    return (best, shares[best], is_ambiguous) if shares[best] > 0 else ("", 0.0, False)


def _parsed(text: pd.Series, date_format: str) -> pd.Series:
    parsed = pd.to_datetime(text, format=date_format, errors="coerce", utc=True)
    return parsed.dt.tz_localize(None).astype("datetime64[us]")

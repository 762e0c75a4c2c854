"""Cleaning and splitting; nothing here learns from the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn.model_selection import train_test_split

if TYPE_CHECKING:
    import pandas as pd

    from ml_pipeline.config import ProblemConfig


def clean(frame: pd.DataFrame) -> pd.DataFrame:
    """Drop rows that repeat an earlier one: a twin on each side of the split would leak.

    The index keeps each row's place in the file (0 is the first).
    """
    return frame.drop_duplicates()


def split(frame: pd.DataFrame, config: ProblemConfig) -> dict[str, pd.DataFrame]:
    """Split into `train` and `test`, stratified by the target, in the file's order.

    Parameters
    ----------
    frame
        Validated rows, shape (n_rows, n_columns).
    config
        Its `split` gives the hold-out's share and the seed.
    """
    train, test = train_test_split(
        frame,
        test_size=config.split.test_size,
        random_state=config.split.random_state,
        stratify=frame[config.target.column],
    )
    return {"train": train.sort_index(), "test": test.sort_index()}

"""Rows that repeat an earlier row, found by their hashes and then compared."""

from __future__ import annotations

import numpy as np
import pandas as pd


def is_repeated(frame: pd.DataFrame) -> np.ndarray:
    """Return where a row equals an earlier one in every column, shape (n_rows,).

    pandas' own `duplicated` ranks every column first, which takes minutes where hashes take
    seconds; so it only sees the rows whose hash occurs twice.
    """
    hashes = pd.util.hash_pandas_object(frame, index=False)
    is_suspect = hashes.duplicated(keep=False).to_numpy()
    is_repeat = np.zeros(len(frame), dtype=bool)
    is_repeat[is_suspect] = frame[is_suspect].duplicated().to_numpy()
    return is_repeat

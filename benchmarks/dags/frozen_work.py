"""Four steps on the WDBC table as plain functions; run as a program, all of them in one process.

What is measured by it stays comparable only while it stays as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

DATA = Path(__file__).with_name("wdbc.data")
FEATURES, TARGET = 30, "malignant"


def load() -> pd.DataFrame:
    """Read the table: 569 rows, 30 features, and whether the tumour is malignant."""
    import pandas as pd

    names = ["id", "diagnosis", *(f"feature {number}" for number in range(FEATURES))]
    frame = pd.read_csv(DATA, names=names)
    frame[TARGET] = (frame.pop("diagnosis") == "M").astype(int)
    return frame.drop(columns="id")


def prep(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Split into `train` and `test`."""
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(frame, test_size=0.2, random_state=42, stratify=frame[TARGET])
    return {"train": train, "test": test}


def train(parts: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Scale and fit a logistic regression; return its weights, one row a feature."""
    import pandas as pd
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = parts["train"]
    model = make_pipeline(StandardScaler(), LogisticRegression())
    model.fit(rows.drop(columns=TARGET), rows[TARGET])
    scaler, regression = model[0], model[1]
    weights = {"mean": scaler.mean_, "scale": scaler.scale_, "weight": regression.coef_[0]}
    return pd.DataFrame({**weights, "intercept": regression.intercept_[0]})


def evaluate(parts: dict[str, pd.DataFrame], weights: pd.DataFrame) -> dict[str, float]:
    """Return accuracy and area under the curve (malignant positive) on the test rows."""
    from sklearn.metrics import accuracy_score, roc_auc_score

    rows = parts["test"]
    scaled = (rows.drop(columns=TARGET) - weights["mean"].array) / weights["scale"].array
    scores = scaled.to_numpy() @ weights["weight"].to_numpy() + weights["intercept"].iloc[0]
    return {
        "accuracy": float(accuracy_score(rows[TARGET], scores > 0)),
        "roc_auc": float(roc_auc_score(rows[TARGET], scores)),
    }


if __name__ == "__main__":
    parts = prep(load())
    print(evaluate(parts, train(parts)))

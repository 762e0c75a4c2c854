"""PSI and KS against their formulas, alerts for what moved and for nothing else."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ml_pipeline.config.lifecycle import Scoring
from ml_pipeline.ml import drift

THRESHOLDS = Scoring()


def frame(rows, seed, *, features=30):
    values = np.random.default_rng(seed).normal(size=(rows, features))
    return pd.DataFrame(values, columns=[f"f{place}" for place in range(features)])


def drifts(reference, new, chunks=1):
    tally = drift.Tally(json.loads(json.dumps(reference)))
    for chunk in np.array_split(np.arange(len(new)), chunks):
        tally.add(new.iloc[chunk])
    return {one.feature: one for one in tally.drifts(THRESHOLDS)}


def alerts(found):
    return [name for name, one in found.items() if one.is_alert]


def test_psi_is_the_sum_over_the_bins():
    then, now = np.array([100.0, 300.0]), np.array([200.0, 200.0])

    expected = (0.5 - 0.25) * math.log(0.5 / 0.25) + (0.5 - 0.75) * math.log(0.5 / 0.75)
    assert drift.psi(then, now) == pytest.approx(expected, abs=0.01)


def test_psi_with_an_empty_bin_is_finite():
    assert math.isfinite(drift.psi(np.array([100.0, 0.0]), np.array([0.0, 100.0])))


def test_ks_is_close_to_that_of_the_values_themselves():
    then, now = frame(2000, 0, features=1), frame(1000, 1, features=1) + 0.3

    found = drifts(drift.profile(then), now)["f0"]

    exact = stats.ks_2samp(then["f0"], now["f0"]).statistic
    assert found.ks == pytest.approx(exact, abs=0.015)


@pytest.mark.parametrize("rows", [10, 50, 200, 2000])
def test_rows_of_the_same_kind_raise_no_alert_however_few_they_are(rows):
    reference = drift.profile(frame(455, 0))

    for seed in range(1, 6):
        assert alerts(drifts(reference, frame(rows, seed))) == []


def test_few_rows_would_raise_alerts_by_the_threshold_alone():
    """The guard is needed: with ten rows chance alone passes every usual threshold."""
    found = drifts(drift.profile(frame(455, 0)), frame(10, 1))

    assert max(one.psi for one in found.values()) > THRESHOLDS.psi_alert


def test_a_shifted_feature_raises_its_alert_and_no_other():
    new = frame(200, 1)
    new["f7"] += 1

    assert alerts(drifts(drift.profile(frame(455, 0)), new)) == ["f7"]


def test_counts_do_not_depend_on_the_chunks():
    reference, new = drift.profile(frame(455, 0)), frame(300, 1)

    assert drifts(reference, new, chunks=1) == drifts(reference, new, chunks=7)


def test_values_that_go_missing_raise_an_alert():
    new = frame(200, 1)
    new.loc[:99, "f3"] = np.nan

    found = drifts(drift.profile(frame(455, 0)), new)

    assert alerts(found) == ["f3"]
    assert found["f3"].now[-1] == pytest.approx(0.5)


def test_a_category_never_seen_counts_as_other():
    old = pd.DataFrame({"colour": ["red", "blue", "green", None] * 100})
    new = pd.DataFrame({"colour": ["red", "violet", "green", None] * 50})

    found = drifts(drift.profile(old), new)["colour"]

    assert found.bins == ["blue", "green", "red", drift.OTHER, "missing"]
    assert found.now == pytest.approx([0, 0.25, 0.25, 0.25, 0.25])
    assert found.ks is None and found.is_alert


@pytest.mark.parametrize(
    "values", [[0.0, 1.0] * 200, [5.0] * 400, [np.nan] * 400, [1.0, 2.0] * 200]
)
def test_columns_of_few_values_are_compared_too(values):
    column = pd.DataFrame({"f": values})

    found = drifts(drift.profile(column), column)["f"]

    assert found.psi == pytest.approx(0, abs=1e-9) and not found.is_alert
    assert len(found.then) == len(found.now) == len(found.bins)
    assert sum(found.now) == pytest.approx(1)


def test_dates_are_left_out():
    dates = pd.DataFrame({"when": pd.date_range("2026-01-01", periods=50), "f": range(50)})

    assert list(drift.profile(dates)) == ["f"]


def test_prediction_is_compared_like_a_feature():
    reference = drift.profile(frame(455, 0), pd.Series(np.linspace(0, 1, 455)))
    tally = drift.Tally(reference)
    tally.add(frame(200, 1), pd.Series(np.full(200, 0.9)))

    assert [one.feature for one in tally.drifts(THRESHOLDS) if one.is_alert] == [drift.PREDICTION]

"""New rows scored by a real DAG: once per logical date, by both models, watched for drift."""

import csv
import json

import pytest

from ml_pipeline.ops import secrets
from ml_pipeline.ops.postgres.connections import connected
from ml_pipeline.ops.postgres.urls import parse

pytestmark = pytest.mark.timeout(900)  # the first test waits for all scenarios
ROWS = 190
DAY = {"same kind": 1, "shifted feature": 2, "faulty rows": 3, "split": 4, "split next day": 5}


@pytest.fixture(scope="module")
def recorded(lived):
    """Ask `results_db` about the scoring of a day in January."""

    def ask(columns, table, day):
        url = parse(secrets.read(lived.project.secrets, "results_db_url"))
        query = (
            f"SELECT {columns} FROM {table} JOIN scorings ON scorings.id = {table}.scoring "
            "WHERE logical_date = %s"
        )
        with connected(url) as connection, connection.cursor() as cursor:
            cursor.execute(query, (f"2025-01-{day:02} 00:00+00",))
            return cursor.fetchall()

    return ask


def folder(lived, name):
    return lived.results / "scoring" / "contest" / f"2025-01-{DAY[name]:02}t00-00-00"


def document(lived, name):
    return json.loads((folder(lived, name) / "scoring.json").read_text())


def test_both_models_score_every_row_in_the_shadow(lived, recorded):
    rows = recorded("row_number, role, version, label, score", "scores", 1)

    assert len(rows) == 2 * ROWS
    assert {role: version for _, role, version, _, _ in rows} == {"champion": 5, "challenger": 2}
    assert {label for *_, label, _ in rows} == {"M", "B"}
    assert all(0 <= score <= 1 for *_, score in rows)


def test_what_is_published_is_what_is_recorded(lived, recorded):
    with (folder(lived, "same kind") / "predictions.csv").open() as file:
        published = [
            (int(row["row_number"]), row["role"], float(row["score"]))
            for row in csv.DictReader(file)
        ]

    assert sorted(published) == sorted(recorded("row_number, role, score", "scores", 1))


def test_the_same_logical_date_twice_leaves_the_same_rows_once(lived, recorded):
    assert lived["same day again"]["state"] == "success"
    assert len(recorded("row_number", "scores", 1)) == 2 * ROWS
    assert len(list((lived.results / "scoring" / "contest").glob("2025-01-01*"))) == 1


def test_rows_of_the_same_kind_raise_no_alert(lived):
    assert document(lived, "same kind")["alerts"] == []


def test_a_shifted_feature_raises_its_alert_and_no_other(lived, recorded):
    alerts = set(document(lived, "shifted feature")["alerts"]) - {"(prediction)"}

    assert alerts == {"mean texture"}
    figures = dict(recorded("feature, psi", "drift", 2))
    assert figures["mean texture"] > 0.5 > figures["mean radius"]
    assert "DRIFT: mean texture has moved" in lived["shifted feature"]["log"]
    assert "DRIFT" not in lived["same kind"]["log"]


def test_a_row_that_breaks_the_schema_is_set_aside_with_its_reason_and_the_rest_is_scored(
    lived, recorded
):
    rows = dict(recorded("row_number, reason", "rows_set_aside", 3))

    assert list(rows) == [3, 7]
    assert "'large' is not a number" in rows[3]
    assert "far outside" in rows[7]
    assert len(recorded("row_number", "scores", 3)) == 2 * (ROWS - 2)
    assert document(lived, "faulty rows")["set_aside"] == 2
    assert "'large'" in (folder(lived, "faulty rows") / "set_aside.csv").read_text()


def test_champion_and_challenger_see_stable_halves(recorded):
    halves = [dict(recorded("row_id, role", "scores", day)) for day in (4, 5)]

    assert halves[0] == halves[1]
    assert len(halves[0]) == ROWS
    share = sum(role == "challenger" for role in halves[0].values()) / ROWS
    assert 0.4 < share < 0.6


def test_rows_come_from_a_query_too(recorded):
    rows = recorded("row_id, role, score", "scores", 6)

    assert len(rows) == ROWS
    assert {role for _, role, _ in rows} == {"champion"}
    champions = {
        row_id: score
        for row_id, role, score in recorded("row_id, role, score", "scores", 1)
        if role == "champion"
    }
    assert {row_id: score for row_id, _, score in rows} == pytest.approx(champions)


def test_the_report_shows_drift_over_time_and_then_and_now(lived):
    page = (folder(lived, "shifted feature") / "report.html").read_text()

    assert "PSI over time" in page
    assert "mean texture: training and now" in page
    assert page.count("data:image/png;base64,") >= 8
    assert "http" not in page

"""Where new rows may come from, and the schedule that every section shares."""

import pytest
from pydantic import ValidationError

from ml_pipeline.config.lifecycle import Scoring


def test_nothing_is_scored_unless_something_is_configured():
    assert not Scoring().is_configured
    assert Scoring(source="new.csv").is_configured
    assert Scoring(connection="shop", query="SELECT 1").is_configured


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"query": "SELECT 1"}, "belong together"),
        ({"connection": "shop"}, "belong together"),
        ({"source": "a.csv", "connection": "shop", "query": "SELECT 1"}, "not both"),
        ({"source": "a.csv", "schedule": "daily"}, "five cron fields"),
        ({"challenger": "sometimes"}, "shadow"),
    ],
)
def test_rows_from_nowhere_or_from_two_places_are_refused(fields, message):
    with pytest.raises(ValidationError, match=message):
        Scoring(**fields)

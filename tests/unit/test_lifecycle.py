"""Who may take a champion's place; on a real registry: tests/integration/lifecycle."""

from datetime import UTC, datetime

from ml_pipeline.lifecycle.registration import _unless_overtaken
from ml_pipeline.registry.versions import CHALLENGER, CHAMPION, Version
from ml_pipeline.storage import Run


def test_a_champion_that_somebody_else_registered_meanwhile_is_not_replaced(tmp_path):
    theirs = Version("loans", 7, datetime.now(UTC), (CHAMPION,), facts={})
    promotion = {"decision": CHAMPION, "champion": None, "reason": "the first"}

    found = _unless_overtaken(promotion, theirs, Run(tmp_path, "r1", "loans_ml_pipeline"))

    assert found["decision"] == CHALLENGER
    assert "Version 7 became champion" in found["reason"]

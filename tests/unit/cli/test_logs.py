from __future__ import annotations

from pathlib import Path

from ml_pipeline.cli.logs import _new_lines


def test_follow_while_a_log_is_being_rotated_goes_on_with_the_new_one(tmp_path: Path) -> None:
    log = tmp_path / "scheduler.log"
    log.write_text("first\nsecond\n")
    positions = {log: 6}
    assert list(_new_lines(log, positions)) == ["second"]
    log.rename(log.with_suffix(".log.1"))
    assert list(_new_lines(log, positions)) == []
    log.write_text("third\nunfini")
    assert list(_new_lines(log, positions)) == ["third"]

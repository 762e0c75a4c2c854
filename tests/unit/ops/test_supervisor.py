from __future__ import annotations

from pathlib import Path

import pytest

from ml_pipeline.errors import StackError
from ml_pipeline.ops.supervisor import Supervisor, count_restarts

LOG = """\
2026-11-24 02:00:00,000 INFO supervisord started with pid 10
2026-11-24 02:00:01,000 INFO exited: scheduler (terminated by SIGKILL; not expected)
2026-11-24 02:01:00,000 INFO supervisord started with pid 20
2026-11-24 02:01:01,000 INFO spawned: 'scheduler' with pid 21
2026-11-24 02:01:02,000 WARN exited: scheduler (exit status 1; not expected)
2026-11-24 02:01:03,000 INFO exited: scheduler (terminated by SIGKILL; not expected)
2026-11-24 02:01:04,000 INFO stopped: triggerer (exit status 0)
"""


def test_count_restarts_counts_ends_that_nobody_asked_for_since_the_last_start(
    tmp_path: Path,
) -> None:
    log = tmp_path / "supervisord.log"
    log.write_text(LOG)
    assert count_restarts(log) == {"scheduler": 2}


def test_count_restarts_when_there_is_no_log_yet_is_empty(tmp_path: Path) -> None:
    assert count_restarts(tmp_path / "none") == {}


def test_supervisor_when_nobody_listens_is_unreachable_in_one_line(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path / "none.sock")
    assert not supervisor.is_reachable()
    with pytest.raises(StackError, match="does not answer"):
        supervisor.programs()

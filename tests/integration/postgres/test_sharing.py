"""Several commands at once that need a server which is down."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack

import pytest

from ml_pipeline.ops import postgres, stack_record
from ml_pipeline.ops.postgres import lending, sharing
from ml_pipeline.ops.postgres.sharing import Use
from ml_pipeline.ops.project import Project

AT_ONCE = 4
START = """
import sys
from pathlib import Path
from ml_pipeline.ops import postgres
from ml_pipeline.ops.project import Project
project = Project(Path(sys.argv[1]))
print("loaded", flush=True)
sys.stdin.readline()
print(postgres.start(project), postgres.is_ready(project))
"""


def test_start_when_several_start_at_once_then_one_does_and_it_answers_all(clone: Project) -> None:
    command = [sys.executable, "-c", START, str(clone.root)]
    with ExitStack() as stack:
        starters = [
            stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for _ in range(AT_ONCE)
        ]
        for each in starters:
            assert each.stdout is not None and each.stdout.readline() == "loaded\n"
        for each in starters:
            assert each.stdin is not None
            each.stdin.write("now\n")
            each.stdin.flush()
        answers = [each.communicate()[0].strip() for each in starters]
    assert sorted(answers) == ["False True"] * (AT_ONCE - 1) + ["True True"]


def test_lent_when_the_first_ends_before_the_second_then_the_last_one_stops_it(
    clone: Project,
) -> None:
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(lending.lent(clone))
        second.enter_context(lending.lent(clone))  # it has connected to nothing yet
        first.close()
        assert postgres.is_ready(clone)
    assert not postgres.is_running(clone)


@pytest.mark.parametrize("is_begun_first", [True, False])
def test_lent_when_somebody_asked_for_the_server_then_it_runs_on(
    is_begun_first: bool, clone: Project
) -> None:
    """As `db start` does, before the loan or during it."""
    with ExitStack() as stack:
        if not is_begun_first:
            stack.enter_context(lending.lent(clone))
        postgres.start(clone)
        sharing.keep(clone)
        if is_begun_first:
            stack.enter_context(lending.lent(clone))
    assert postgres.is_ready(clone)


def test_use_when_a_stack_takes_the_server_over_then_it_runs_on(clone: Project) -> None:
    use = Use(clone)
    use.begin()
    with stack_record.lock(clone):
        lending.end(use, is_ours=False)
        assert postgres.is_ready(clone)

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ml_pipeline.ops.inspection import (
    PASSING_SECONDS,
    Failure,
    Finding,
    Trouble,
    lasting,
    trouble_of,
    trouble_of_database,
)
from ml_pipeline.ops.supervisor import Program

ZOMBIE = Finding(Trouble.ZOMBIE, 4, 1.0, "python", 3, "scheduler")
ORPHAN = Finding(Trouble.ORPHAN, 5, 2.0, "sh", 1)


class Looks:
    """Looks at a history of findings; each pause moves its clock on."""

    def __init__(self, *history: list[Finding]) -> None:
        self.history = list(history)
        self.clock = 0.0

    def look(self) -> list[Finding]:
        return self.history.pop(0) if len(self.history) > 1 else self.history[0]

    def pause(self, seconds: float) -> None:
        self.clock += seconds

    def lasting(self) -> list[Finding]:
        return lasting(self.look, self.pause, lambda: self.clock)


def test_lasting_when_the_first_look_is_clean_waits_for_nothing() -> None:
    looks = Looks([])
    assert looks.lasting() == []
    assert looks.clock == 0


def test_lasting_when_a_trouble_passes_does_not_tell_of_it() -> None:
    looks = Looks([ZOMBIE, ORPHAN], [ORPHAN], [])
    assert looks.lasting() == []
    assert looks.clock < PASSING_SECONDS


def test_lasting_when_a_trouble_stays_tells_of_it_alone() -> None:
    assert Looks([ZOMBIE], [ZOMBIE, ORPHAN]).lasting() == [ZOMBIE]


def test_lasting_when_the_pid_is_used_again_takes_it_for_another() -> None:
    again = Finding(Trouble.ZOMBIE, ZOMBIE.pid, ZOMBIE.created_at + 1, "python", 3, "scheduler")
    assert Looks([ZOMBIE], [again]).lasting() == []


def test_finding_when_the_parent_changes_is_the_same() -> None:
    assert Finding(Trouble.ZOMBIE, 4, 1.0, "defunct", 1) == ZOMBIE


def test_failures_of_two_components_in_the_same_second_are_two() -> None:
    names = ("scheduler", "triggerer")
    failures = [Failure(Trouble.FAILED, 0, 7.0, name, 0, name) for name in names]
    assert len(set(failures)) == 2


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("running", [Trouble.SILENT]),
        ("starting", []),
        ("stopped", []),
        ("failed", [Trouble.FAILED]),
    ],
)
def test_trouble_of_an_unhealthy_component_depends_on_its_state(
    state: str, expected: list[Trouble]
) -> None:
    program = Program("scheduler", state, False, os.getpid(), 1.0, 2.0, Path("log"))
    assert [finding.trouble for finding in trouble_of(program)] == expected


@pytest.mark.parametrize(
    ("state", "phase", "expected"),
    [
        ("running", "stopping", [Trouble.CLOSING]),
        ("running", "starting", []),  # it recovers from a crash, which may take its time
        ("running", "ready", [Trouble.SILENT]),
        ("stopped", "stopping", []),  # by us: fast, in order
        ("failed", "", [Trouble.FAILED]),
    ],
)
def test_trouble_of_a_database_that_does_not_answer_depends_on_its_phase(
    state: str, phase: str, expected: list[Trouble]
) -> None:
    program = Program("postgres", state, False, os.getpid(), 1.0, 2.0, Path("log"))
    assert [finding.trouble for finding in trouble_of_database(program, phase)] == expected

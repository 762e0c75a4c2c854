"""A selection of the faults of benchmarks/faults.py, each on the running stack of the session."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.faults.ledger import PROBE
from tests.faults.strikes import POSTMASTER, SCHEDULER, SUPERVISORD, TASK, Strike
from tests.faults.trial import Trial, install_probe
from tests.running_clone import Clone

pytestmark = [pytest.mark.e2e, pytest.mark.faults, pytest.mark.timeout(500)]
SELECTION = [
    Strike(SCHEDULER, signal.SIGKILL),  # what it leaves is ended and reaped; its tasks run again
    Strike(POSTMASTER, signal.SIGKILL),  # what was committed is there; everybody connects again
    Strike(TASK, signal.SIGSTOP),  # nothing but the monitor ever ends it
    Strike(SUPERVISORD, signal.SIGKILL),  # all of it is cleared and started again, in order
]


@pytest.fixture
def struck(clone: Clone) -> Iterator[Clone]:
    """Lend the clone with the probe among its DAGs."""
    install_probe(clone)
    yield clone
    (clone.root / "dags" / f"{PROBE}.py").unlink()


@pytest.mark.parametrize("fault", SELECTION, ids=lambda fault: fault.name.replace(" ", "_"))
def test_stack_when_struck_heals_by_itself_and_loses_nothing(struck: Clone, fault: Strike) -> None:
    outcome = Trial(struck, fault).run()
    assert outcome.complaints == [], f"{outcome}\n{struck.tell()}"
    assert outcome.states == {PROBE: "success"}

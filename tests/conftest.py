"""What holds for all tests: the shared clone, and which of them may be skipped."""

from __future__ import annotations

import os
import signal

import pytest
from _pytest.terminal import TerminalReporter
from hypothesis import settings
from xdist.remote import Producer

from tests.side_by_side import ByWhatIsShared

pytest_plugins = ["tests.running_clone"]

# What no run of ours can show, wherever it runs; any other skip means that a package is missing.
EXPLAINED_SKIPS = ("needs macOS", "needs Linux", "needs systemd")
STRICT_VARIABLE = "ML_PIPELINE_STRICT_SKIPS"


# How long an example takes says more about the machine than about the code.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_configure() -> None:
    """Undo what a run in the background hands down to all that tests start: signals ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # by nohup
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByWhatIsShared:
    """Give each worker whole groups: it has its own clone and its own PostgreSQL."""
    return ByWhatIsShared(config, log)


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Name the skips that nothing explains, where all that can run has to run."""
    for reason in _unexplained(terminalreporter):
        terminalreporter.write_line(f"unexplained skip: {reason}", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run whose skips are not explained."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and session.exitstatus == pytest.ExitCode.OK and _unexplained(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _unexplained(reporter: TerminalReporter) -> list[str]:
    if STRICT_VARIABLE not in os.environ:
        return []
    reasons = {str(report.longrepr[2]) for report in reporter.stats.get("skipped", [])}
    return sorted(
        reason
        for reason in reasons
        if not reason.removeprefix("Skipped: ").startswith(EXPLAINED_SKIPS)
    )

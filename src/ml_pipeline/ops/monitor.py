"""The zombie monitor: the one owner of hang, orphan and zombie handling.

It looks, remembers since when each trouble lasts, and climbs a ladder, one rung at a time: wait out
a grace age, tell the parent, restart the component, end the process. supervisord does the
restarting. Every step is logged with pid, start time and reason.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil

from ml_pipeline.errors import StackError
from ml_pipeline.ops import linux
from ml_pipeline.ops.inspection import Failure, Finding, Trouble
from ml_pipeline.ops.monitor_beat import MONITOR
from ml_pipeline.ops.start_order import READY_WITHIN_SECONDS

log = logging.getLogger("zombie-monitor")

GRACE_SECONDS = {
    Trouble.ZOMBIE: 10.0,
    Trouble.ORPHAN: 10.0,
    Trouble.STOPPED: 15.0,
    Trouble.STUCK: 60.0,  # between the end of a task and the worker's report of it
    Trouble.SILENT: 45.0,  # on top of Airflow's own 30 s until a heartbeat counts as stale
    Trouble.FAILED: 30.0,  # doubled after each vain start: the cause may be gone, or need a person
    Trouble.CLOSING: 5.0,  # every new connection fails, so tasks do
    Trouble.STALLED: 10.0,  # on top of the time for which the tasks have been waiting
    Trouble.LOST_TASK: float("inf"),  # Airflow's: it tries the task again when its heartbeat ages
}
RUNG_SECONDS = 10.0
# No component is silent before it has lived for as long as a start waits for it: on a busy machine
# the imports alone outlast the grace of a silence.
START_SECONDS = READY_WITHIN_SECONDS
INTERRUPTS = 6  # a minute for the checkpoint that a clean shutdown writes
LONGEST_GRACE_SECONDS = 1800.0
STARTS_REMEMBERED_SECONDS = 3600.0
Rung = Callable[[Finding], None]


def reaping_capability(platform: str, has_stack: bool) -> str:
    """Say whether zombies of orphans can be reaped here and, where not, what happens then."""
    if not linux.can_adopt_orphans(platform):
        return (
            "This system has no child subreaper: launchd reaps what is orphaned, and a component "
            "that does not wait for its children is restarted."
        )
    if not has_stack:
        return (
            "No stack is running here: nothing to adopt. What a dead stack left is shown, and "
            "ended with --heal."
        )
    return "The keeper adopts and reaps what components leave behind."


@dataclass
class Monitor:
    """Remembers troubles between looks, and heals them.

    Parameters
    ----------
    inspect
        Takes one look at the stack.
    kill_component
        Kills a component by its name, for supervisord to start it again.
    start_component
        Starts a component that supervisord has given up.
    now
        The clock, in seconds.
    wall_clock
        The time, in seconds since the epoch.
    interval_seconds
        The time between two looks.
    """

    inspect: Callable[[], list[Finding]]
    kill_component: Callable[[str], None]
    start_component: Callable[[str], None]
    now: Callable[[], float] = time.monotonic
    wall_clock: Callable[[], float] = time.time
    interval_seconds: float = 5.0
    _since: dict[Finding, float] = field(default_factory=dict)
    _rungs: dict[Finding, int] = field(default_factory=dict)
    _starts: dict[str, list[float]] = field(default_factory=dict)
    _looked_at: float | None = None

    def look(self) -> list[tuple[Finding, float]]:
        """Take a look; return each finding and how long it has been known, in seconds."""
        now = self.now()
        self._forgive_a_pause(now)
        findings = self.inspect()
        self._since = {finding: self._since.get(finding, now) for finding in findings}
        self._rungs = {finding: self._rungs.get(finding, 0) for finding in findings}
        self._looked_at = self.now()
        return [(finding, now - since) for finding, since in self._since.items()]

    def heal(self) -> None:
        """Take the next step against each trouble that has outlasted its grace."""
        for finding, age in list(self.look()):
            rung = self._rungs[finding]
            due = self._grace_seconds(finding, age) + rung * RUNG_SECONDS
            ladder = self._ladder(finding)
            is_there = isinstance(finding, Failure) or finding.process() is not None
            if ladder and age >= due and is_there:
                self._rungs[finding] = rung + 1
                ladder[min(rung, len(ladder) - 1)](finding)

    @property
    def is_clean(self) -> bool:
        """Whether the last look found nothing."""
        return self._looked_at is not None and not self._since

    def _ladder(self, finding: Finding) -> list[Rung]:
        if finding.component == MONITOR and finding.pid == os.getpid():
            return []
        if finding.trouble is Trouble.ZOMBIE:
            # Without a component the parent is an adopter, which waits, or an orphan: ended.
            return [_tell_parent, self._restart_owner] if finding.component else []
        if finding.trouble is Trouble.FAILED:
            return [self._start_again]
        if finding.trouble in {Trouble.SILENT, Trouble.STALLED}:
            return [self._restart_owner]
        if finding.trouble is Trouble.CLOSING:
            return [*[_interrupt] * INTERRUPTS, _kill]
        return [_end, _kill] if finding.trouble is Trouble.ORPHAN else [_kill]

    def _grace_seconds(self, finding: Finding, age: float) -> float:
        grace = GRACE_SECONDS[finding.trouble]
        if finding.trouble is Trouble.SILENT:
            lived_seconds = self.wall_clock() - age - finding.created_at
            return max(grace, START_SECONDS - lived_seconds)
        if finding.trouble is Trouble.FAILED:
            return min(grace * 2.0 ** len(self._recent_starts(finding)), LONGEST_GRACE_SECONDS)
        return grace

    def _recent_starts(self, finding: Finding) -> list[float]:
        starts = self._starts.get(finding.component, [])
        return [at for at in starts if self.now() - at < STARTS_REMEMBERED_SECONDS]

    def _restart_owner(self, finding: Finding) -> None:
        _log_step(f"restarting {finding.component}", finding)
        _ask(self.kill_component, finding.component)

    def _start_again(self, finding: Finding) -> None:
        _log_step("starting it again", finding)
        self._starts[finding.component] = [*self._recent_starts(finding), self.now()]
        _ask(self.start_component, finding.component)

    def _forgive_a_pause(self, now: float) -> None:
        """Start all ages anew after the machine slept: nobody could do anything meanwhile."""
        if self._looked_at is not None and now - self._looked_at > 3 * self.interval_seconds + 10:
            log.info("the machine paused for %.0f s; all ages start anew", now - self._looked_at)
            self._since.clear()
            self._rungs.clear()


def _ask(act: Callable[[str], None], component: str) -> None:
    try:
        act(component)
    except StackError as error:
        log.warning("%s", error)


def _tell_parent(finding: Finding) -> None:
    _log_step(f"sending SIGCHLD to its parent {finding.parent_pid}", finding)
    zombie = finding.process()
    parent = zombie.parent() if zombie else None  # psutil: older than the child, so none re-used
    if parent and parent.pid == finding.parent_pid:
        _send(parent, signal.SIGCHLD)


def _interrupt(finding: Finding) -> None:
    """Ask PostgreSQL to disconnect its clients and shut down cleanly."""
    _log_step("sending SIGINT", finding)
    if process := finding.process():
        _send(process, signal.SIGINT)


def _end(finding: Finding) -> None:
    _log_step("ending it", finding)
    if process := finding.process():
        _send(process, signal.SIGTERM)


def _kill(finding: Finding) -> None:
    _log_step("killing it", finding)
    if process := finding.process():
        _send(process, signal.SIGKILL)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.Error as error:
        log.warning("cannot signal %d: %s", process.pid, error)


def _log_step(step: str, finding: Finding) -> None:
    log.warning(
        "%s: pid %d (%s, started %.2f, parent %d%s); %s",
        finding.trouble,
        finding.pid,
        finding.name,
        finding.created_at,
        finding.parent_pid,
        f", of {finding.component}" if finding.component else "",
        step,
    )

"""`zombies`: the monitor that `zombie_monitor.sh` runs, alone or as a component of the stack."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ml_pipeline.errors import StackError
from ml_pipeline.ops.project import Project

if TYPE_CHECKING:
    from rich.table import Table

    from ml_pipeline.ops.inspection import Finding
    from ml_pipeline.ops.monitor import Monitor

Ages = list[tuple["Finding", float]]


def zombies(
    once: Annotated[bool, typer.Option("--once", help="Look once: 0 clean, 1 found.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON, with --once.")] = False,
    heal: Annotated[bool, typer.Option("--heal", help="Mend what outlasts its grace age.")] = False,
    interval: Annotated[float, typer.Option(min=0.5, help="Seconds between two looks.")] = 5.0,
) -> None:
    """Watch for zombies, orphans, stopped, stuck and silent processes of this stack."""
    from ml_pipeline.ops.inspection import inspect, lasting

    project = Project.here()
    if as_json and not once:
        raise typer.BadParameter("--json needs --once")
    if once and not heal:
        findings = lasting(lambda: inspect(project))
        _show_once(findings, as_json)
        raise typer.Exit(1 if findings else 0)
    monitor = _monitor(project, interval)
    print(_capability(project), file=sys.stderr)
    if heal:
        _heal(monitor, once, _pulse(project))
        _show_once([finding for finding, _ in monitor.look()], as_json)
        raise typer.Exit(0 if monitor.is_clean else 1)
    else:
        _watch(monitor)


def _monitor(project: Project, interval: float) -> Monitor:
    from ml_pipeline.ops import stack
    from ml_pipeline.ops.inspection import inspect
    from ml_pipeline.ops.monitor import Monitor

    return Monitor(
        inspect=lambda: inspect(project),
        kill_component=lambda name: stack.kill_component(project, name),
        start_component=lambda name: stack.start_component(project, name),
        interval_seconds=interval,
    )


def _capability(project: Project) -> str:
    from ml_pipeline.ops import stack
    from ml_pipeline.ops.monitor import reaping_capability

    return reaping_capability(sys.platform, has_stack=stack.running(project) is not None)


def _pulse(project: Project) -> Callable[[], None]:
    """Return what gives a sign of life: the stack's own monitor is watched, a person's is not."""
    from ml_pipeline.ops.monitor_beat import Pulse
    from ml_pipeline.ops.processes import MARKER

    return Pulse(project).beat if MARKER in os.environ else lambda: None


def _heal(monitor: Monitor, once: bool, give_sign_of_life: Callable[[], None]) -> None:
    """Look and mend, until told to stop; with `once` until the stack is clean, or for 90 s."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    deadline = time.monotonic() + 90.0
    while True:
        give_sign_of_life()
        try:
            monitor.heal()
        except StackError as error:  # supervisord restarts: nothing to ask for a moment
            logging.getLogger("zombie-monitor").info("%s", error)
        if once and (monitor.is_clean or time.monotonic() > deadline):
            return
        time.sleep(monitor.interval_seconds)


def _watch(monitor: Monitor) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console()
    if not console.is_terminal:
        while True:
            console.print(_table(monitor.look()))
            time.sleep(monitor.interval_seconds)
    with Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(_table(monitor.look()), refresh=True)
            time.sleep(monitor.interval_seconds)


def _show_once(findings: list[Finding], as_json: bool) -> None:
    if as_json:
        print(json.dumps({"found": [asdict(finding) for finding in findings]}))
        return
    from rich.console import Console

    Console().print(_table([(finding, 0.0) for finding in findings]))


def _table(ages: Ages) -> Table:
    from rich.table import Table

    verdict = f"{len(ages)} in trouble" if ages else "clean"
    table = Table(title=f"{time.strftime('%H:%M:%S')}  {verdict}", box=None)
    for heading in ("trouble", "pid", "name", "parent", "component", "age of process", "known for"):
        table.add_column(heading)
    for finding, age in ages:
        table.add_row(
            finding.trouble,
            str(finding.pid),
            finding.name,
            str(finding.parent_pid),
            finding.component or "-",
            f"{time.time() - finding.created_at:.0f} s",
            f"{age:.0f} s",
        )
    return table

from __future__ import annotations

import io

from rich.console import Console

from ml_pipeline.cli.progress import Progress


def shown(*, is_terminal: bool) -> str:
    """Return what is written while a run's one task begins and ends."""
    file = io.StringIO()
    progress = Progress(Console(file=file, force_terminal=is_terminal, highlight=False))
    with progress.activity("Waiting for the first task") as tell:
        tell("load_data")
        progress.done("load_data", 1.0)
    return file.getvalue()


def test_activity_in_a_pipe_writes_a_line_for_each_beginning() -> None:
    lines = [line.split(maxsplit=1)[1] for line in shown(is_terminal=False).splitlines()]
    assert lines == ["Waiting for the first task", "load_data", "load_data  1.0 s"]


def test_activity_on_a_terminal_leaves_only_what_has_ended() -> None:
    lines = shown(is_terminal=True).split("\n")
    assert "load_data" in lines[0] and "1.0 s" in lines[0]
    assert "load_data" in lines[1]  # live, with a spinner
    assert lines[2].endswith("\x1b[1A\x1b[2K")  # one line up, and that line wiped

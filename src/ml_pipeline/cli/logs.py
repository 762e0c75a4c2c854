"""`logs`: what the components have written, one or all, once or as it comes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from ml_pipeline.errors import StackError
from ml_pipeline.ops.project import Project


def logs(
    component: Annotated[str | None, typer.Argument(help="One component, or all.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show new lines too.")] = False,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, help="How many to begin with.")
    ] = 50,
) -> None:
    """Show the components' output."""
    from ml_pipeline.ops.log_tail import last_lines

    files = _files(Project.here().logs / "stack", component)
    positions = {path: path.stat().st_size for path in files}
    for path in files:
        for line in last_lines(path, lines):
            print(_labelled(path, line, files))
    while follow:
        time.sleep(0.3)
        for path in files:
            for line in _new_lines(path, positions):
                print(_labelled(path, line, files), flush=True)


def _files(folder: Path, component: str | None) -> list[Path]:
    files = sorted(folder.glob("*.log"))
    if component is None and files:
        return files
    if (folder / f"{component}.log") in files:
        return [folder / f"{component}.log"]
    names = ", ".join(path.stem for path in files)
    if not names:
        raise StackError(f"There are no logs in {folder} yet. Start with: ./start_airflow.sh")
    raise StackError(f"Got component {component!r}. Must be one of: {names}")


def _labelled(path: Path, line: str, files: list[Path]) -> str:
    return line if len(files) == 1 else f"{path.stem:<14} {line}"


def _new_lines(path: Path, positions: dict[Path, int]) -> Iterator[str]:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size < positions[path]:
                positions[path] = 0  # it was rotated
            file.seek(positions[path])
            block = file.read()
    except FileNotFoundError:  # it is being rotated
        return
    whole = block[: block.rfind(b"\n") + 1]
    positions[path] += len(whole)
    yield from whole.decode(errors="replace").splitlines()

"""`service install --print`: the unit that starts the stack after a reboot."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from ml_pipeline.ops.project import Project
from ml_pipeline.ops.service import Kind

app = typer.Typer(help="Start the stack after a reboot.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `install` a subcommand: a group of one command would swallow its name."""


@app.command()
def install(
    print_it: Annotated[bool, typer.Option("--print", help="Print the unit alone.")] = False,
    kind: Annotated[Kind | None, typer.Option(help="Default: what fits this machine.")] = None,
) -> None:
    """Print the unit for systemd or launchd, or, without --print, how to install it."""
    from ml_pipeline.ops import service

    kind = kind or service.default_kind(sys.platform, is_root=os.geteuid() == 0)
    if print_it:
        print(service.unit(Project.here(), kind), end="")
        return
    print(f"To start the stack after a reboot ({kind}):")
    for command in service.install_commands(kind):
        print(f"  {command}")

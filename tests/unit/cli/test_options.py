from __future__ import annotations

from typer.testing import CliRunner

from ml_pipeline import __version__
from ml_pipeline.cli import app


def test_version_option_prints_the_version_and_needs_no_command() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"{__version__}\n")

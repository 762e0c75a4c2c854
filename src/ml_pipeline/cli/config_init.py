"""`ml-pipeline config init`: a first configuration from a data file."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer


def init(
    csv: Annotated[str, typer.Argument(help="The data: a CSV or Parquet file, or a URL.")],
    target: Annotated[str, typer.Option(help="The column to be predicted.")],
    output: Annotated[
        Path | None,
        typer.Option(help="The YAML file to write.", show_default="config/<name>.yaml"),
    ] = None,
) -> None:
    """Write a first configuration for a data file."""
    from ml_pipeline.config.loading import problem_source
    from ml_pipeline.errors import ConfigError
    from ml_pipeline.ml.first_configuration import first_configuration

    file = problem_source(output or _default_output(csv))
    if file.exists():
        raise ConfigError(f"{file}: is there already. Name another by --output")
    text = first_configuration(csv, target, file)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    print(f"{file}: written. Look it through, then: ml-pipeline run --config {file}")


def _default_output(csv: str) -> Path:
    from ml_pipeline.ops.project import Project

    name = re.sub(r"[^A-Za-z0-9_-]+", "_", PurePosixPath(csv).name.split(".")[0]).strip("_")
    return Project.here().root / "config" / f"{name or 'problem'}.yaml"

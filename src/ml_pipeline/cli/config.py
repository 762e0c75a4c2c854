"""`ml-pipeline config`: checking and writing problem configurations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ml_pipeline.cli.config_init import init

if TYPE_CHECKING:
    from ml_pipeline.config import ProblemConfig

app = typer.Typer(help="Check and write problem configurations.", no_args_is_help=True)
app.command()(init)


@app.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(help="A problem's YAML file; by default all in config/.")
    ] = None,
) -> None:
    """Check a configuration, its candidates' parameters and the data that it names."""
    from ml_pipeline.config import files_in
    from ml_pipeline.errors import ConfigError
    from ml_pipeline.ops.project import Project

    folder = Project.here().root / "config"
    files = [file] if file else files_in(folder)
    if not files:
        raise ConfigError(f"{folder}: no configuration there. Must be at least one <name>.yaml")
    _check_all(files)


def _check_all(files: list[Path]) -> None:
    """Print what is found in each, also after one that is not fine; raise what is wrong."""
    from ml_pipeline.config import load
    from ml_pipeline.errors import PipelineError

    errors = list[PipelineError]()
    for file in files:
        try:
            print(f"{file}: {_findings(load(file))}")
        except PipelineError as error:
            errors.append(error)
    if errors:
        raise type(errors[0])("\n".join(map(str, errors)))


def _findings(problem: ProblemConfig) -> str:
    from ml_pipeline import pipeline
    from ml_pipeline.ml.training import check_parameters
    from ml_pipeline.ml.validation import feature_names

    check_parameters(problem)
    frame = pipeline.validate_data(pipeline.load_data(problem), problem)
    target = frame[problem.target.column]
    counts = ", ".join(f"{label} {rows}" for label, rows in target.value_counts().items())
    names = ", ".join(one.name for one in problem.candidates)
    positive = f" (positive: {problem.target.positive})" if problem.target.positive else ""
    return (
        f"fine. {len(frame)} rows, {len(feature_names(frame, problem))} features, "
        f"{target.name}: {counts}{positive}, {names}"
    )

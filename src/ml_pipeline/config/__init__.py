"""Problem configurations: one YAML file per problem, validated, cheap to import."""

from ml_pipeline.config.loading import files_in, load, load_folder
from ml_pipeline.config.problem import ProblemConfig
from ml_pipeline.config.selection import MODELS

__all__ = ["MODELS", "ProblemConfig", "files_in", "load", "load_folder"]

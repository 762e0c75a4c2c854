"""Shows in airflow's UI, as an import error, which files in config/ are not valid and have no DAG.

It is a file of its own because an import error takes down every DAG of its file.
"""

from pathlib import Path

from ml_pipeline.config import load_folder
from ml_pipeline.errors import ConfigError

_, errors = load_folder(Path(__file__).resolve().parents[1] / "config")
if errors:
    raise ConfigError("\n".join(map(str, errors)))

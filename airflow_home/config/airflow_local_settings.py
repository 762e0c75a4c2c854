"""Airflow imports this in each of its processes; what it does is in `ml_pipeline.ops`."""

import os
import sys

from ml_pipeline.ops.airflow_process import prepare

__all__: list[str] = []

prepare(sys.argv, os.environ, sys.platform)

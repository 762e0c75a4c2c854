"""What a task does with an error: what no retry can mend fails at once, the rest is tried again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowFailException

from ml_pipeline.errors import ConfigError, DataError
from ml_pipeline.registry.model_files import ModelRefused


@contextmanager
def hopeless_fails_at_once() -> Iterator[None]:
    """Turn an error that a retry cannot mend into Airflow's "fail, do not retry"."""
    try:
        yield
    except (ConfigError, DataError, ModelRefused) as error:
        raise AirflowFailException(str(error)) from None

"""What a task does with an error: bad data is not tried again, what is transient is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowFailException

from ml_pipeline.errors import ConfigError, DataError


@contextmanager
def bad_data_fails_at_once() -> Iterator[None]:
    """Turn an error that a retry cannot help into Airflow's "fail, do not retry"."""
    try:
        yield
    except (ConfigError, DataError) as error:
        raise AirflowFailException(str(error)) from None

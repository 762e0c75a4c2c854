"""Which programs of supervisord's configuration are Airflow's."""

from __future__ import annotations

import pytest

from ml_pipeline.ops.supervisord import name_of_program


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("airflow scheduler --skip-serve-logs", "airflow"),
        ('"/a folder/bin/gunicorn" -c gunicorn.conf.py', "gunicorn"),
        ("python -m ml_pipeline.ops.postgres.server", "python"),
        ("", ""),
        ("sh -c \"it's", ""),
    ],
)
def test_name_of_program_is_the_first_words_last_part(command: str, name: str) -> None:
    assert name_of_program(command) == name

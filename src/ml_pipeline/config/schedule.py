"""When a DAG runs by itself: null, five cron fields or a preset."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator

CRON_PRESETS = ("@once", "@hourly", "@daily", "@weekly", "@monthly", "@yearly")
CRON_FIELDS = 5


def _schedule(value: Any) -> Any:
    if value is None or value in CRON_PRESETS:
        return value
    if not isinstance(value, str) or len(value.split()) != CRON_FIELDS:
        raise ValueError(f"must be null, five cron fields or one of {', '.join(CRON_PRESETS)}")
    return _cron(value)


def _cron(value: str) -> str:
    """Refuse what Airflow's own library refuses: it would take every other DAG down with it."""
    from croniter import CroniterError, croniter

    try:
        croniter(value).get_next()
    except CroniterError as error:
        raise ValueError(f"must be a cron expression that comes due: {error}") from None
    return value


Schedule = Annotated[str | None, BeforeValidator(_schedule)]

"""The parts of a value that go as Arrow, found in dicts, lists and tuples; imports no pandas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ml_pipeline.xcom.descriptor import TAG, is_descriptor
from ml_pipeline.xcom.faults import UnsupportedValueError

LIBRARIES = {"pandas", "numpy", "pyarrow"}


def replaced(value: Any, is_wanted: Callable[[Any], bool], replace: Callable[[Any], Any]) -> Any:
    """Return the value with what is wanted in it replaced; the value itself where nothing is."""
    if is_wanted(value):
        return replace(value)
    if isinstance(value, dict):
        items = [replaced(each, is_wanted, replace) for each in value.values()]
        return dict(zip(value, items, strict=True)) if _differ(items, value.values()) else value
    if isinstance(value, (list, tuple)):
        items = [replaced(each, is_wanted, replace) for each in value]
        kind = list if isinstance(value, list) else tuple
        return kind(items) if _differ(items, value) else value
    return value


def has_part(value: Any) -> bool:
    """Tell whether a frame or an array is in the value.

    Raises
    ------
    UnsupportedValueError
        When something in it would be taken for a stored frame when it is read.
    """
    replaced(value, is_descriptor, _refuse)
    return replaced(value, is_part, lambda part: None) is not value


def is_part(value: Any) -> bool:
    """Tell whether a value goes as Arrow; numpy's plain numbers Airflow stores by itself."""
    if type(value).__module__.partition(".")[0] not in LIBRARIES:
        return False
    from ml_pipeline.xcom import codec

    return codec.kind_of(value) is not None and not codec.is_plain_number(value)


def _differ(items: list[Any], originals: Any) -> bool:
    return any(new is not old for new, old in zip(items, originals, strict=True))


def _refuse(part: Any) -> None:
    raise UnsupportedValueError(
        f"XCom cannot hold a dict with the key {TAG!r}, which marks stored frames. Rename it"
    )

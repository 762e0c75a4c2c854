"""Names of columns and indexes, and `attrs`: plain data ⇄ JSON, with its types kept."""

from __future__ import annotations

from typing import Any

from ml_pipeline.xcom.faults import UnsupportedValueError

SCALAR = "one scalar"
AS_IN_JSON = (type(None), bool, int, float, str)


def encode_plain(value: Any) -> Any:
    """Return plain data as what JSON can hold; tuples, keys of any type and arrays are kept.

    Raises
    ------
    UnsupportedValueError
        When a part of it would not come back as it was.
    """
    if type(value) in AS_IN_JSON:
        return value
    if type(value) is list:
        return [encode_plain(each) for each in value]
    if type(value) is tuple:
        return {"tuple": [encode_plain(each) for each in value]}
    if type(value) is dict:
        return {"dict": [[encode_plain(key), _encode_item(key, value[key])] for key in value]}
    return {"arrow": _encode_by_arrow(value)}


def decode_plain(value: Any) -> Any:
    """Return what `encode_plain` was given."""
    if isinstance(value, list):
        return [decode_plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tuple":
        return tuple(decode_plain(each) for each in content)
    if kind == "dict":
        return {decode_plain(key): decode_plain(each) for key, each in content}
    return _decode_by_arrow(content)


def _encode_item(key: Any, value: Any) -> Any:
    try:
        return encode_plain(value)
    except UnsupportedValueError as error:
        raise UnsupportedValueError(f"key {key!r}: {error}") from None


def _encode_by_arrow(value: Any) -> str:
    """Return arrays and frames, and scalars such as a Timestamp as a Series of one, as text."""
    import pandas as pd

    from ml_pipeline.xcom import arrow_file, codec

    if codec.kind_of(value) is None:
        series = pd.Series([value], name=SCALAR)
        if not pd.api.types.is_scalar(value) or type(series[0]) is not type(value):
            raise UnsupportedValueError(
                f"it holds a {type(value).__name__}. Make it plain data, or delete it"
            )
        value = series
    return arrow_file.to_text(codec.encode(value))


def _decode_by_arrow(text: str) -> Any:
    import pandas as pd

    from ml_pipeline.xcom import arrow_file, codec

    value = codec.decode(arrow_file.from_text(text))
    return value[0] if isinstance(value, pd.Series) and value.name == SCALAR else value

"""The JSON that stands in the database for a frame or an array: readable, with an obvious tag.

PostgreSQL's JSONB keeps the keys of an object by length, and the web UI shows them in that order:
the names are chosen so that the content, when it is here, comes last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

TAG = "@arrow"
VERSION = 1
PATH = "path"
INLINE = "arrow_zstd_base64"
MOST_LINES = 50
LONGEST_LINE = 160
PREVIEW_ROWS = 5
PREVIEW_COLUMNS = 8


@dataclass(frozen=True)
class Origin:
    """Which XCom a value belongs to.

    Parameters
    ----------
    dag_id, run_id, task_id, map_index, key
        As Airflow gives them.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int | None
    key: str


def is_descriptor(value: Any) -> bool:
    """Tell whether a part of a stored XCom stands for a frame or an array."""
    return isinstance(value, dict) and TAG in value


def descriptors(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every descriptor in a stored XCom, as it lies in the database."""
    if is_descriptor(value):
        yield value
    elif isinstance(value, (dict, list, tuple)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from descriptors(each)


def describe(value: Any, kind: str, origin: Origin) -> dict[str, Any]:
    """Return what a person wants to know of a value, as JSON that every database takes.

    Parameters
    ----------
    value
        A frame, an array or an Arrow table.
    kind
        The name of its kind, as `codec.kind_of` returns it.
    origin
        Which XCom it is for.
    """
    mapped = {} if origin.map_index in (None, -1) else {"map_index": origin.map_index}
    return {
        TAG: VERSION,
        "key": printable(origin.key),
        "run": printable(origin.run_id),
        "task": printable(f"{origin.dag_id}.{origin.task_id}"),
        "type": kind,
        **mapped,
        **_shape(value, kind),
        "dtypes": _shortened(_dtypes(value, kind)),
        "first_rows": _shortened(_first_rows(value, kind)),
    }


def where(descriptor: dict[str, Any]) -> str:
    """Say which XCom a descriptor belongs to."""
    index = f"[{descriptor['map_index']}]" if "map_index" in descriptor else ""
    return (
        f"XCom {descriptor.get('key')!r} of {descriptor.get('task')}{index}, "
        f"run {descriptor.get('run')}"
    )


def printable(text: str) -> str:
    """Return the text without what no JSONB or no screen takes: NUL, lone surrogates, controls."""
    return "".join(each if each.isprintable() else "�" for each in text)


def _shape(value: Any, kind: str) -> dict[str, Any]:
    if kind.startswith("numpy."):
        return {"shape": list(value.shape)}
    if kind == "pandas.Series":
        return {"rows": len(value)}
    if kind == "pandas.DataFrame":
        return {"rows": len(value), "columns": len(value.columns)}
    return {"rows": value.num_rows, "columns": value.num_columns}


def _dtypes(value: Any, kind: str) -> list[str]:
    if kind.startswith("pyarrow."):
        return [f"{field.name}: {field.type}" for field in value.schema]
    if kind != "pandas.DataFrame":
        return [str(value.dtype)]
    pairs = zip(value.columns, value.dtypes, strict=True)
    return [f"{label}: {dtype}" for label, dtype in pairs]


def _first_rows(value: Any, kind: str) -> list[str]:
    if kind == "pandas.DataFrame":
        text = value.head(PREVIEW_ROWS).to_string(max_cols=PREVIEW_COLUMNS, max_colwidth=24)
    elif kind == "pandas.Series":
        text = value.head(PREVIEW_ROWS).to_string()
    elif kind.startswith("pyarrow."):
        return [str(row) for row in value.slice(0, PREVIEW_ROWS).to_pylist()]
    else:
        text = _text_of_array(value)
    return str(text).splitlines()


def _text_of_array(value: Any) -> str:
    import numpy as np

    return np.array2string(np.asarray(value), threshold=20, edgeitems=3)


def _shortened(lines: list[str]) -> list[str]:
    shown = [printable(line)[:LONGEST_LINE] for line in lines[:MOST_LINES]]
    rest = len(lines) - len(shown)
    return [*shown, f"... and {rest} more"] if rest else shown

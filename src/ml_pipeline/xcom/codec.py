"""What goes through XCom as Arrow ⇄ the table that stands for it in one Arrow IPC file.

The file is an ordinary one, readable by anything that reads Arrow; what makes the same object of
it again is a JSON document in its schema's metadata.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ml_pipeline.xcom import arrays, frames
from ml_pipeline.xcom.objects import Spec
from ml_pipeline.xcom.region import DamagedError, Region

METADATA_KEY = b"ml_pipeline.xcom"

KINDS: dict[type, tuple[Callable[[Any], tuple[pa.Table, Spec]], Callable[..., Any]]] = {
    pd.DataFrame: (frames.encode_frame, frames.decode_frame),
    pd.Series: (frames.encode_series, frames.decode_series),
    np.ndarray: (arrays.encode_array, arrays.decode_array),
    np.generic: (arrays.encode_scalar, arrays.decode_scalar),
    pa.Table: (arrays.encode_table, arrays.decode_table),
    pa.RecordBatch: (arrays.encode_batch, arrays.decode_batch),
}
NAMES = {
    pd.DataFrame: "pandas.DataFrame",
    pd.Series: "pandas.Series",
    np.ndarray: "numpy.ndarray",
    np.generic: "numpy.generic",
    pa.Table: "pyarrow.Table",
    pa.RecordBatch: "pyarrow.RecordBatch",
}
DECODERS = {NAMES[kind]: decode for kind, (_, decode) in KINDS.items()}


def kind_of(value: Any) -> str | None:
    """Return the name of the value's kind; None when it is none of ours.

    Exact types alone: a subclass would not come back as one.
    """
    kind = np.generic if isinstance(value, np.generic) else type(value)
    return NAMES.get(kind)


def is_plain_number(value: Any) -> bool:
    """Tell whether a value is a numpy scalar that Airflow stores and gives back by itself."""
    if not isinstance(value, np.generic):
        return False
    return value.dtype.kind in "biuU" or (value.dtype.kind == "f" and value.dtype.itemsize <= 8)


def encode(value: Any) -> pa.Table:
    """Return the value as an Arrow table that knows how to become it again.

    Numbers are not copied where they lie column by column, as those of a DataFrame do.

    Raises
    ------
    UnsupportedValueError
        When the same value would not come back; it names the column.
    """
    kind = np.generic if isinstance(value, np.generic) else type(value)
    table, spec = KINDS[kind][0](value)
    text = json.dumps({"kind": NAMES[kind], "spec": spec})
    return table.replace_schema_metadata({**(table.schema.metadata or {}), METADATA_KEY: text})


def decode(region: Region) -> Any:
    """Return the value whose table lies in the region.

    Raises
    ------
    DamagedError
        When there is none.
    """
    table = region.table()
    metadata = dict(table.schema.metadata or {})
    try:
        document = json.loads(metadata.pop(METADATA_KEY))
        bare = table.replace_schema_metadata(metadata or None)
        return DECODERS[document["kind"]](bare, document["spec"], region)
    except (LookupError, TypeError, ValueError, pa.ArrowException) as error:
        raise DamagedError(f"{type(error).__name__}: {error}") from error

"""One Arrow IPC file: written to a sink or to memory, uncompressed so that it can be mapped."""

from __future__ import annotations

import base64
from typing import Any

import pyarrow as pa

from ml_pipeline.xcom.region import Region


def write(table: pa.Table, sink: Any) -> None:
    """Write the table to anything that pyarrow writes to."""
    options = pa.ipc.IpcWriteOptions(unify_dictionaries=True)
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table)


def size(table: pa.Table) -> int:
    """Return how many bytes `write` writes; nothing is copied to find out."""
    counter = pa.MockOutputStream()
    write(table, counter)
    return int(counter.size())


def to_bytes(table: pa.Table) -> pa.Buffer:
    """Return what `write` writes."""
    sink = pa.BufferOutputStream()
    write(table, sink)
    return sink.getvalue()


def to_text(table: pa.Table) -> str:
    """Return what `write` writes as base64, for a place in JSON."""
    return base64.b64encode(to_bytes(table)).decode()


def from_text(text: str) -> Region:
    """Return the region that holds what `to_text` was given."""
    return Region.over_bytes(base64.b64decode(text))

"""One step of one way to pass a DataFrame on, in a process of its own; tells its cost as JSON.

``python xcom_step.py WAY write|read ROWS FOLDER LIMIT_GIB``. What would be sent to the API and the
database lies as JSON in the folder between the two steps.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

COLUMNS, WARM_UP_ROWS = 31, 5_000
KEYS = {"key": "return_value", "dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1}
STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"
KIBIBYTE, GIBIBYTE = 2**10, 2**30
Write = Callable[[pd.DataFrame, Path], None]
Read = Callable[[Path], pd.DataFrame]


def frame_of(rows: int) -> pd.DataFrame:
    """Return a frame of random numbers that lies in memory once, column by column."""
    values = np.empty((COLUMNS, rows))
    np.random.default_rng(0).standard_normal(out=values)
    return pd.DataFrame(values.T, columns=[f"c{number}" for number in range(COLUMNS)], copy=False)


def backend(name: str) -> tuple[Write, Read]:
    """Return what Airflow calls of an XCom backend, with the JSON that it sends in between."""
    from airflow.sdk._shared.module_loading import import_string

    xcom: Any = import_string(name)

    def write(frame: pd.DataFrame, file: Path) -> None:
        file.write_text(json.dumps(xcom.serialize_value(frame, **KEYS)))

    def read(file: Path) -> pd.DataFrame:
        return xcom.deserialize_value(SimpleNamespace(value=json.loads(file.read_text())))

    return write, read


def raw_arrow() -> tuple[Write, Read]:
    """Return the least that the work can take: pyarrow alone, as its documentation has it."""
    import pyarrow as pa

    def write(frame: pd.DataFrame, file: Path) -> None:
        table = pa.Table.from_pandas(frame)
        with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)

    def read(file: Path) -> pd.DataFrame:
        with pa.memory_map(str(file)) as source:
            return pa.ipc.open_file(source).read_all().to_pandas()

    return write, read


WAYS: dict[str, Callable[[], tuple[Write, Read]]] = {
    "stock": lambda: backend("airflow.sdk.bases.xcom.BaseXCom"),
    "object storage": lambda: backend(
        "airflow.providers.common.io.xcom.backend.XComObjectStorageBackend"
    ),
    "ours": lambda: backend("ml_pipeline.xcom.backend.ArrowXCom"),
    "floor": raw_arrow,
}


def measured(work: Callable[[], object]) -> dict[str, float]:
    """Do the work; return its seconds, and the memory that it took beyond what there was."""
    before = _status_kib("VmRSS")
    CLEAR_REFS.write_text(RESET_PEAK)
    started_at = time.perf_counter()
    work()
    seconds = time.perf_counter() - started_at
    return {"seconds": seconds, "mib": (_status_kib("VmHWM") - before) / KIBIBYTE}


def _status_kib(name: str) -> int:
    (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1])


def main(way: str, step: str, rows: int, folder: Path, limit_gib: float) -> None:
    """Warm up, set the limit, take the step, print what it cost."""
    write, read = WAYS[way]()
    write(frame_of(WARM_UP_ROWS), folder / "warm-up")  # imports what is imported at first use
    read(folder / "warm-up").sum()
    frame = frame_of(rows) if step == "write" else None
    limit = int(limit_gib * GIBIBYTE)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    file = folder / "value"
    if frame is not None:
        print(json.dumps(measured(lambda: write(frame, file))))
    else:
        print(json.dumps(measured(lambda: read(file).sum())))  # every value is looked at once


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]), float(sys.argv[5]))

"""A value on its way from one task to the next, through a real file or the JSON of the database."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from ml_pipeline.xcom import codec, packing, store
from ml_pipeline.xcom.descriptor import Origin
from ml_pipeline.xcom.files import Files
from ml_pipeline.xcom.settings import Settings

ORIGIN = Origin("dag", "manual__2026-01-01T00:00:00+00:00", "task", -1, "return_value")


def through_file(value: Any) -> Any:
    """Write a value to a file, and map it."""
    with tempfile.TemporaryDirectory() as folder:
        files = Files(Settings(folder))
        return codec.decode(store.read(files, store.write(files, "task", codec.encode(value))))


def packed(value: Any, files: Files, origin: Origin = ORIGIN) -> Any:
    """Return what the database would hold."""
    return json.loads(json.dumps(packing.pack(value, origin, files)))


def files_below(folder: Path) -> list[str]:
    """Return the names of all files, whatever they are."""
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )

from __future__ import annotations

import subprocess
import sys

ENDS_AFTER_PREPARING = """
import atexit, gc
atexit.register(lambda: print(gc.get_freeze_count()))  # runs last
from ml_pipeline.ops.airflow_process import prepare
prepare(["airflow", "version"], {}, "linux")
"""


def test_process_when_it_ends_leaves_nothing_for_the_garbage_collector_to_search() -> None:
    process = subprocess.run(
        [sys.executable, "-c", ENDS_AFTER_PREPARING], capture_output=True, text=True, check=True
    )
    assert int(process.stdout) > 1000

"""Tests that share what is costly to make run in one process, also where there are several."""

import re
import subprocess
import sys
from collections import defaultdict

import pytest

from tests.running_clone import REPOSITORY
from tests.side_by_side import group

FILES = ("tests/unit/ops/test_ports.py", "tests/unit/ops/test_secrets.py")


@pytest.mark.parametrize(
    ("one", "other", "is_shared"),
    [
        ("tests/e2e/test_browser.py::a", "tests/faults/test_recovery.py::b[x]", True),
        ("tests/integration/xcom/test_a.py::a", "tests/integration/xcom/test_b.py::b", True),
        ("tests/integration/xcom/test_a.py::a", "tests/integration/web/test_a.py::a", False),
        ("tests/unit/test_a.py::a", "tests/unit/test_a.py::b[tests/e2e]", True),
        ("tests/unit/test_a.py::a", "tests/unit/ml/test_a.py::a", False),
    ],
)
def test_what_shares_a_stack_a_folder_s_fixtures_or_a_module_stays_together(one, other, is_shared):
    assert (group(one) == group(other)) is is_shared


def test_two_workers_run_a_file_each():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "2", "-v", "-p", "no:cacheprovider", *FILES],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    workers = defaultdict(set)
    for worker, file in re.findall(r"^\[(gw\d)\].* (\S+?)::", done.stdout, re.MULTILINE):
        workers[file].add(worker)

    assert done.returncode == 0, done.stdout
    assert sorted(map(sorted, workers.values())) == [["gw0"], ["gw1"]]
    assert set(workers) == set(FILES)

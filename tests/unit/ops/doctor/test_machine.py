from __future__ import annotations

import resource
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from ml_pipeline.ops.doctor import machine

GB = 2**30


@pytest.mark.parametrize(
    ("version", "is_fine"), [((3, 10), False), ((3, 11), True), ((3, 14), True), ((3, 15), False)]
)
def test_check_python_accepts_what_is_supported(version: tuple[int, int], is_fine: bool) -> None:
    assert machine.check_python(version).is_fine is is_fine


def test_check_disk_names_the_fullest_place() -> None:
    check = machine.check_disk({Path("/clone"): 50 * GB, Path("/database"): 100 * 2**20})
    assert check.found == "0.1 GB free in /database"
    assert check.remedy == "Free up 2 GB there"
    assert machine.check_disk({Path("/clone"): 50 * GB}).is_fine


@pytest.mark.parametrize(("available", "is_fine"), [(1 * GB, False), (4 * GB, True)])
def test_check_memory_says_how_to_need_less(available: int, is_fine: bool) -> None:
    check = machine.check_memory(available)
    assert check.is_fine is is_fine
    assert is_fine or "ML_PIPELINE_API_WORKERS=1" in check.remedy


@pytest.mark.parametrize(
    ("soft", "hard", "remedy"),
    [
        (1024, 4096, ""),
        (-1, -1, ""),
        (256, -1, "ulimit -n 1024"),  # what macOS begins with
        (256, 512, "Have the administrator raise the hard limit of 512, then: ulimit -n 1024"),
    ],
)
def test_check_open_files_names_the_command(soft: int, hard: int, remedy: str) -> None:
    assert machine.check_open_files(soft, hard).remedy == remedy


def test_check_open_files_in_a_process_with_a_low_limit_complains() -> None:
    script = (
        "from ml_pipeline.ops.doctor import machine as m; "
        "print(m.check_open_files(*m.open_files_limits()).remedy)"
    )
    done = subprocess.run(
        ["bash", "-c", 'ulimit -Sn 256 && exec "$0" -c "$1"', sys.executable, script],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "ulimit -n 1024" in done.stdout


@pytest.mark.parametrize(("limit", "in_use", "is_fine"), [(4096, 100, True), (300, 200, False)])
def test_check_processes_wants_room_for_a_stack(limit: int, in_use: int, is_fine: bool) -> None:
    check = machine.check_processes(limit, in_use)
    assert check.is_fine is is_fine
    assert is_fine or "ulimit -u 350" in check.remedy
    assert machine.check_processes(None, in_use).found == "no limit"


def test_processes_in_use_counts_what_the_kernel_counts() -> None:
    before = machine.processes_in_use()
    go_on = threading.Event()
    threads = [threading.Thread(target=go_on.wait) for _ in range(100)]
    for thread in threads:
        thread.start()
    try:
        expected = 100 if sys.platform == "linux" else 0
        assert abs(machine.processes_in_use() - before - expected) < 50
    finally:
        go_on.set()


def test_processes_limit_is_this_user_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_control_groups", lambda: iter([]))
    own = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    assert machine.processes_limit() == (None if own in machine.UNLIMITED else own)


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the kernel shows of a control group below another one."""
    group = tmp_path / "groups" / "slice" / "service"
    group.mkdir(parents=True)
    (tmp_path / "own").write_text("0::/slice/service\n")
    groups = list(machine._control_groups(tmp_path / "groups", tmp_path / "own"))
    assert groups == [group, group.parent, tmp_path / "groups"]
    monkeypatch.setattr(machine, "_control_groups", lambda: iter(groups))
    return group


def test_memory_in_a_container_is_what_its_limit_leaves(container: Path) -> None:
    (container / "memory.max").write_text("max\n")
    (container / "memory.current").write_text(f"{GB}\n")
    (container.parent / "memory.max").write_text(f"{2**20}\n")
    (container.parent / "memory.current").write_text(f"{2**19}\n")
    (container.parent / "memory.stat").write_text("anon 12\ninactive_file 1000\nactive_file 1\n")
    assert machine.available_bytes() == 2**19 + 1000


def test_memory_in_a_container_without_a_limit_is_the_machine_s(container: Path) -> None:
    (container / "memory.max").write_text("max\n")
    (container / "memory.current").write_text("1\n")
    available = psutil.virtual_memory().available
    assert machine.available_bytes() == pytest.approx(available, rel=0.2)


def test_processes_in_a_container_are_limited_by_it(container: Path) -> None:
    (container / "pids.max").write_text("max\n")
    (container.parent / "pids.max").write_text("77\n")
    assert machine.processes_limit() == 77


@pytest.mark.parametrize(
    ("environment", "encoding", "remedy"),
    [
        ({"LANG": "C.UTF-8"}, "utf-8", ""),
        ({}, "utf-8", ""),
        ({"LANG": "C"}, "ascii", "export LANG=C.UTF-8"),
        ({"LANG": "xx_YY.UTF-8"}, "utf-8", "export LANG=C.UTF-8"),
        ({"LANG": "C.UTF-8", "LC_ALL": "xx_YY"}, "utf-8", "export LC_ALL=C.UTF-8"),
    ],
)
def test_check_locale_wants_one_that_exists_and_writes_utf_8(
    environment: dict[str, str], encoding: str, remedy: str
) -> None:
    assert machine.check_locale(environment, encoding).remedy == remedy


def test_check_locale_leaves_this_process_s_as_it_is() -> None:
    import locale

    before = locale.setlocale(locale.LC_ALL)
    machine.check_locale({"LC_ALL": "C"}, "utf-8")
    assert locale.setlocale(locale.LC_ALL) == before


@pytest.mark.parametrize(
    ("environment", "is_fine"),
    [
        ({}, False),
        ({"OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES"}, False),
        ({"OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES", "no_proxy": "*"}, True),
        ({"OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES", "NO_PROXY": "intranet"}, True),
        ({"OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "NO", "no_proxy": "*"}, False),
    ],
)
def test_check_fork_safety_on_macos_wants_the_environment_sourced(
    environment: dict[str, str], is_fine: bool
) -> None:
    check = machine.check_fork_safety("darwin", environment)
    assert check.remedy == ("" if is_fine else "source airflow_postgresql_env.sh")
    assert machine.check_fork_safety("linux", environment).is_fine

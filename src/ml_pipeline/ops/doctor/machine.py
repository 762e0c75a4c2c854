"""What the machine offers: Python, disk, memory, limits, locale."""

from __future__ import annotations

import locale
import os
import resource
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from ml_pipeline.ops.doctor.check import Check

SUPPORTED_PYTHON = ((3, 11), (3, 14))
DISK_BYTES = 2 * 2**30  # the environment takes 1.3 GB, the rest is for data, logs and WAL
MEMORY_BYTES = 2 * 2**30
OPEN_FILES = 1024
PROCESSES = 150  # a stack has about 40 with their threads on two cores; tasks and cores add some
CGROUPS = Path("/sys/fs/cgroup")
UNLIMITED = (-1, resource.RLIM_INFINITY)
PROXY_VARIABLES = ("no_proxy", "NO_PROXY")


def check_python(version: tuple[int, int]) -> Check:
    """Check the interpreter's version."""
    low, high = SUPPORTED_PYTHON
    found = f"{version[0]}.{version[1]}"
    if low <= version <= high:
        return Check("Python", found)
    return Check("Python", found, "Install Python 3.11 to 3.14, or name one: ML_PIPELINE_PYTHON")


def check_disk(free: Mapping[Path, int]) -> Check:
    """Check the space left in bytes, by folder, and name the one with the least."""
    place, free_bytes = min(free.items(), key=lambda item: item[1])
    found = f"{free_bytes / 2**30:.1f} GB free in {place}"
    remedy = f"Free up {DISK_BYTES / 2**30:.0f} GB there" if free_bytes < DISK_BYTES else ""
    return Check("disk", found, remedy)


def check_memory(available: int) -> Check:
    """Check the memory in bytes that can be had without swapping."""
    found = f"{available / 2**30:.1f} GB available"
    remedy = "End other programs, or set ML_PIPELINE_API_WORKERS=1"
    return Check("memory", found, remedy if available < MEMORY_BYTES else "")


def check_open_files(soft: int, hard: int) -> Check:
    """Check the limit of open files per process."""
    if soft in UNLIMITED or soft >= OPEN_FILES:
        return Check("open files", _number(soft))
    command = f"ulimit -n {OPEN_FILES}"
    if hard not in UNLIMITED and hard < OPEN_FILES:
        command = f"Have the administrator raise the hard limit of {hard}, then: {command}"
    return Check("open files", str(soft), command)


def check_processes(limit: int | None, in_use: int) -> Check:
    """Check how many more processes and threads there may be; None means no limit."""
    if limit is None:
        return Check("processes", "no limit")
    found = f"{limit} allowed, {in_use} in use"
    command = f"ulimit -u {in_use + PROCESSES} (in a container: raise its limit of pids)"
    return Check("processes", found, command if limit - in_use < PROCESSES else "")


def check_locale(environment: Mapping[str, str], encoding: str) -> Check:
    """Check that the locale exists and text is written in UTF-8, as marks and file names need."""
    name = environment.get("LC_ALL") or environment.get("LC_CTYPE") or environment.get("LANG")
    found = f"{name or 'not set'}, {encoding}"
    if name and not _has_locale(name):
        return Check("locale", f"{found}, unknown here", _setting(environment))
    is_fine = encoding.lower().startswith("utf")
    return Check("locale", found, "" if is_fine else _setting(environment))


def check_fork_safety(platform: str, environment: Mapping[str, str]) -> Check:
    """Check the variables without which forked processes crash on macOS."""
    if platform != "darwin":
        return Check("fork safety", "not needed here")
    missing = []
    if environment.get("OBJC_DISABLE_INITIALIZE_FORK_SAFETY") != "YES":
        missing.append("OBJC_DISABLE_INITIALIZE_FORK_SAFETY")
    # Any value will do: Python asks the system for a proxy only where no variable tells.
    if not any(environment.get(name) for name in PROXY_VARIABLES):
        missing.append("no_proxy")
    if missing:
        found = f"missing: {', '.join(missing)}"
        return Check("fork safety", found, "source airflow_postgresql_env.sh")
    return Check("fork safety", "set")


def available_bytes() -> int:
    """Return the memory that is left to this process: the machine's, or its container's."""
    limits = (_memory_left(group) for group in _control_groups())
    return min([psutil.virtual_memory().available, *(left for left in limits if left is not None)])


def open_files_limits() -> tuple[int, int]:
    """Return the soft and the hard limit."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)


def processes_limit() -> int | None:
    """Return the lowest limit of processes, this user's or the container's; None without any."""
    own = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    limits = [own] if own not in UNLIMITED else []
    limits += [limit for group in _control_groups() if (limit := _read(group / "pids.max"))]
    return min(limits, default=None)


def processes_in_use() -> int:
    """Return what the limit is held against: on Linux this user's threads, else his processes."""
    in_use = 0
    for process in psutil.process_iter(["uids", "num_threads"]):
        uids = process.info["uids"]
        if uids is not None and uids.real == os.getuid():
            in_use += (process.info["num_threads"] or 1) if sys.platform == "linux" else 1
    return in_use


def _control_groups(root: Path = CGROUPS, own: Path = Path("/proc/self/cgroup")) -> Iterator[Path]:
    """Yield this process's control group (version 2) and those above it."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        if line.startswith("0::/"):
            group = root / line.removeprefix("0::/")
            yield from (each for each in (group, *group.parents) if each.is_relative_to(root))


def _memory_left(group: Path) -> int | None:
    limit, used = _read(group / "memory.max"), _read(group / "memory.current")
    if limit is None or used is None:
        return None
    return limit - used + _reclaimable_bytes(group / "memory.stat")


def _reclaimable_bytes(statistics: Path) -> int:
    """Return how much of the used memory is files that the kernel may forget."""
    try:
        lines = statistics.read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))


def _read(file: Path) -> int | None:
    """Return a control group's number; None where there is none, or it says `max`."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None


def _has_locale(name: str) -> bool:
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, name)
    except locale.Error:
        return False
    else:
        return True
    finally:
        locale.setlocale(locale.LC_CTYPE, before)


def _setting(environment: Mapping[str, str]) -> str:
    """Return the command that wins over what is set."""
    return f"export {'LC_ALL' if environment.get('LC_ALL') else 'LANG'}=C.UTF-8"


def _number(limit: int) -> str:
    return "no limit" if limit in UNLIMITED else str(limit)

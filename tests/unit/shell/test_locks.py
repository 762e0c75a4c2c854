"""The locks fit pyproject.toml and each other, on every machine, and name no place."""

from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .shells import REPOSITORY

LOCKS = {"use": REPOSITORY / "requirements.txt", "development": REPOSITORY / "requirements-dev.txt"}
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
DEPENDENCIES: list[str] = PROJECT["dependencies"]
WANTED = {
    "use": DEPENDENCIES,
    "development": [*DEPENDENCIES, *PROJECT["optional-dependencies"]["dev"]],
}
MACHINES = [
    {"python_full_version": f"{version}.0", "python_version": version, **system}
    for version, system in itertools.product(
        ["3.11", "3.12", "3.13", "3.14"],
        [
            {"sys_platform": "linux", "platform_machine": "x86_64"},
            {"sys_platform": "linux", "platform_machine": "aarch64"},
            {"sys_platform": "darwin", "platform_machine": "x86_64"},
            {"sys_platform": "darwin", "platform_machine": "arm64"},
        ],
    )
]

both = pytest.mark.parametrize("purpose", LOCKS)


def entries(lock: Path) -> list[str]:
    """Return the lock's entries, each a pin and its hashes on lines of their own."""
    return re.split(r"\n(?=\S)", lock.read_text().strip())


def pins(lock: Path) -> list[Requirement]:
    return [Requirement(entry.split(" \\\n")[0]) for entry in entries(lock)]


def is_pinned(dependency: Requirement, pinned: Requirement) -> bool:
    version = str(pinned.specifier).removeprefix("==")
    is_same = canonicalize_name(dependency.name) == canonicalize_name(pinned.name)
    return is_same and dependency.specifier.contains(version)


@both
def test_a_lock_pins_every_dependency_at_a_version_that_fits(purpose: str) -> None:
    pinned = pins(LOCKS[purpose])
    missing = [
        dependency
        for dependency in map(Requirement, WANTED[purpose])
        if not any(is_pinned(dependency, pin) for pin in pinned)
    ]
    assert not missing


@both
@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: " ".join(machine.values()))
def test_a_machine_finds_each_package_once_and_every_dependency(
    purpose: str, machine: dict[str, str]
) -> None:
    fitting = [
        canonicalize_name(pin.name)
        for pin in pins(LOCKS[purpose])
        if pin.marker is None or pin.marker.evaluate(machine)
    ]
    assert len(fitting) == len(set(fitting))
    wanted = {canonicalize_name(Requirement(text).name) for text in WANTED[purpose]}
    assert wanted <= set(fitting)


@both
def test_a_lock_is_nothing_but_pins_with_hashes(purpose: str) -> None:
    pin = r"[a-z0-9-]+(?:\[[a-z0-9,-]+\])?==[\w.!+]+(?: ; [\w.*' <>=!()]+)?"
    for entry in entries(LOCKS[purpose]):
        assert re.fullmatch(rf"{pin}(?: \\\n    --hash=sha256:[0-9a-f]{{64}})+", entry), entry


def test_development_uses_exactly_what_is_used() -> None:
    # A marker may let a package onto more machines, for the sake of a package of development's own.
    used, developed = (
        {re.sub(" ;.*", "", entry.replace(" \\\n", "\n")) for entry in entries(lock)}
        for lock in LOCKS.values()
    )
    assert used <= developed

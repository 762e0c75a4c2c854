"""Which tests go to one worker, where they run on several."""

from __future__ import annotations

from pathlib import PurePosixPath

from xdist.scheduler import LoadScopeScheduling

STACK = {"e2e", "faults"}


class ByWhatIsShared(LoadScopeScheduling):  # type: ignore[misc]
    """Keep together what shares a stack, what session fixtures of a folder made, or a module."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def group(nodeid: str) -> str:
    """Return what a test shares: the running stack, its folder, or its file."""
    path = PurePosixPath(nodeid.partition("::")[0])
    _, kind, *rest = path.parts
    if kind in STACK:
        return "the running stack"
    return "/".join((kind, rest[0])) if kind == "integration" else str(path)

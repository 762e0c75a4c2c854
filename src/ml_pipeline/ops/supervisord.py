"""supervisord, to which SIGHUP means the end, like TERM: the keeper then starts all of it again.

Its own answer to SIGHUP is to stop everything and to read its configuration anew; since nothing in
that starts by itself, nothing would run any more, and nobody would notice.
"""

from __future__ import annotations

import signal

from supervisor import supervisord
from supervisor.options import ServerOptions


class Options(ServerOptions):  # type: ignore[misc]
    """supervisord's own, but for the meaning of one signal."""

    def get_signal(self) -> int | None:
        """Return the next signal that has come, if any."""
        number: int | None = super().get_signal()
        return signal.SIGTERM if number == signal.SIGHUP else number


if __name__ == "__main__":
    supervisord.ServerOptions = Options
    supervisord.main()

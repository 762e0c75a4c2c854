"""Where things lie: the folders of this clone, found from the package's own place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Project:
    """The folders of one clone.

    Parameters
    ----------
    root
        The clone's top folder.
    """

    root: Path

    @classmethod
    def here(cls) -> Project:
        """Return the clone that this package is installed from (the installation is editable)."""
        return cls(Path(__file__).resolve().parents[3])

    @property
    def airflow_home(self) -> Path:
        """Airflow's home: its configuration, and all run-time state below it."""
        return self.root / "airflow_home"

    @property
    def secrets(self) -> Path:
        """One 0600 file per secret, in a 0700 folder."""
        return self.airflow_home / "secrets"

    @property
    def run(self) -> Path:
        """Run-time state: sockets, pids, the recorded port."""
        return self.airflow_home / "run"

    @property
    def logs(self) -> Path:
        """Task logs, and the components' output in `stack/`."""
        return self.airflow_home / "logs"

    @property
    def postgres(self) -> Path:
        """The embedded PostgreSQL cluster's home, unless root had to place it elsewhere."""
        return self.airflow_home / "postgres"

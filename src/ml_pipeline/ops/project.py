"""Where things lie: the folders of this clone, found from the package's own place."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from ml_pipeline.errors import StackError

ENVIRONMENT_SCRIPT = "airflow_postgresql_env.sh"


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
        """Return the clone that this package is installed from (the installation is editable).

        Raises
        ------
        StackError
            When this Python's environment lies in another clone: in a copy, it would act on the
            original.
        """
        root = Path(__file__).resolve().parents[3]
        folder = Path(sys.prefix).resolve().parent
        if folder != root and (folder / ENVIRONMENT_SCRIPT).exists():
            raise StackError(
                f"{sys.prefix} is a copy that still belongs to {root}. "
                f"Mend it: {folder / 'start_airflow.sh'}"
            )
        return cls(root)

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

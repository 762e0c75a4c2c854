"""Where large XComs lie and what counts as large, read without Airflow.

They are environment variables, not options of airflow.cfg, so that `.env` and the caller may set
them and `ml-pipeline` commands can read them without importing Airflow.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ml_pipeline.errors import ConfigError
from ml_pipeline.storage import CLONE

URL = "ML_PIPELINE_XCOM_URL"
THRESHOLD = "ML_PIPELINE_XCOM_THRESHOLD"
VERIFY = "ML_PIPELINE_XCOM_VERIFY"
SHARED = "ML_PIPELINE_XCOM_SHARED"
# A row of this size costs no more time than a file, and needs no second place; the frames of the
# shipped problem (0.15 MB) stay in the database, and go with its backup.
DEFAULT_THRESHOLD = 512 * 1024
LOCAL_EXECUTORS = {"LocalExecutor", "SequentialExecutor"}


@dataclass(frozen=True)
class Settings:
    """What the backend and `ml-pipeline prune` go by.

    Parameters
    ----------
    url
        The folder below which files of large values lie: a path, or a URL with any scheme that
        fsspec knows; a connection may stand in it, as in `s3://my_connection@bucket/xcom`.
    threshold_bytes
        A value with up to this many bytes of Arrow data stays in the database.
    is_verified
        Whether files on this machine are checked against their checksum too, not only remote ones.
    is_shared
        Whether every machine that runs tasks sees the same local folder.
    """

    url: str
    threshold_bytes: int = DEFAULT_THRESHOLD
    is_verified: bool = False
    is_shared: bool = False

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Return the settings of this environment.

        Raises
        ------
        ConfigError
            When a value cannot be understood.
        """
        home = environment.get("AIRFLOW_HOME") or str(CLONE / "airflow_home")
        verify = environment.get(VERIFY) or "remote"
        if verify not in ("remote", "always"):
            raise ConfigError(f"{VERIFY}: Got {verify!r}. Must be one of 'remote', 'always'")
        return cls(
            environment.get(URL) or str(Path(home) / "xcom"),
            _threshold(environment.get(THRESHOLD)),
            verify == "always",
            environment.get(SHARED, "") in ("1", "true", "True"),
        )

    @property
    def folder(self) -> Path | None:
        """The folder when it is on this machine; None when the URL leads elsewhere."""
        scheme, separator, rest = self.url.partition("://")
        if not separator:
            return Path(self.url).absolute()
        return Path(rest) if scheme in ("file", "local") else None


def unreachable(settings: Settings, executor: str) -> str | None:
    """Say why tasks of this executor cannot read each other's XComs; None when they can.

    Parameters
    ----------
    settings
        See `Settings`.
    executor
        As in `[core] executor`: one or more names, with or without their modules.
    """
    names = set(re.findall(r"\w*Executor\w*", executor))
    if not names - LOCAL_EXECUTORS or settings.folder is None or settings.is_shared:
        return None
    return (
        f"{', '.join(sorted(names - LOCAL_EXECUTORS))} may run tasks on other machines, which do "
        f"not see {settings.folder}. Set {URL} to object storage (s3://..., gs://...), or "
        f"{SHARED}=1 if all workers run here or share that folder"
    )


def _threshold(text: str | None) -> int:
    if not text:
        return DEFAULT_THRESHOLD
    if not text.isdecimal():
        raise ConfigError(f"{THRESHOLD}: Got {text!r}. Must be a number of bytes")
    return int(text)

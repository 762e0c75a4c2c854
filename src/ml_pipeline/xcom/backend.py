"""What Airflow calls to store and read an XCom: `[core] xcom_backend`.

Every Airflow process imports this file, so pandas and pyarrow are imported only when a value with
a frame or an array in it is met. Values without one go through Airflow's own encoder, unchanged,
and what that encoder has written before is read as before.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow.sdk.bases.xcom import BaseXCom
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowFailException

from ml_pipeline.xcom.descriptor import PATH, Origin, descriptors
from ml_pipeline.xcom.faults import UnsupportedValueError, XComError
from ml_pipeline.xcom.files import Files
from ml_pipeline.xcom.parts import has_part
from ml_pipeline.xcom.settings import Settings, unreachable

RUNNING_TASKS = (["scheduler"], ["celery"])
NOBODY = "none"

log = logging.getLogger(__name__)


class UnstorableError(UnsupportedValueError, AirflowFailException):
    """A value that no retry makes storable: the task fails at once."""


class ArrowXCom(BaseXCom):
    """Stores frames and arrays as Arrow: small ones in the database, large ones as files."""

    @staticmethod
    def serialize_value(
        value: Any,
        *,
        key: str | None = None,
        task_id: str | None = None,
        dag_id: str | None = None,
        run_id: str | None = None,
        map_index: int | None = None,
    ) -> Any:
        """Return the JSON to store; files are written, whole, before it is returned.

        Raises
        ------
        UnsupportedValueError
            When a part of the value would not come back as it is.
        XComError
            When a file cannot be written.
        """
        origin = Origin(
            dag_id or NOBODY, run_id or NOBODY, task_id or NOBODY, map_index, key or NOBODY
        )
        try:
            if has_part(value):
                from ml_pipeline.xcom import packing

                value = packing.pack(value, origin, Files(Settings.of()))
        except UnsupportedValueError as error:
            raise UnstorableError(str(error)) from None
        return BaseXCom.serialize_value(value)

    @staticmethod
    def deserialize_value(result: Any) -> Any:
        """Return the value that was stored; large frames are mapped, not read.

        Raises
        ------
        XComError
            When a file is gone or damaged.
        """
        value = BaseXCom.deserialize_value(result)
        if next(descriptors(value), None) is None:
            return value
        from ml_pipeline.xcom import packing

        return packing.unpack(value, Files(Settings.of()))

    @classmethod
    def purge(cls, xcom: Any, *args: Any) -> None:
        """Remove the files that only this XCom refers to."""
        for descriptor in descriptors(xcom.value):
            if PATH in descriptor:
                _release(descriptor[PATH], xcom.key)

    @classmethod
    def delete(
        cls, key: str, task_id: str, dag_id: str, run_id: str, map_index: int | None = None
    ) -> None:
        """Delete an XCom: its row first, so that no row ever refers to a file that is gone."""
        from airflow.sdk.execution_time.comms import DeleteXCom
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

        place: Any = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id}
        xcom = cls._get_xcom_db_ref(key=key, map_index=map_index, **place)
        SUPERVISOR_COMMS.send(DeleteXCom(key=key, map_index=map_index, **place))
        cls.purge(xcom)


def _release(name: str, key: str) -> None:
    """Remove a file; what cannot be removed now is left to `ml-pipeline prune`."""
    try:
        Files(Settings.of()).release(name, key)
    except XComError as error:
        log.warning("%s", error)


def refuse_unreachable(argv: Sequence[str], executor: str) -> None:
    """End a scheduler or worker whose tasks could not read each other's files, with one line."""
    is_airflow = bool(argv) and Path(argv[0]).name == "airflow"
    if not is_airflow or list(argv[1:2]) not in RUNNING_TASKS:
        return
    if reason := unreachable(Settings.of(), executor):
        sys.exit(f"Error: {reason}")


refuse_unreachable(sys.argv, conf.get("core", "executor"))

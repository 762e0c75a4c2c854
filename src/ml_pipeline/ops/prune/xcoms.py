"""Files of large XComs that no row in Airflow's database refers to any more.

Rows go without their files when the server deletes them: a run that somebody deletes, `airflow db
clean`. And a task that is killed between its file and its row leaves a file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from ml_pipeline.ops import secrets
from ml_pipeline.ops.postgres import lending, provisioning
from ml_pipeline.ops.postgres.tables import rows
from ml_pipeline.ops.project import Project
from ml_pipeline.ops.prune.leftovers import Leftover, Order
from ml_pipeline.xcom.files import Files, remove_empty_folders, written_before
from ml_pipeline.xcom.settings import Settings

# Descriptors stand anywhere in a value, as deep as the task has nested its frames.
REFERENCED = """
SELECT DISTINCT descriptor ->> 'path'
FROM xcom, jsonb_path_query(value, 'lax $.** ? (exists(@."@arrow") && exists(@.path))') descriptor
"""


def unreferenced(order: Order) -> Iterator[Leftover]:
    """Yield the old files that nothing refers to; what they leave empty goes with them.

    Raises
    ------
    DatabaseError
        When the database cannot say what it refers to; nothing is removed then.
    XComError
        When the files cannot be listed.
    """
    environment = {**os.environ, "AIRFLOW_HOME": str(order.project.airflow_home)}
    files = Files(Settings.of(environment))
    # First the files, then what is referred to: a file that is named in between is not lost.
    old = list(written_before(files, order.before))
    referenced = _referenced(order.project) if old else set()
    for found in old:
        if found.owner not in referenced:
            yield Leftover(found.path, found.bytes)
            remove_empty_folders(files, found)


def _referenced(project: Project) -> set[str]:
    if secrets.read(project.secrets, "sql_alchemy_conn") is None:
        return set()
    with lending.lent(project):
        url = provisioning.owner_urls(project)["airflow_db"]
        return {name for (name,) in rows(url, "xcom", REFERENCED)}

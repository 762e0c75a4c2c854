"""The tables of scored rows in `results_db`: one scoring per DAG and logical date, whole or absent.

A scoring replaces what was there of the same logical date, in one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ml_pipeline.orchestration.results_db import connected, transaction

if TYPE_CHECKING:
    import pandas as pd

    from ml_pipeline.ml.drift import Drift
    from ml_pipeline.scoring import Scored

TABLES = """
CREATE TABLE IF NOT EXISTS scorings (
    id bigserial PRIMARY KEY, dag_id text NOT NULL, logical_date timestamptz NOT NULL,
    run_id text NOT NULL, created_at timestamptz NOT NULL DEFAULT now(), document jsonb NOT NULL,
    UNIQUE (dag_id, logical_date));
CREATE TABLE IF NOT EXISTS scores (
    scoring bigint, row_number bigint, row_id text, role text, version integer NOT NULL,
    label text NOT NULL, score double precision, PRIMARY KEY (scoring, row_number, role));
CREATE TABLE IF NOT EXISTS rows_set_aside (
    scoring bigint, row_number bigint, row_id text, reason text NOT NULL,
    PRIMARY KEY (scoring, row_number));
CREATE TABLE IF NOT EXISTS drift (
    scoring bigint, feature text, psi double precision NOT NULL, ks double precision,
    is_alert boolean NOT NULL, PRIMARY KEY (scoring, feature));
"""
OF_A_SCORING = ("scores", "rows_set_aside", "drift")
HISTORY = """
SELECT to_char(logical_date AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), feature, psi
FROM drift JOIN scorings ON scorings.id = drift.scoring
WHERE scoring IN (SELECT id FROM scorings WHERE dag_id = %s AND logical_date <= %s
                  ORDER BY logical_date DESC LIMIT 30)
ORDER BY logical_date
"""


class Scoring:
    """What one logical date's scoring writes.

    Parameters
    ----------
    cursor
        In the transaction that all of it is written in.
    number
        Its id.
    """

    def __init__(self, cursor: Any, dag_id: str, moment: datetime, run_id: str) -> None:
        self._cursor = cursor
        self._key = (dag_id, moment)
        cursor.execute("SELECT id FROM scorings WHERE (dag_id, logical_date) = (%s, %s)", self._key)
        for (earlier,) in cursor.fetchall():
            for table in OF_A_SCORING:
                cursor.execute(f"DELETE FROM {table} WHERE scoring = %s", (earlier,))
            cursor.execute("DELETE FROM scorings WHERE id = %s", (earlier,))
        cursor.execute(
            "INSERT INTO scorings (dag_id, logical_date, run_id, document) "
            "VALUES (%s, %s, %s, '{}') RETURNING id",
            (*self._key, run_id),
        )
        self.number = cursor.fetchone()[0]

    def keep(self, scored: Scored) -> None:
        """Write one chunk's scores, and the rows that were set aside."""
        self._copy("scores", scored.scores)
        self._copy("rows_set_aside", scored.set_aside)

    def history(self, drifts: list[Drift]) -> list[tuple[str, str, float]]:
        """Write this run's drift; return logical date, feature and PSI of the last 30 runs."""
        rows = [(self.number, one.feature, one.psi, one.ks, one.is_alert) for one in drifts]
        self._cursor.executemany("INSERT INTO drift VALUES (%s, %s, %s, %s, %s)", rows)
        self._cursor.execute(HISTORY, self._key)
        return list(self._cursor.fetchall())

    def finish(self, document: dict[str, Any]) -> None:
        """Write what the scoring came to."""
        self._cursor.execute(
            "UPDATE scorings SET document = %s WHERE id = %s", (json.dumps(document), self.number)
        )

    def _copy(self, table: str, frame: pd.DataFrame) -> None:
        columns = ", ".join(["scoring", *frame.columns])
        numbered = frame.assign(scoring=self.number)[["scoring", *frame.columns]]
        text = numbered.to_csv(index=False, header=False, lineterminator="\n")
        with self._cursor.copy(f"COPY {table} ({columns}) FROM STDIN (FORMAT csv)") as copy:
            copy.write(text)


@contextmanager
def scoring(dag_id: str, moment: datetime, run_id: str) -> Iterator[Scoring]:
    """Yield the place of a logical date's scoring; all of it counts at the end, or nothing."""
    with transaction(TABLES):
        pass  # its lock would make every other run wait until the last row is scored
    with connected() as cursor:
        yield Scoring(cursor, dag_id, moment, run_id)

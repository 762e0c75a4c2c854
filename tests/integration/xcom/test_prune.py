"""`ml-pipeline prune` removes the files that no row refers to, as a real database tells it."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from ml_pipeline.ops import postgres, prune
from ml_pipeline.ops.project import Project
from ml_pipeline.xcom.descriptor import PATH, descriptors
from ml_pipeline.xcom.files import Files
from ml_pipeline.xcom.settings import Settings
from tests.integration.postgres.conftest import query, secret
from tests.unit.xcom.passing import ORIGIN, files_below, packed

AREA = "XCom files"
OLD = time.time() - 90 * 86400


@pytest.fixture
def files(clone: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Files]:
    """The files of a running clone whose database has an empty table of XComs."""
    for name in ("URL", "THRESHOLD"):
        monkeypatch.delenv(f"ML_PIPELINE_XCOM_{name}", raising=False)
    postgres.start(clone)
    query(secret(clone, "sql_alchemy_conn"), "CREATE TABLE xcom (value jsonb)")
    folder = clone.airflow_home / "xcom"
    yield Files(Settings(str(folder), threshold_bytes=0))
    shutil.rmtree(folder, ignore_errors=True)
    query(secret(clone, "sql_alchemy_conn"), "DROP TABLE xcom")


def stored(files: Files, number: int, is_old: bool = True) -> dict[str, object]:
    """Store a frame and return its descriptor; its file is old unless told otherwise."""
    origin = replace(ORIGIN, run_id=f"run {number}")
    descriptor = dict(packed(pd.DataFrame({"n": [number]}), files, origin))
    if is_old:
        make_old(files.path(descriptor[PATH]))
    return descriptor


def make_old(path: Path) -> None:
    os.utime(path, (OLD, OLD))


def insert(clone: Project, value: object) -> None:
    text = json.dumps(value).replace("'", "''")
    query(secret(clone, "sql_alchemy_conn"), f"INSERT INTO xcom VALUES ('{text}')")


def removed(clone: Project, *, dry_run: bool = False) -> tuple[int, int]:
    (area,) = (each for each in prune.prune(clone, 30, dry_run=dry_run) if each.area == AREA)
    assert not area.failures
    return area.count, area.size_bytes


def test_files_that_a_row_refers_to_stay_however_deep_in_its_value(
    clone: Project, files: Files
) -> None:
    top, deep, lost = (stored(files, number) for number in range(3))
    insert(clone, top)
    insert(clone, {"a": [1, {"__classname__": "builtins.tuple", "__data__": [deep, None]}]})
    insert(clone, {"path": lost[PATH], "note": "no descriptor"})

    assert removed(clone) == (1, lost["bytes"])
    assert files_below(files.root) == sorted(str(each[PATH]) for each in (top, deep))


def test_folders_of_runs_without_files_go_too(clone: Project, files: Files) -> None:
    descriptor = stored(files, 1)

    removed(clone)

    assert not files.path(str(descriptor[PATH])).parents[2].exists()


def test_a_dry_run_says_the_same_and_removes_nothing(clone: Project, files: Files) -> None:
    stored(files, 1)
    before = files_below(files.root)

    says = removed(clone, dry_run=True)

    assert files_below(files.root) == before
    assert removed(clone) == says == (1, says[1])


def test_a_new_file_stays_for_the_task_that_is_about_to_refer_to_it(
    clone: Project, files: Files
) -> None:
    descriptor = stored(files, 1, is_old=False)

    assert removed(clone) == (0, 0)
    assert files.exists(str(descriptor[PATH]))


def test_marks_go_with_their_file_and_what_was_never_finished_goes_by_age(
    clone: Project, files: Files
) -> None:
    kept, lost = stored(files, 1), stored(files, 2)
    insert(clone, kept)
    for descriptor in (kept, lost):
        for key in ("a", "b"):
            files.share(str(descriptor[PATH]), key)
        for path in files.path(str(descriptor[PATH])).parent.iterdir():
            make_old(path)
    half = files.path(f"{kept[PATH]}.partial")
    half.touch()
    make_old(half)

    assert removed(clone)[0] == 4
    assert len(files_below(files.root)) == 3


def test_descriptors_in_the_database_itself_name_no_file(clone: Project, files: Files) -> None:
    inline = packed(pd.DataFrame({"n": [1]}), Files(Settings(files.settings.url)))
    insert(clone, inline)
    lost = stored(files, 1)

    assert [PATH in each for each in descriptors(inline)] == [False]
    assert removed(clone) == (1, lost["bytes"])


def test_a_stopped_clone_asks_its_database_all_the_same(clone: Project, files: Files) -> None:
    kept = stored(files, 1)
    insert(clone, kept)
    postgres.stop(clone)

    assert removed(clone) == (0, 0)
    assert files.exists(str(kept[PATH]))
    postgres.start(clone)

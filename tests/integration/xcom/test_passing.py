"""Frames on their way through a real Airflow, task by task, and what is stored of them."""

from __future__ import annotations

import pytest

from ml_pipeline.xcom.descriptor import INLINE, PATH, descriptors

WHOLE = ("nested", "outputs", "mapped", "listed", "retried", "plain", "deleted", "history")


def paths(value):
    return {each[PATH] for each in descriptors(value) if PATH in each}


@pytest.mark.parametrize("dag_id", WHOLE)
def test_what_a_task_returns_is_what_the_next_one_takes(played, dag_id):
    run = played[dag_id]
    assert run["state"] == "success", run["log"][-3000:]
    assert {state for state, _ in run["tasks"].values()} == {"success"}


def test_a_large_frame_is_a_file_and_a_small_one_a_row(played):
    value = played["nested"]["stored"]["make[-1] return_value"]

    assert value["frame"][PATH] in played["nested"]["files"]
    assert INLINE not in value["frame"]
    assert [INLINE in each for each in descriptors(value["pair"])] == [True, True]
    assert value["n"] == 1


def test_what_the_ui_shows_of_a_frame_is_its_description(played):
    shown = played["nested"]["stored"]["make[-1] return_value"]["frame"]

    assert (shown["rows"], shown["columns"], shown["type"]) == (50_000, 6, "pandas.DataFrame")
    assert shown["dtypes"] == [
        *(f"{name}: float64" for name in "abcd"),
        "kind: category",
        "note: object",
    ]
    assert len(shown["first_rows"]) == 7
    assert len(str(shown)) < 2_000


def test_multiple_outputs_store_each_frame_once(played):
    stored = played["outputs"]["stored"]

    whole = paths(stored["split[-1] return_value"])
    assert whole == paths(stored["split[-1] train"]) | paths(stored["split[-1] test"])
    assert {name for name in played["outputs"]["files"] if name.endswith(".arrow")} == whole
    assert len(whole) == 2


def test_mapped_tasks_have_a_folder_each_and_are_read_one_by_one(played):
    stored = played["mapped"]["stored"]

    places = [paths(stored[f"make[{index}] return_value"]).pop() for index in range(3)]
    assert [place.split("/")[-2] for place in places] == ["0", "1", "2"]
    assert stored["take[-1] return_value"] == [3, 2]


def test_a_second_try_replaces_rows_and_files_of_the_first(played):
    run = played["retried"]

    assert run["tasks"]["make[-1]"] == ["success", 2]
    referred = set().union(*map(paths, run["stored"].values()))
    assert {name for name in run["files"] if name.endswith(".arrow")} == referred
    assert len(referred) == 1  # under two keys


def test_a_value_that_cannot_come_back_fails_at_once_with_one_line_and_leaves_nothing(played):
    run = played["refused"]

    assert run["tasks"]["make[-1]"] == ["failed", 1]
    assert (
        "XCom cannot hold the column 'odd' of the DataFrame: it mixes types: row 0 holds 1 (int), "
        "row 1 'a' (str)." in run["log"]
    )
    assert (run["stored"], run["files"]) == ({}, [])


def test_values_without_a_frame_are_stored_as_airflow_stores_them(played):
    assert played["plain"]["stored"]["make[-1] return_value"] == {
        "t": {"__classname__": "builtins.tuple", "__version__": 1, "__data__": [1, "a"]},
        "d": played["plain"]["stored"]["make[-1] return_value"]["d"],
        "n": {"__classname__": "numpy.float64", "__version__": 1, "__data__": 1.5},
        "l": [None, True],
    }


def test_deleting_one_key_leaves_the_file_to_the_other(played):
    stored = played["deleted"]["stored"]

    assert "make[-1] first" not in stored
    (path,) = paths(stored["make[-1] return_value"])
    assert path in played["deleted"]["files"]


def test_a_file_that_is_gone_fails_the_reader_with_one_line(played):
    run = played["gone"]

    assert run["tasks"]["take[-1]"][0] == "failed"
    assert "XCom 'return_value' of gone.make, run " in run["log"]
    assert "Clear its task to make it again" in run["log"]
    assert "read what is not there" not in run["log"]


def test_files_on_another_file_system_are_written_and_read_there(played):
    run = played["remote"]

    assert run["state"] == "success", run["log"][-3000:]
    names = {name.removeprefix("/bucket/xcom/") for name in run["files"]}
    assert set().union(*map(paths, run["stored"].values())) == {
        name for name in names if name.endswith(".arrow")
    }


def test_a_connection_in_the_url_is_the_one_that_airflow_opens_the_store_with(played):
    run = played["connection"]

    assert run["state"] == "success", run["log"][-3000:]
    assert run["asked"] == ["store"]


def test_an_unknown_scheme_fails_the_task_with_the_name_of_its_setting(played):
    run = played["unknown scheme"]

    assert run["state"] == "failed"
    assert "ML_PIPELINE_XCOM_URL: Got 'nowhere://bucket'." in run["log"]

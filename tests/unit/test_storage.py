"""The results root: safe names, runs whole or absent, the latest in sight."""

import json
import os
import re
import threading
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from upath import UPath

from ml_pipeline import storage
from ml_pipeline.config import ProblemConfig
from ml_pipeline.errors import ConfigError
from ml_pipeline.storage import Run, StorageError, folder_name, locate, results_root

AIRFLOW_ID = "manual__2025-11-24T02:02:00.123456+00:00"


def stage(run, **files):
    run.begin()
    for name, text in files.items():
        (run.staging / name).write_text(text)
    (run.staging / "manifest.json").write_text(json.dumps({"dag_id": run.dag_id}))


def publish(run, **files):
    stage(run, **files)
    run.publish()


def contents(folder):
    return {file.name: file.read_text() for file in folder.iterdir()}


@pytest.fixture(params=["local", "object storage"])
def root(request, tmp_path):
    if request.param == "local":
        return tmp_path / "my results"
    return UPath(f"memory://{uuid4()}/results")


# Names


@given(st.text(max_size=300), st.text(max_size=300))
def test_different_run_ids_never_share_a_folder(one, other):
    assert (folder_name(one) == folder_name(other)) == (one == other)


@example("scoring")
@example("latest")
@given(st.text(max_size=300))
def test_a_folder_name_is_safe_on_every_system(run_id):
    name = folder_name(run_id)

    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.~-]{0,119}|-[A-Za-z0-9_.~-]+", name)
    assert name not in {".", "..", "latest", "latest.json", "scoring"}
    assert not name.endswith((".partial", ".replaced"))


@given(st.from_regex(r"[a-z0-9_][A-Za-z0-9_.-]{0,40}", fullmatch=True))
def test_folders_stay_apart_where_case_is_folded(run_id):
    other = run_id.swapcase()
    if other != run_id:
        assert folder_name(run_id).lower() != folder_name(other).lower()


@pytest.mark.parametrize("run_id", ["local-20251124-020200-1", "nightly", "a_b.c"])
def test_a_plain_run_id_is_its_own_folder_name(run_id):
    assert folder_name(run_id) == run_id


@pytest.mark.parametrize(
    "run_id", ["", ".", "..", "../up", "/etc", "latest", "latest.json", "a.partial", "a\0b", "é/"]
)
def test_a_dangerous_run_id_is_replaced(run_id):
    assert "~" in folder_name(run_id)


def test_an_airflow_run_id_stays_readable():
    assert re.fullmatch(
        r"manual__2025-11-24T02-02-00-123456-00-00~[0-9a-f]{16}", folder_name(AIRFLOW_ID)
    )


def test_two_dags_scheduled_at_the_same_time_get_their_own_folders():
    assert folder_name(AIRFLOW_ID, "wine") != folder_name(AIRFLOW_ID, "cancer")


# The root


def config_at(folder, **storage_section):
    tree = {"data": {"path": "x"}, "target": {"column": "y", "positive": "M"}}
    return ProblemConfig.validated(tree | {"storage": storage_section}, folder / "wine.yaml")


def test_the_environment_wins_over_the_configuration(tmp_path, monkeypatch):
    monkeypatch.setenv("ML_PIPELINE_RESULTS", str(tmp_path / "elsewhere"))

    assert results_root(config_at(tmp_path, results="here")) == tmp_path / "elsewhere"


def test_the_configured_root_starts_from_the_yaml(tmp_path, monkeypatch):
    monkeypatch.delenv("ML_PIPELINE_RESULTS", raising=False)

    assert results_root(config_at(tmp_path / "config", results="../out")) == tmp_path / "out"


def test_without_a_word_results_lie_in_the_clone(tmp_path, monkeypatch):
    monkeypatch.delenv("ML_PIPELINE_RESULTS", raising=False)

    assert results_root(config_at(tmp_path)) == Path(__file__).parents[2] / "results"
    assert results_root() == Path(__file__).parents[2] / "results"


def test_a_file_url_is_a_local_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ML_PIPELINE_RESULTS", f"file://{tmp_path}/out")

    assert results_root() == tmp_path / "out"
    assert isinstance(results_root(), Path)


def test_a_scheme_that_nothing_serves_is_refused(monkeypatch):
    monkeypatch.setenv("ML_PIPELINE_RESULTS", "nowhere://bucket")

    with pytest.raises(ConfigError, match=r"storage\.results: Got 'nowhere://bucket'"):
        results_root()


# Publishing


def test_nothing_is_published_before_it_is_whole(root):
    run = Run(root, "r1")

    stage(run, a="1")

    assert not run.folder.exists()
    assert locate(root, "r1/a")[0] == run.staging / "a"


def test_a_published_run_has_all_its_files_and_no_staging(root):
    run = Run(root, "r1", "wine")

    publish(run, a="1", b="2")

    assert contents(run.folder) == {"a": "1", "b": "2", "manifest.json": '{"dag_id": "wine"}'}
    assert not run.staging.exists()
    assert locate(root, "r1/a") == [run.folder / "a"]


def test_a_repeated_run_replaces_its_folder_whole(root):
    publish(Run(root, "r1"), a="1", old="1")

    publish(Run(root, "r1"), a="2")

    assert contents(root / "r1") == {"a": "2", "manifest.json": '{"dag_id": null}'}
    assert not (root / "r1.partial").exists()


def test_a_new_attempt_starts_from_an_empty_staging_folder(root):
    stage(Run(root, "r1"), left="over")

    publish(Run(root, "r1"), a="1")

    assert set(contents(root / "r1")) == {"a", "manifest.json"}


def test_discarding_leaves_the_published_folder(root):
    publish(Run(root, "r1"), a="1")
    stage(Run(root, "r1"), a="2")

    Run(root, "r1").discard()
    Run(root, "r1").discard()

    assert contents(root / "r1")["a"] == "1"
    assert not (root / "r1.partial").exists()


def test_the_same_plain_id_of_another_dag_is_refused_before_anything_is_written(root):
    publish(Run(root, "nightly", "wine"), a="1")

    with pytest.raises(StorageError, match="already holds run 'nightly' of wine"):
        Run(root, "nightly", "cancer").begin()

    assert contents(root / "nightly")["a"] == "1"
    assert not (root / "nightly.partial").exists()


def test_the_latest_run_is_linked_locally(tmp_path):
    publish(Run(tmp_path, "r1"), a="1")
    publish(Run(tmp_path, "r2"), a="2")

    assert (tmp_path / "latest").readlink() == Path("r2")
    assert (tmp_path / "latest" / "a").read_text() == "2"
    assert {path.name for path in tmp_path.iterdir()} == {"r1", "r2", "latest"}


def test_the_latest_run_is_named_on_object_storage():
    root = UPath(f"memory://{uuid4()}/results")

    publish(Run(root, AIRFLOW_ID, "wine"), a="1")

    latest = json.loads((root / "latest.json").read_text())
    assert latest["run_id"] == AIRFLOW_ID
    assert (root / latest["run"] / "a").read_text() == "1"


def test_a_folder_in_the_links_place_is_left_alone_with_a_warning(tmp_path, caplog):
    (tmp_path / "latest").mkdir()

    publish(Run(tmp_path, "r1"), a="1")

    assert "still names an earlier run" in caplog.text
    assert (tmp_path / "r1" / "a").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"r1", "latest"}


def test_a_reader_finds_a_whole_run_at_any_moment_of_its_replacement(tmp_path):
    run = Run(tmp_path, "r1")
    publish(run, a="0")
    gaps, is_over = [], threading.Event()

    def read():
        while not is_over.is_set():
            if not (tmp_path / "r1").exists() or not (tmp_path / "latest").exists():
                gaps.append("gone")

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(100):
        publish(run, a=str(number))
    is_over.set()
    reader.join()

    assert gaps == []


@pytest.fixture
def no_exchange(monkeypatch):
    """Behave as on a file system that cannot swap two folders."""
    monkeypatch.setattr(storage, "EXCHANGE", {})


def test_without_an_exchange_a_repeated_run_is_replaced_by_renaming(tmp_path, no_exchange):
    publish(Run(tmp_path, "r1"), a="1")
    publish(Run(tmp_path, "r1"), a="2")

    assert contents(tmp_path / "r1")["a"] == "2"
    assert {path.name for path in tmp_path.iterdir()} == {"r1", "latest"}


def test_a_failed_renaming_puts_the_earlier_run_back(tmp_path, no_exchange, monkeypatch):
    publish(Run(tmp_path, "r1"), a="1")
    stage(Run(tmp_path, "r1"), a="2")
    rename = Path.rename

    def fail_for_staging(path, target):
        if path.name.endswith(".partial"):
            raise OSError("disk gone")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail_for_staging)
    with pytest.raises(OSError, match="disk gone"):
        Run(tmp_path, "r1").publish()

    assert contents(tmp_path / "r1")["a"] == "1"


def test_an_attempt_after_a_death_between_two_renames_finds_the_earlier_run(tmp_path):
    publish(Run(tmp_path, "r1"), a="1")
    (tmp_path / "r1").rename(tmp_path / "r1.replaced")

    Run(tmp_path, "r1").begin()

    assert contents(tmp_path / "r1")["a"] == "1"
    assert not (tmp_path / "r1.replaced").exists()


def test_what_a_death_after_the_second_rename_leaves_is_removed(tmp_path):
    publish(Run(tmp_path, "r1"), a="1")
    (tmp_path / "r1.replaced").mkdir()

    publish(Run(tmp_path, "r1"), a="2")

    assert {path.name for path in tmp_path.iterdir()} == {"r1", "latest"}


def test_on_object_storage_the_manifest_is_written_last(monkeypatch):
    root = UPath(f"memory://{uuid4()}/results")
    run = Run(root, "r1")
    stage(run, zz="1", a="2")
    written, write = [], type(root).write_bytes

    def remember(path, content):
        written.append(path.name)
        return write(path, content)

    monkeypatch.setattr(type(root), "write_bytes", remember)
    run.publish()

    assert written == ["a", "zz", "manifest.json"]


def test_a_root_that_cannot_be_written_is_one_line_with_a_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    run = Run(tmp_path / "file" / "results", "r1")

    with pytest.raises(StorageError) as caught, run.writing():
        run.begin()

    message = str(caught.value)
    assert message.startswith(f"cannot write results below {run.root}: Not a directory. ")
    assert "ML_PIPELINE_RESULTS" in message


def test_a_link_left_by_a_process_of_the_same_number_is_no_hindrance(tmp_path):
    (tmp_path / f".latest.{os.getpid()}").symlink_to("nothing")

    publish(Run(tmp_path, "r1"), a="1")

    assert {path.name for path in tmp_path.iterdir()} == {"r1", "latest"}

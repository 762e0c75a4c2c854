"""The settings' values, and what is refused: a folder that tasks on other machines cannot see."""

from __future__ import annotations

from pathlib import Path

import pytest

from ml_pipeline.errors import ConfigError
from ml_pipeline.xcom.settings import DEFAULT_THRESHOLD, Settings, unreachable

CELERY = "airflow.providers.celery.executors.celery_executor.CeleryExecutor"


def test_by_default_files_lie_below_airflow_s_home():
    settings = Settings.of({"AIRFLOW_HOME": "/some where/airflow_home"})

    assert settings.folder == Path("/some where/airflow_home/xcom")
    assert settings.threshold_bytes == DEFAULT_THRESHOLD
    assert not settings.is_verified
    assert not settings.is_shared


@pytest.mark.parametrize("url", ["/data/x com#1", "file:///data/x com#1", "local:///data/x com#1"])
def test_a_path_and_a_file_url_mean_the_same_folder(url):
    assert Settings.of({"ML_PIPELINE_XCOM_URL": url}).folder == Path("/data/x com#1")


def test_a_url_elsewhere_is_no_folder():
    assert Settings.of({"ML_PIPELINE_XCOM_URL": "s3://conn@bucket/xcom"}).folder is None


def test_every_setting_is_read():
    assert Settings.of(
        {
            "ML_PIPELINE_XCOM_URL": "gs://bucket",
            "ML_PIPELINE_XCOM_THRESHOLD": "0",
            "ML_PIPELINE_XCOM_VERIFY": "always",
            "ML_PIPELINE_XCOM_SHARED": "1",
        }
    ) == Settings("gs://bucket", 0, True, True)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("THRESHOLD", "512 KiB", "Got '512 KiB'. Must be a number of bytes"),
        ("THRESHOLD", "-1", "Got '-1'. Must be a number of bytes"),
        ("VERIFY", "never", "Got 'never'. Must be one of 'remote', 'always'"),
    ],
)
def test_a_value_that_cannot_be_understood_is_refused_by_its_name(name, value, message):
    with pytest.raises(ConfigError) as caught:
        Settings.of({f"ML_PIPELINE_XCOM_{name}": value})
    assert str(caught.value) == f"ML_PIPELINE_XCOM_{name}: {message}"


@pytest.mark.parametrize("executor", ["CeleryExecutor", CELERY, "LocalExecutor,CeleryExecutor"])
def test_a_local_folder_is_refused_when_tasks_may_run_on_other_machines(executor):
    assert unreachable(Settings("/data/xcom"), executor) == (
        "CeleryExecutor may run tasks on other machines, which do not see /data/xcom. Set "
        "ML_PIPELINE_XCOM_URL to object storage (s3://..., gs://...), or "
        "ML_PIPELINE_XCOM_SHARED=1 if all workers run here or share that folder"
    )


@pytest.mark.parametrize(
    ("settings", "executor"),
    [
        (Settings("/data/xcom"), "LocalExecutor"),
        (Settings("s3://bucket/xcom"), "CeleryExecutor"),
        (Settings("/data/xcom", is_shared=True), "KubernetesExecutor"),
    ],
)
def test_what_every_task_can_reach_is_taken(settings, executor):
    assert unreachable(settings, executor) is None

"""DAGs that pass frames on in every way that Airflow knows; copied into a clone's dags/."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import dag, get_current_context, task

ROWS = 50_000


def large(seed: int = 0) -> Any:
    """Return a frame that is too large for the database, with what only an exact copy keeps."""
    import numpy as np
    import pandas as pd

    generator = np.random.default_rng(seed)
    frame = pd.DataFrame(generator.standard_normal((ROWS, 4)), columns=list("abcd"))
    frame["day"] = pd.date_range("2024-01-01", periods=ROWS, freq="min", tz="Europe/Berlin")
    frame["kind"] = pd.Categorical(["x", None] * (ROWS // 2), ["x", "y"], ordered=True)
    frame["note"] = pd.Series(["text", None] * (ROWS // 2), dtype=object)
    frame.attrs["sha256"] = "abc"
    return frame.set_index("day")


def small() -> Any:
    import pandas as pd

    return pd.DataFrame({"n": [1, 2], "s": ["a", None]})


def assert_same(one: Any, other: Any) -> None:
    import pandas as pd

    pd.testing.assert_frame_equal(one, other, check_exact=True, check_freq=True)
    assert one.attrs == other.attrs


quick = {"retries": 1, "retry_delay": timedelta(seconds=0.1)}


@dag(schedule=None, start_date=datetime(2024, 1, 1))
def nested() -> None:
    @task(multiple_outputs=False)
    def make() -> dict[str, Any]:
        import numpy as np

        return {"frame": large(), "pair": (small(), [np.arange(3)]), "n": 1}

    @task
    def take(value: dict[str, Any]) -> str:
        assert_same(value["frame"], large())
        assert type(value["pair"]) is tuple
        assert_same(value["pair"][0], small())
        assert value["pair"][1][0].tolist() == [0, 1, 2]
        assert value["n"] == 1
        value["frame"].iloc[0, 0] = 7.0
        return "same"

    take(make())


@dag(schedule=None, start_date=datetime(2024, 1, 1))
def outputs() -> None:
    @task(multiple_outputs=True)
    def split() -> dict[str, Any]:
        return {"train": large(1), "test": large(2)}

    @task
    def take(train: Any, both: dict[str, Any]) -> str:
        assert_same(train, large(1))
        assert_same(both["test"], large(2))
        return "same"

    parts = split()
    take(parts["train"], parts)


@dag(schedule=None, start_date=datetime(2024, 1, 1))
def mapped() -> None:
    @task
    def seeds() -> list[int]:
        return [1, 2, 3]

    @task
    def make(seed: int) -> Any:
        return large(seed)

    @task
    def total(frame: Any) -> float:
        return float(frame["a"].sum())

    @task
    def take(frames: Any, totals: Any) -> list[int]:
        """Look at the sequence in each of its ways: by length, place, slice and iteration."""
        assert [float(frame["a"].sum()) for frame in frames] == list(totals)
        assert_same(frames[1], large(2))
        assert_same(frames[-1], large(3))
        return [len(frames), len(frames[:2])]

    frames = make.expand(seed=seeds())
    take(frames, total.expand(frame=frames))


@dag(schedule=None, start_date=datetime(2024, 1, 1))
def listed() -> None:
    """A task that returns a list of frames, over which the next one is mapped."""

    @task
    def make() -> list[Any]:
        return [large(1), large(2)]

    @task
    def total(frame: Any) -> float:
        return float(frame["a"].sum())

    total.expand(frame=make())


@dag(schedule=None, start_date=datetime(2024, 1, 1), default_args=quick)
def retried() -> None:
    @task
    def make() -> Any:
        context = get_current_context()
        try_number = context["ti"].try_number
        context["ti"].xcom_push("checkpoint", large(try_number))
        if try_number == 1:
            raise ValueError("first try")
        return large(try_number)

    @task
    def take(frame: Any) -> str:
        assert_same(frame, large(2))
        assert_same(get_current_context()["ti"].xcom_pull(task_ids="make", key="checkpoint"), frame)
        return "same"

    take(make())


@dag(schedule=None, start_date=datetime(2024, 1, 1), default_args=quick)
def refused() -> None:
    @task
    def make() -> Any:
        import pandas as pd

        return {"good": large(), "bad": pd.DataFrame({"odd": [1, "a"]})}

    make()


@dag(schedule=None, start_date=datetime(2024, 1, 1))
def plain() -> None:
    """What has no frame in it goes as Airflow's own encoder makes it."""

    @task
    def make() -> dict[str, Any]:
        import numpy as np

        return {"t": (1, "a"), "d": datetime(2024, 1, 1), "n": np.float64(1.5), "l": [None, True]}

    @task
    def take(value: dict[str, Any]) -> str:
        assert value["t"] == (1, "a")
        assert value["d"] == datetime(2024, 1, 1)
        return "same"

    take(make())


@dag(schedule=None, start_date=datetime(2024, 1, 1))
def deleted() -> None:
    """A task that deletes one of two keys that share a file."""

    @task(multiple_outputs=True)
    def make() -> dict[str, Any]:
        return {"first": large()}

    @task
    def take(frame: Any) -> str:
        from airflow.sdk.execution_time.xcom import XCom

        ti = get_current_context()["ti"]
        place = {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": "make"}
        XCom.delete(key="first", map_index=-1, **place)
        assert ti.xcom_pull(task_ids="make", key="first") is None
        assert_same(ti.xcom_pull(task_ids="make")["first"], frame)
        return "same"

    take(make()["first"])


@dag(schedule=None, start_date=datetime(2024, 1, 1))
def gone() -> None:
    @task
    def make() -> Any:
        return large()

    @task
    def lose(frame: Any) -> None:
        from ml_pipeline.xcom.settings import Settings

        folder = Settings.of().folder
        assert folder is not None
        for path in (folder / "gone").rglob("*.arrow"):
            path.unlink()

    @task
    def take(frame: Any) -> None:
        raise AssertionError("read what is not there")

    frame = make()
    lose(frame) >> take(frame)


@dag(schedule=None, start_date=datetime(2024, 1, 1))
def history() -> None:
    """A frame that was stored by Airflow's own encoder, before this backend."""

    @task
    def make() -> None:
        from airflow.sdk.bases.xcom import BaseXCom
        from airflow.sdk.execution_time.xcom import XCom

        ti = get_current_context()["ti"]
        place = {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id}
        XCom._set_xcom_in_db(key="old", value=BaseXCom.serialize_value(small()), **place)

    @task
    def take() -> str:
        old = get_current_context()["ti"].xcom_pull(task_ids="make", key="old")
        assert_same(old, small())
        return "same"

    make() >> take()


nested()
outputs()
mapped()
listed()
retried()
refused()
plain()
deleted()
gone()
history()

"""A Parquet file: it gives what its CSV gives, and what no table has is refused."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ml_pipeline.ml.dataset import read_chunks, read_table
from tests.unit.ml.conftest import refusal


def parquet(frame, path):
    frame.to_parquet(path)
    return path.read_bytes()


def test_a_parquet_file_gives_the_frame_that_its_csv_gives(problem, tmp_path):
    frame = pd.DataFrame(
        {
            "id": [1.0, 2.0],
            "y": pd.Categorical(["M", "B"]),
            "a": [1.5, None],
            "b": ["x", None],
            "c": [True, False],
            "d": pd.to_datetime(["2024-01-31", "2024-02-29"]),
        },
        index=[7, 8],
    )
    content = parquet(frame, tmp_path / "frame")
    data = {"ids": ["id"]}

    read = read_table(problem(content, data))

    expected = read_table(problem(frame.astype({"id": int}).to_csv(index=False), data))
    pd.testing.assert_frame_equal(read, expected, check_dtype=False)
    assert read.attrs["reading"]["format"] == "parquet"


def test_what_is_configured_as_missing_is_missing_in_parquet_too(problem, tmp_path):
    content = parquet(pd.DataFrame({"y": ["M", "B"], "a": ["?", "1"]}), tmp_path / "frame")

    assert read_table(problem(content, {"missing_values": ["?"]}))["a"].isna().tolist() == [1, 0]


def test_a_parquet_column_of_lists_is_refused_unless_left_out(problem, tmp_path):
    frame = pd.DataFrame({"y": ["M", "B"], "a": [[1], [2]], "b": [3, 4]})
    content = parquet(frame, tmp_path / "frame")

    assert refusal(problem(content)).startswith("rows.csv, column 'a': of type list<")
    assert list(read_table(problem(content, {"exclude": ["a"]})).columns) == ["y", "b"]


def test_a_parquet_file_that_names_a_column_twice_is_refused(problem, tmp_path):
    table = pa.Table.from_arrays([pa.array(["M", "B"])] * 3, names=["y", "a", "a"])
    pq.write_table(table, tmp_path / "frame")

    content = (tmp_path / "frame").read_bytes()
    assert refusal(problem(content)) == "rows.csv: the column name 'a' occurs twice"


def test_a_parquet_column_without_a_name_is_numbered(problem, tmp_path):
    content = parquet(pd.DataFrame({"y": ["M", "B"], "": [1, 2]}), tmp_path / "frame")

    assert list(read_table(problem(content)).columns) == ["y", "column_2"]


def test_chunks_of_a_parquet_file_keep_their_types(problem, tmp_path):
    frame = pd.DataFrame({"y": ["M", "B", "B"], "a": [1.5, 2.5, 3.5]})
    config = problem(parquet(frame, tmp_path / "frame"))

    first, second = read_chunks(config, config.data_location, 2)

    assert (first["a"].tolist(), second["a"].tolist()) == ([1.5, 2.5], [3.5])
    assert second.index.tolist() == [2]

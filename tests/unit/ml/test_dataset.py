"""Reading a file: what is ordinary works, what is bad fails with one line that says where."""

import hashlib

import pandas as pd
import pytest

from ml_pipeline.errors import DataError
from ml_pipeline.ml.dataset import read_table

GOOD = "id,y,a,b\n01,M,1.5,2\n02,B,2.5,3\n"


def refusal(config):
    with pytest.raises(DataError) as caught:
        read_table(config)
    message = str(caught.value)
    assert "\n" not in message
    assert config.data_location in message
    return message.replace(config.data_location, "rows.csv")


def test_columns_keep_their_order_and_numbers_their_type(problem):
    frame = read_table(problem(GOOD, {"ids": ["id"]}))

    assert list(frame.columns) == ["id", "y", "a", "b"]
    assert frame["a"].tolist() == [1.5, 2.5]
    assert frame["b"].dtype == "int64"


def test_ids_and_labels_are_the_text_in_the_file(problem):
    config = problem("id,y,a\n007,1,1\n07,0,2\n", {"ids": ["id"]})

    frame = read_table(config)

    assert frame["id"].tolist() == ["007", "07"]
    assert frame["y"].tolist() == ["1", "0"]


def test_the_frame_carries_the_checksum_of_the_file(problem):
    assert read_table(problem(GOOD)).attrs == {"sha256": hashlib.sha256(GOOD.encode()).hexdigest()}


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.rstrip("\n").encode(),
        GOOD.replace(",", ", ").encode(),
        b"\n" + GOOD.replace("\n", "\n\n").encode(),
        b'"id","y","a","b"\n"01","M",1.5,2\n"02","B",2.5,3\n',
    ],
    ids=["bom", "crlf", "no last newline", "spaces", "blank lines", "quotes"],
)
def test_ordinary_variations_of_a_file_give_the_same_frame(problem, content):
    expected = read_table(problem(GOOD, {"ids": ["id"]}))

    frame = read_table(problem(content, {"ids": ["id"]}))

    pd.testing.assert_frame_equal(frame, expected)


def test_a_file_without_header_takes_its_names_from_the_configuration(problem):
    data = {"header": False, "columns": ["id", "y", "a", "b"], "ids": ["id"]}

    frame = read_table(problem(GOOD.split("\n", 1)[1], data))

    pd.testing.assert_frame_equal(frame, read_table(problem(GOOD, {"ids": ["id"]})))


def test_another_delimiter_is_read_when_configured(problem):
    frame = read_table(problem(GOOD.replace(",", ";"), {"delimiter": ";"}))

    assert list(frame.columns) == ["id", "y", "a", "b"]


def test_excluded_columns_are_left_out(problem):
    assert list(read_table(problem(GOOD, {"exclude": ["b"]})).columns) == ["id", "y", "a"]


def test_a_quoted_field_may_hold_delimiter_newline_and_quote(problem):
    frame = read_table(problem('y,"a,1"\nM,"x, ""y""\nz"\nB,w\n'))

    assert list(frame.columns) == ["y", "a,1"]
    assert frame["a,1"].tolist() == ['x, "y"\nz', "w"]


def test_newlines_in_quotes_do_not_break_a_long_file(problem):
    frame = read_table(problem("y,a\n" + ('M,"' + "x\n" * 300 + '"\n') * 10_000))

    assert len(frame) == 10_000
    assert set(frame["a"]) == {"x\n" * 300}


def test_a_value_is_read_to_its_last_digit(problem):
    frame = read_table(problem("y,a\nM,0.1234567890123456789\nB,1e-320\n"))

    assert frame["a"].tolist() == [0.1234567890123456789, 1e-320]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "rows.csv: the file is empty"),
        (" \n\n", "rows.csv: the file is empty"),
        ("id,y,a,b\n", "rows.csv: no rows below the header"),
        (bytes(range(256)) * 4, "rows.csv: no text file (a zero byte at offset 0)"),
        (GOOD.encode("utf-16"), "rows.csv: no text file"),
        ("id,y\n1,M\n2,Mä\n".encode("latin-1"), "rows.csv, line 3: byte 0xe4 is not UTF-8"),
        (GOOD + "03,M,1\n", "rows.csv, line 4: 3 fields where 4 are expected"),
        (GOOD + "03,M,1,2,9\n", "rows.csv, line 4: 5 fields where 4 are expected"),
        (GOOD + "1,M\n1,M\n", "rows.csv, line 4: 2 fields where 4 are expected (and 1 more such"),
        (GOOD + '03,"M,1,2\n04,B,1,2\n', 'rows.csv, line 4: a quote (") is opened and not closed'),
        (GOOD.replace(",", ";"), "rows.csv: a single column. Is ',' the right `data.delimiter`?"),
        (GOOD.replace("a,b", "a,a"), "rows.csv, line 1: the column name 'a' occurs twice"),
        (GOOD.replace("y", "Y"), "rows.csv: no column 'y'. The file has 'id', 'Y', 'a', 'b'"),
    ],
    ids=[
        "empty",
        "blank",
        "header only",
        "binary",
        "utf-16",
        "latin-1",
        "too few fields",
        "too many fields",
        "several ragged",
        "open quote",
        "wrong delimiter",
        "duplicate header",
        "unknown target",
    ],
)
def test_a_bad_file_is_refused_with_what_and_where(problem, content, message):
    assert refusal(problem(content)).startswith(message)


def test_a_wrong_delimiter_is_suspected_when_named_columns_get_one_field(problem):
    data = {"header": False, "columns": ["y", "a"], "delimiter": ","}

    assert refusal(problem("M;1\nB;2\n", data)) == (
        "rows.csv, line 1: 1 fields where 2 are expected (and 1 more such lines). "
        "Is ',' the right `data.delimiter`?"
    )


def test_a_missing_file_is_refused_with_the_key_to_check(problem, tmp_path):
    config = problem(GOOD)
    (tmp_path / "rows.csv").unlink()

    assert refusal(config) == "rows.csv: no such file; check `data.path`"


def test_a_folder_in_place_of_the_file_is_refused(problem):
    assert "cannot be read" in refusal(problem(GOOD, {"path": "."}))


def test_a_url_of_unknown_scheme_is_refused(problem):
    assert "cannot be read" in refusal(problem(GOOD, {"path": "nowhere://rows.csv"}))


def test_a_missing_id_column_is_answered_with_a_near_name(problem):
    assert refusal(problem(GOOD, {"ids": ["ids"]})) == (
        "rows.csv: no column 'ids'. The file has 'id', …"
    )


@pytest.mark.parametrize("columns", [10_001, 200_000])
def test_more_columns_than_any_table_has_are_refused(problem, columns):
    header = ",".join(["y", *(f"column{n}" for n in range(1, columns))])

    assert f"{columns} columns. Must be at most 10000" in refusal(problem(f"{header}\n"))


@pytest.mark.parametrize("content", ["x" * 200_000, "y,a\nM," + "x" * 9_000_000])
def test_what_is_one_endless_value_is_refused(problem, content):
    assert refusal(problem(content)).startswith("rows.csv: cannot be read as CSV: ")

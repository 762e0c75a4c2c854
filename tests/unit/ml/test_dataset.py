"""Reading a file: what is ordinary works, what is bad fails with one line that says where."""

import hashlib

import fsspec
import pandas as pd
import pytest

from ml_pipeline.errors import DataError, DataUnreachable
from ml_pipeline.ml.dataset import read_table
from tests.unit.ml.conftest import refusal

GOOD = "id,y,a,b\n01,M,1.5,2\n02,B,2.5,3\n"


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
    attrs = read_table(problem(GOOD)).attrs

    assert attrs["sha256"] == hashlib.sha256(GOOD.encode()).hexdigest()
    assert attrs["reading"] == {
        "format": "csv",
        "encoding": "utf-8",
        "delimiter": ",",
        "decimal": ".",
        "has_header": True,
        "has_mark": False,
    }


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.rstrip("\n").encode(),
        GOOD.replace(",", ", ").encode(),
        b"\n" + GOOD.replace("\n", "\n\n").encode(),
        b'"id","y","a","b"\n"01","M",1.5,2\n"02","B",2.5,3\n',
        GOOD.replace("\n", "\r").encode(),
        GOOD.replace(",", ";").encode(),
        GOOD.replace(",", ";").replace(".", ",").encode(),
        GOOD.replace(",", "\t").encode(),
        GOOD.replace(",", "|").encode("utf-16"),
    ],
    ids=[
        "bom",
        "crlf",
        "no last newline",
        "spaces",
        "blank lines",
        "quotes",
        "cr",
        "semicolon",
        "decimal comma",
        "tab",
        "bar in utf-16",
    ],
)
def test_ordinary_variations_of_a_file_give_the_same_frame(problem, content):
    expected = read_table(problem(GOOD, {"ids": ["id"]}))

    frame = read_table(problem(content, {"ids": ["id"]}))

    pd.testing.assert_frame_equal(frame, expected)


def test_a_decimal_comma_beside_stray_text_is_a_decimal_comma_still(problem):
    frame = read_table(problem("id;y;a\n1;M;1,5\n2;B;?\n3;B;-2,5e3\n"))

    assert frame["a"].tolist() == ["1.5", "?", "-2.5e3"]


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


def test_a_quote_inside_a_value_is_part_of_it(problem):
    frame = read_table(problem('y,a\nM,5" pipe\nB,6" pipe\nB,rod\n'))

    assert frame["a"].tolist() == ['5" pipe', '6" pipe', "rod"]
    assert len(read_table(problem('y,a\nM,5" pipe\nB,rod\n'))) == 2


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
        ("id,y,a,b", "rows.csv: no rows below the header"),
        (" \n\n", "rows.csv: the file is empty"),
        ("id,y,a,b\n", "rows.csv: no rows below the header"),
        (bytes(range(256)) * 4, "rows.csv: no text file (a zero byte at offset 0)"),
        (
            b"\x89PNG\r\n\x1a\n" + GOOD.encode(),
            "rows.csv: no text file (a control byte at offset 6)",
        ),
        (GOOD.encode("utf-16-le"), "rows.csv: no text file (a zero byte at offset 1)"),
        (
            "id,y\n1,M\n2,\xe4\xf6\xff\n".encode("latin-1"),
            "rows.csv, line 3: byte 0xe4 is not UTF-8",
        ),
        ("id,y\nä,ö\n".encode() + b"\xe4,M\n", "rows.csv, line 3: byte 0xe4 is not UTF-8"),
        (b"PAR1 and then nothing", "rows.csv: cannot be read as Parquet: "),
        (GOOD + "03,M,1\n", "rows.csv, line 4: 3 fields where 4 are expected"),
        (GOOD + "03,M,1,2,9\n", "rows.csv, line 4: 5 fields where 4 are expected"),
        (GOOD + "1,M\n1,M\n", "rows.csv, line 4: 2 fields where 4 are expected (and 1 more such"),
        (GOOD + '03,"M,1,2\n04,B,1,2\n', 'rows.csv, line 4: a quote (") is opened and not closed'),
        (
            GOOD.replace(",", " "),
            "rows.csv: a single column. Give the `data.delimiter`: it is none",
        ),
        (GOOD.replace("a,b", "a,a"), "rows.csv, line 1: the column name 'a' occurs twice"),
        (GOOD.replace("y", "Y"), "rows.csv: no column 'y'. The file has 'id', 'Y', 'a', 'b'"),
        ("1,M,2.5\n2,B,3.5\n", "rows.csv: no column 'y'. The file has '1', 'M', '2.5'. Its first "),
    ],
    ids=[
        "empty",
        "header without line end",
        "blank",
        "header only",
        "binary",
        "picture",
        "utf-16 without mark",
        "undecodable",
        "broken utf-8",
        "broken parquet",
        "too few fields",
        "too many fields",
        "several ragged",
        "open quote",
        "wrong delimiter",
        "duplicate header",
        "unknown target",
        "no header",
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


def test_a_configured_delimiter_that_splits_nothing_is_questioned(problem):
    assert refusal(problem(GOOD, {"delimiter": ";"})) == (
        "rows.csv: a single column. Is ';' the right `data.delimiter`?"
    )


def test_a_configured_encoding_that_does_not_fit_is_questioned(problem):
    config = problem(GOOD.replace("M", "Ä"), {"encoding": "ascii"})

    assert refusal(config).startswith("rows.csv, line 2: byte 0xc3 is not ASCII. Give the file's")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("id,y,a\n1,M,Köln\n2,B,Straße\n", "cp1252"),
        ("id,y,a\n1,M,столиця України\n2,B,Москва и область\n", "cp1251"),
        ("id,y,a\n1,M,zażółć\n2,B,gęślą\n", "cp1250"),
        ("id,y,a\n1,M,東京都の天気\n2,B,大阪市の人口\n", "cp932"),
        ("id,y,a\n1,M,Ελλάδα\n2,B,Αθήνα\n", "utf-8"),
    ],
)
def test_text_in_another_encoding_is_recognised(problem, text, encoding):
    frame = read_table(problem(text.encode(encoding)))

    assert frame["a"].tolist() == [line.split(",")[2] for line in text.splitlines()[1:]]


def test_a_letter_far_down_the_file_is_recognised_too(problem):
    content = GOOD + "03,M,1,2\n" * 200_000 + "04,Bö,1,2\n"

    assert read_table(problem(content.encode("cp1252")))["y"].iloc[-1] == "Bö"


def test_a_configured_encoding_is_believed(problem):
    config = problem("id,y,a\n1,M,ÿþ\n".encode("latin-1"), {"encoding": "latin-1"})

    assert read_table(config)["a"].tolist() == ["ÿþ"]


def test_a_file_without_header_or_names_has_numbered_columns(problem):
    config = problem("1,M,2.5\n2,B,3.5\n", target={"column": "column_2", "positive": "M"})

    assert list(read_table(config).columns) == ["column_1", "column_2", "column_3"]


def test_a_column_without_a_name_is_numbered(problem):
    assert list(read_table(problem(",y,a\n0,M,1\n1,B,2\n")).columns) == ["column_1", "y", "a"]


def test_what_is_configured_as_missing_is_missing(problem):
    frame = read_table(problem("id,y,a\n1,M,?\n2,B,-9\n3,B,4\n", {"missing_values": ["?", "-9"]}))

    assert frame["a"].isna().tolist() == [True, True, False]


def test_codes_that_are_declared_categories_keep_their_zeros(problem):
    frame = read_table(problem("id,y,a\n1,M,007\n2,B,07\n", {"categorical": ["a"]}))

    assert frame["a"].tolist() == ["007", "07"]


def test_a_url_is_read_through_fsspec(problem):
    with fsspec.open("memory://bucket/rows.csv", "wb") as file:
        file.write(GOOD.encode())

    assert len(read_table(problem("", {"path": "memory://bucket/rows.csv"}))) == 2


class SilentStore(fsspec.AbstractFileSystem):
    protocol = "silent"

    def _open(self, path, mode="rb", **options):
        raise ConnectionResetError("connection reset by peer")


def test_a_store_that_does_not_answer_may_be_asked_again(problem):
    fsspec.register_implementation("silent", SilentStore, clobber=True)

    with pytest.raises(DataUnreachable, match="cannot be reached: connection reset"):
        read_table(problem("", {"path": "silent://bucket/rows.csv"}))

    assert not issubclass(DataUnreachable, DataError)


def test_a_line_above_the_header_is_suspected_when_it_has_fewer_fields(problem):
    assert refusal(problem("# exported today\n" + GOOD)).endswith(
        "Does line 1 name the columns? Take out what stands above them"
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

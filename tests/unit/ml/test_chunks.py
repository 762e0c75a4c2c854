"""Rows to be scored, chunk by chunk: as text with their places, and lines that do not fit aside."""

import pandas as pd
import pytest

from ml_pipeline.errors import DataError
from ml_pipeline.ml.dataset import read_chunks


def test_chunks_are_the_files_rows_as_text_with_their_places(problem):
    body = "".join(f"{n},M,{n / 2},x\n" for n in range(250_000))
    config = problem("id,y,a,b\n" + body, {"ids": ["id"]})

    chunks = list(read_chunks(config, config.data_location, 100_000))

    assert len(chunks) > 1
    together = pd.concat(chunks)
    assert together.index.tolist() == list(range(250_000))
    assert together["a"].iloc[-1] == "124999.5"


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("id,a\n1,2\n", {}),
        ("1,2\n", {"header": False, "columns": ["id", "y", "a"]}),
    ],
    ids=["header", "no header"],
)
def test_rows_to_be_scored_may_come_without_the_target(problem, text, data):
    config = problem(text, data)

    (chunk,) = read_chunks(config, config.data_location)

    assert chunk.to_dict("list") == {"id": ["1"], "a": ["2"]}


def test_lines_with_another_number_of_fields_are_left_out_with_place_and_reason(problem):
    body = "".join(f"{n},M,{n}\n" if n % 1000 else f"{n},M\n" for n in range(1_000_500))
    config = problem("id,y,a\n" + body)

    chunks = list(read_chunks(config, config.data_location, 100_000))

    assert len(chunks) > 2
    together = pd.concat(chunks)
    assert together.index.tolist() == [n for n in range(1_000_500) if n % 1000]
    assert together["id"].astype(int).tolist() == together.index.tolist()
    ragged = {place: why for chunk in chunks for place, why in chunk.attrs["ragged"].items()}
    assert list(ragged) == list(range(0, 1_000_500, 1000))
    assert ragged[1000] == "line 1002: 2 fields where 3 are expected"
    assert sum(len(chunk.attrs["ragged"]) for chunk in chunks) == len(ragged)


def test_places_count_from_the_first_line_when_there_is_no_header(problem):
    config = problem("1,M\n2,M,3\n4\n5,B,6\n", {"header": False, "columns": ["id", "y", "a"]})

    (chunk,) = read_chunks(config, config.data_location)

    assert chunk.index.tolist() == [1, 3]
    assert chunk.attrs["ragged"] == {
        0: "line 1: 2 fields where 3 are expected",
        2: "line 3: 1 fields where 3 are expected",
    }


def test_a_file_of_which_no_line_fits_is_refused(problem):
    config = problem("id,y,a,b\n1,M\n2,B\n")

    with pytest.raises(DataError, match=r"line 2: 2 fields where 4 are expected \(and 1 more"):
        list(read_chunks(config, config.data_location))


def test_chunks_of_a_file_in_another_encoding_are_decoded(problem):
    config = problem("id,y,a\n1,M,Köln\n2,B,Straße\n".encode("cp1252"))

    (chunk,) = read_chunks(config, config.data_location)

    assert chunk["a"].tolist() == ["Köln", "Straße"]

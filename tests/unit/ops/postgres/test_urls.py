"""Every usual spelling of a PostgreSQL URL is read, and written as each driver wants it."""

from __future__ import annotations

import inspect
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg2.extensions import parse_dsn
from sqlalchemy.engine import make_url

from ml_pipeline.errors import DatabaseError
from ml_pipeline.ops.postgres.urls import DatabaseUrl, parse

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
HOSTS = st.sampled_from(["localhost", "db.example.org", "10.1.2.3", "::1", "/var/run/postgresql"])
URLS = st.builds(
    DatabaseUrl,
    host=HOSTS,
    port=st.integers(1, 65535),
    database=TEXT,
    user=TEXT,
    password=TEXT,
    parameters=st.sampled_from([(), (("application_name", "ä b&c"), ("sslmode", "require"))]),
)


@given(URLS)
def test_parse_of_every_spelling_gives_the_url_back(url: DatabaseUrl) -> None:
    assert parse(url.libpq()) == parse(url.psycopg2()) == url


@given(URLS)
def test_libpq_reads_what_we_write(url: DatabaseUrl) -> None:
    read = parse_dsn(url.libpq())
    assert (read["host"], read["user"], read["password"]) == (url.host, url.user, url.password)
    assert (read["dbname"], int(read["port"])) == (url.database, url.port)


@given(URLS)
def test_sqlalchemy_reads_what_we_write(url: DatabaseUrl) -> None:
    read = make_url(url.psycopg2())
    _, arguments = read.get_dialect()().create_connect_args(read)
    assert read.drivername == "postgresql+psycopg2"
    assert (arguments["host"], int(arguments["port"])) == (url.host, url.port)
    assert (arguments["user"], arguments["password"]) == (url.user, url.password)
    assert arguments["dbname"] == url.database


@given(URLS)
def test_asyncpg_gets_only_what_it_knows(url: DatabaseUrl) -> None:
    from asyncpg.connect_utils import _parse_connect_dsn_and_args

    read = make_url(url.asyncpg())
    _, arguments = read.get_dialect()().create_connect_args(read)
    assert set(arguments) <= {"dsn", "host", "port", "user", "password", "database"}
    names = inspect.signature(_parse_connect_dsn_and_args).parameters
    every = {**dict.fromkeys(names), **arguments}
    addresses, parameters = _parse_connect_dsn_and_args(**every)
    socket = f"/var/run/postgresql/.s.PGSQL.{url.port}"
    assert addresses == [socket if url.is_socket else (url.host, url.port)]
    assert (parameters.user, parameters.password) == (url.user, url.password)
    assert parameters.database == url.database


@pytest.mark.parametrize(
    "scheme", ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+asyncpg"]
)
def test_parse_takes_any_scheme(scheme: str) -> None:
    url = parse(f"{scheme}://u:p%40ss@host:6432/db?sslmode=require")
    assert url == DatabaseUrl("host", 6432, "db", "u", "p@ss", (("sslmode", "require"),))
    assert url.psycopg2() == "postgresql+psycopg2://u:p%40ss@host:6432/db?sslmode=require"


def test_parse_of_asyncpgs_ssl_means_sslmode() -> None:
    url = parse("postgresql+asyncpg://u:p@host/db?ssl=verify-full")
    assert url.parameters == (("sslmode", "verify-full"),)


def test_parse_without_port_takes_the_default() -> None:
    assert parse("postgresql://u:p@host/db").port == 5432


def test_parse_of_a_unix_socket_keeps_its_folder() -> None:
    url = parse("postgresql://u:p@/db?host=/tmp&port=6000")
    assert (url.host, url.port) == ("/tmp", 6000)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("postgresql://u:s3cret@/db", "names no host"),
        ("postgresql://u:s3cret@host", "names no database"),
        ("postgresql://u:s3cret@host/", "names no database"),
        ("mysql://u:s3cret@host/db", "not a PostgreSQL URL"),
        ("host=h dbname=db password=s3cret", "not a PostgreSQL URL"),
        ("postgresql://u:s3cret@at@host/db", "percent-encoded"),
        ("postgresql://u:s3cret/slash@host/db", "percent-encoded"),
        ("postgresql://u:s3cret%zz@host/db", "percent-encoded"),
        ("postgresql://u:s3cret@host:70000/db", "percent-encoded"),
        ("postgresql://u:s3cret@one,two/db", "several hosts"),
        ("postgresql://u:s3cret@host/db?nonsense=1", '"nonsense"'),
    ],
)
def test_parse_of_an_unusable_url_is_one_line_without_the_password(text: str, message: str) -> None:
    with pytest.raises(DatabaseError, match=message) as refusal:
        parse(text)
    assert "s3cret" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


@given(TEXT)
def test_parse_never_repeats_an_unencoded_password(password: str) -> None:
    secret = f"s3cret{password}s3cret"
    try:
        parse(f"postgresql://u:{secret}@host/db")
    except DatabaseError as error:
        assert "s3cret" not in str(error)


def test_repr_hides_the_password() -> None:
    assert "s3cret" not in repr(parse(f"postgresql://u:{quote('s3cret')}@host/db"))


def test_role_of_the_same_server_keeps_its_parameters() -> None:
    url = parse("postgresql://u:p@host:1/db?sslmode=require").for_role("r", "q", "other")
    assert url.libpq() == "postgresql://r:q@host:1/other?sslmode=require"


def test_asyncpg_of_a_plain_url_is_what_airflow_would_derive() -> None:
    url = DatabaseUrl("127.0.0.1", 5432, "db", "u", "p")
    assert url.asyncpg() == url.psycopg2().replace("psycopg2", "asyncpg")

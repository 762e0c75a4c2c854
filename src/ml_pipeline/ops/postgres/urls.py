"""Database URLs: one parsed form, and the spelling that each driver wants."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from urllib.parse import quote, urlencode

from ml_pipeline.errors import DatabaseError

DEFAULT_PORT = 5432
EXPECTED = "postgresql://user:password@host:port/database"
SCHEME = re.compile(r"^postgres(?:ql)?(?:\+(?P<driver>\w+))?://")
UNKNOWN_PARAMETER = re.compile(r'invalid URI query parameter: "(?P<name>\w+)"')
# The parameters of libpq that asyncpg understands when they stand in its `dsn`, see
# asyncpg.connect; anything else there would be sent to the server as a setting.
ASYNCPG_PARAMETERS = frozenset(
    {
        "application_name",
        "options",
        "sslcert",
        "sslcrl",
        "sslkey",
        "sslmode",
        "sslnegotiation",
        "sslpassword",
        "sslrootcert",
        "ssl_max_protocol_version",
        "ssl_min_protocol_version",
        "target_session_attrs",
    }
)


@dataclass(frozen=True)
class DatabaseUrl:
    """Where a database is and who logs in; its `repr` keeps the password to itself.

    Parameters
    ----------
    host
        A name, an address, or the folder of a Unix socket.
    parameters
        What else libpq shall know (`sslmode` …), by name.
    """

    host: str
    port: int
    database: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    parameters: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def place(self) -> str:
        """The server, for messages."""
        return f"{self.host}:{self.port}"

    @property
    def is_socket(self) -> bool:
        """Whether the host is the folder of a Unix socket."""
        return self.host.startswith("/")

    def for_role(self, user: str, password: str, database: str) -> DatabaseUrl:
        """Return the same server as seen by another role."""
        return replace(self, user=user, password=password, database=database)

    def libpq(self) -> str:
        """Return the form that psql and psycopg2 take."""
        return self._text("postgresql", self._socket_parameters() + self.parameters)

    def psycopg2(self) -> str:
        """Return SQLAlchemy's form; it names the driver: a bare scheme means psycopg 3 there."""
        return self._text("postgresql+psycopg2", self._socket_parameters() + self.parameters)

    def asyncpg(self) -> str:
        """Return SQLAlchemy's form for asyncpg.

        SQLAlchemy hands each parameter to `asyncpg.connect` as a keyword, and asyncpg knows none
        of libpq's names there; inside `dsn` it knows them.
        """
        known = tuple(pair for pair in self.parameters if pair[0] in ASYNCPG_PARAMETERS)
        known = self._socket_parameters() + known
        if self.is_socket:
            known += (("port", str(self.port)),)
        dsn = (("dsn", f"postgresql://?{_query(known)}"),) if known else ()
        return self._text("postgresql+asyncpg", dsn)

    def _socket_parameters(self) -> tuple[tuple[str, str], ...]:
        return (("host", self.host),) if self.is_socket else ()

    def _text(self, scheme: str, parameters: tuple[tuple[str, str], ...]) -> str:
        query = f"?{_query(parameters)}" if parameters else ""
        return f"{scheme}://{self._login()}{self._address()}/{_quoted(self.database)}{query}"

    def _login(self) -> str:
        if self.user is None:
            return ""
        password = "" if self.password is None else f":{_quoted(self.password)}"
        return f"{_quoted(self.user)}{password}@"

    def _address(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        # A URL without a host cannot carry a port, except as a parameter.
        return f":{self.port}" if self.is_socket else f"{host}:{self.port}"


def parse(text: str) -> DatabaseUrl:
    """Read a PostgreSQL URL in any usual spelling, as libpq itself reads it.

    Raises
    ------
    DatabaseError
        When it is none; the message never repeats the URL, which may hold a password.
    """
    values = _parsed(text)
    host, port = values.pop("host", ""), values.pop("port", "") or str(DEFAULT_PORT)
    database = values.pop("dbname", "")
    if "@" in host or not (port.isdigit() and 0 < int(port) < 65536):
        raise _malformed()
    for part, name in ((host, "host"), (database, "database")):
        if not part:
            raise DatabaseError(f"ML_PIPELINE_DATABASE_URL names no {name}. Expected: {EXPECTED}")
    user, password = values.pop("user", None), values.pop("password", None)
    return DatabaseUrl(host, int(port), database, user, password, tuple(sorted(values.items())))


def _parsed(text: str) -> dict[str, str]:
    from psycopg2 import ProgrammingError
    from psycopg2.extensions import parse_dsn

    scheme = SCHEME.match(text)
    if scheme is None:
        raise _malformed()
    rest = text[scheme.end() :]
    if scheme["driver"] == "asyncpg":  # its name for libpq's sslmode, with the same values
        rest = re.sub(r"([?&])ssl=", r"\1sslmode=", rest)
    try:
        values: dict[str, str] = parse_dsn(f"postgresql://{rest}")
    except ProgrammingError as error:
        unknown = UNKNOWN_PARAMETER.search(str(error))
        detail = (
            f'it has the parameter "{unknown["name"]}", which libpq does not know'
            if unknown
            else ""
        )
        raise _malformed(detail) from None
    if "," in values.get("host", ""):
        raise _malformed("it names several hosts")
    return values


def _malformed(detail: str = "") -> DatabaseError:
    cause = f": {detail}" if detail else ""
    return DatabaseError(
        f"ML_PIPELINE_DATABASE_URL is not a PostgreSQL URL that can be used{cause}. "
        f"Expected: {EXPECTED}, with special characters of the password percent-encoded "
        "(@ is %40, / is %2F, : is %3A, % is %25)."
    )


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _query(parameters: tuple[tuple[str, str], ...]) -> str:
    return urlencode(parameters, quote_via=quote, safe="")

"""Where a journal in PostgreSQL lies and how to reach it; what is asked of the server before it is trusted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from stocktwin.domain.errors import EnvironmentFault, UsageError

if TYPE_CHECKING:
    import psycopg

SCHEMES: Final = ("postgresql", "postgres")
SCHEMA: Final = "stocktwin"
OLDEST: Final = 140_000
"""PostgreSQL 14: the first that ends idle sessions by itself."""
TABLES: Final = """
CREATE SCHEMA IF NOT EXISTS {schema};
CREATE TABLE IF NOT EXISTS {schema}.batches (seq BIGINT PRIMARY KEY, header TEXT NOT NULL, blob_sha256 TEXT NOT NULL,
    prev_hash TEXT NOT NULL, hash TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS batches_by_blob ON {schema}.batches (blob_sha256);
CREATE TABLE IF NOT EXISTS {schema}.blobs (seq BIGINT PRIMARY KEY, data BYTEA NOT NULL);
ALTER TABLE {schema}.blobs ALTER COLUMN data SET STORAGE EXTERNAL;
CREATE TABLE IF NOT EXISTS {schema}.cursors (source TEXT NOT NULL, file TEXT NOT NULL, cursor TEXT NOT NULL,
    seq BIGINT NOT NULL, PRIMARY KEY (source, file));
CREATE TABLE IF NOT EXISTS {schema}.lease (one INT PRIMARY KEY CHECK (one = 1), epoch BIGINT NOT NULL,
    holder TEXT NOT NULL, since TIMESTAMPTZ NOT NULL);
INSERT INTO {schema}.lease VALUES (1, 0, '', now()) ON CONFLICT DO NOTHING;
"""


class Unfit(EnvironmentFault):
    """The server would not keep what it acknowledges; waiting does not help."""


@dataclass(frozen=True)
class Place:
    """A database and the schema in it that is one journal."""

    conninfo: str
    schema: str
    shown: str
    """The address without password, for people."""

    @classmethod
    def parse(cls, url: str) -> Place:
        """A `postgresql://` URL of libpq, plus `schema=NAME` (default `stocktwin`). UsageError names what is wrong.

        >>> place = Place.parse("postgresql://me:secret@db/shop?schema=north")
        >>> place.schema, place.shown, place.conninfo
        ('north', 'postgresql://me@db/shop?schema=north', 'postgresql://me:secret@db/shop')
        """
        parts = urlsplit(url)
        if parts.scheme not in SCHEMES:
            raise UsageError(f"a journal's address begins with postgresql://, not {url!r}")
        given = parse_qsl(parts.query, keep_blank_values=True)
        schema = dict(given).get("schema", SCHEMA)
        if not schema or len(schema.encode()) > 63 or "\0" in schema:
            raise UsageError(f"schema: must be a name of at most 63 bytes, not {schema!r}")
        others = [(key, value) for key, value in given if key != "schema"]
        conninfo = urlunsplit(parts._replace(query=urlencode(others, quote_via=quote)))
        user, _, host = parts.netloc.rpartition("@")
        netloc = f"{user.partition(':')[0]}@{host}" if user else host
        open_ones = [(key, value) for key, value in given if key != "password"]
        return cls(conninfo, schema, urlunsplit(parts._replace(netloc=netloc, query=urlencode(open_ones, safe="/"))))

    @property
    def key(self) -> int:
        """The number of the advisory lock of this journal's writer."""
        name = f"stocktwin journal {self.schema}".encode()
        return int.from_bytes(hashlib.sha256(name).digest()[:8], "big", signed=True)

    def connect(self) -> psycopg.Connection[Any]:
        """A connection that commits each statement by itself and looks into the journal's schema."""
        options: dict[str, Any] = {"connect_timeout": 10, "application_name": "stocktwin", "client_encoding": "utf8"}
        with asked(self):
            con: psycopg.Connection[Any]
            con = _psycopg().connect(self.conninfo, autocommit=True, prepare_threshold=None, **options)
            con.execute(composed("SET search_path TO {schema}", self.schema))
            return con

    def prepare(self) -> None:
        """Makes the tables when they are absent."""
        with self.connect() as con, asked(self):
            lying = con.execute("SELECT to_regclass(%s)", [f'"{self.schema.replace(chr(34), chr(34) * 2)}".lease'])
            if (lying.fetchone() or (None,))[0] is not None:
                return
            with con.transaction():
                con.execute("SELECT pg_advisory_xact_lock(%s)", [self.key ^ 1])  # two may start at once
                con.execute(composed(TABLES, self.schema))


@contextmanager
def asked(place: Place) -> Iterator[None]:
    """Turns what the server or the way to it says into `EnvironmentFault`, in one line and without the password."""
    psycopg = _psycopg()
    try:
        yield
    except psycopg.Error as error:
        told = str(error).strip().partition("\n")[0] or type(error).__name__
        raise EnvironmentFault(f"the journal {place.shown}: {told}") from None


def check_server(con: psycopg.Connection[Any], place: Place) -> None:
    """Makes a writer's session durable, and raises `Unfit` where the server would not be."""
    names = ("server_version_num", "server_version", "server_encoding", "fsync", "synchronous_commit")
    asked_for = ", ".join(f"current_setting('{name}')" for name in names)
    number, version, encoding, fsync, commit, replica = _row(con, f"SELECT {asked_for}, pg_is_in_recovery()")
    wrong = {
        f"PostgreSQL {version} is too old; 14 or newer is needed": int(number) < OLDEST,
        f"the database is in {encoding}; UTF8 is needed": encoding != "UTF8",
        "fsync is off: what it acknowledges may be lost": fsync != "on",
        "it is a read-only replica": replica,
    }
    if reason := next((reason for reason, holds in wrong.items() if holds), None):
        raise Unfit(f"the journal {place.shown} cannot be written: {reason}")
    if commit not in ("on", "remote_apply"):
        con.execute("SET synchronous_commit TO on")


def _row(con: psycopg.Connection[Any], sql: str) -> tuple[Any, ...]:
    found = con.execute(sql).fetchone()
    assert found is not None
    return tuple(found)


def composed(text: str, schema: str, other: str = "") -> Any:
    """A statement about a schema, and another, whatever is in their names."""
    from psycopg import sql

    return sql.SQL(text).format(schema=sql.Identifier(schema), other=sql.Identifier(other))


def _psycopg() -> Any:
    try:
        import psycopg
    except ImportError as error:
        raise EnvironmentFault(
            f"a journal in PostgreSQL needs psycopg ({error}); install stocktwin[postgres]"
        ) from None
    return psycopg

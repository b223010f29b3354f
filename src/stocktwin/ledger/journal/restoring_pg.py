"""Putting a backup in the place of a journal in PostgreSQL: built in a schema beside, then both are renamed at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from stocktwin.domain.errors import UsageError
from stocktwin.ledger.journal.pgconnect import Place, asked, composed
from stocktwin.ledger.journal.postgres import PostgresJournal

BESIDE: Final = "_restoring"
ASIDE: Final = "_replaced_"
LONGEST: Final = 40
"""Bytes of a schema's name that leave room for what is added to it."""


def building(place: Place) -> PostgresJournal:
    """An empty journal in a schema beside that of a journal."""
    if len(place.schema.encode()) > LONGEST:
        raise UsageError(f"schema: {place.schema!r} has more than {LONGEST} bytes: no room for a name beside it")
    beside = replace(place, schema=place.schema + BESIDE)
    with place.connect() as con, asked(place):
        con.execute(composed("DROP SCHEMA IF EXISTS {schema} CASCADE", beside.schema))
    return PostgresJournal(beside)


def abandon(built: PostgresJournal) -> None:
    """Removes what was built."""
    built.close()
    with built.place.connect() as con, asked(built.place):
        con.execute(composed("DROP SCHEMA IF EXISTS {schema} CASCADE", built.place.schema))


def commit(present: PostgresJournal, built: PostgresJournal) -> str:
    """Renames the present journal away and the built one into its place, in one transaction; the old one's new name.

    The epoch of the lease goes on, one higher: whoever wrote the old journal is fenced off. Both are closed.
    """
    place = present.place
    built.close()
    present.claim()
    with asked(place), present.exclusive() as con:
        ((epoch, holder),) = con.execute("SELECT epoch, holder FROM lease").fetchall()
        aside = f"{place.schema}{ASIDE}{epoch}"
        go_on = composed("UPDATE {schema}.lease SET epoch = %s, holder = %s", built.place.schema)
        con.execute(go_on, [epoch + 1, holder])
        con.execute(composed("ALTER SCHEMA {schema} RENAME TO {other}", place.schema, aside))
        con.execute(composed("ALTER SCHEMA {schema} RENAME TO {other}", built.place.schema, place.schema))
    present.close()
    return aside

"""Balances: the sum of the postings of each account, in a book, up to an event time, as known at a record time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from stocktwin.domain.errors import NotFoundError
from stocktwin.domain.identity import STOCKING_KINDS
from stocktwin.ledger.books import View, legs_sql, make_view
from stocktwin.ledger.currents import current_sql

if TYPE_CHECKING:
    import duckdb

    from stocktwin.ledger.live import LiveStates

BALANCE_SCHEMA = pa.schema(
    [
        ("item_id", pa.string()),
        ("location_id", pa.string()),
        ("lot", pa.string()),
        ("condition", pa.string()),
        ("owner", pa.string()),
        ("quantity", pa.int64()),  # atomic units
        ("scale", pa.int32()),
        ("unit", pa.string()),
        ("anchored", pa.bool_()),  # false: net change only, the opening is not known
    ]
)

MANY_MOVEMENTS = 1_000_000
"""From so many on, answers about all accounts come from dense columns; below, SQL is quick and nothing is compiled."""


def balances(
    con: duckdb.DuckDBPyConnection,
    *,
    at: int | None = None,
    known_at: int | None = None,
    item_id: str | None = None,
    location_id: str | None = None,
    book: str | None = None,
    stocking_only: bool = True,
    live: LiveStates | None = None,
) -> pa.Table:
    """One row per account, sorted; accounts of ours without lot, unrestricted, are also shown at zero. Where there are
    many movements and everything is asked, the live state answers, if there is one to keep.

    NotFoundError names an item, location or system that the twin does not know.
    """
    system = None if book is None else book_code(con, book)
    if live is not None and item_id is None and location_id is None and movements(con) >= MANY_MOVEMENTS:
        found = live.balances(con, system, stocking_sql(known_at) if stocking_only else None, at, known_at)
        if found is not None:
            return found
    item = None if item_id is None else code_of(con, "item", "item_id", item_id)
    place = None if location_id is None else code_of(con, "place", "place_id", location_id, "location")
    view = make_view(con, at=at, known_at=known_at, system=system, item=item)
    return con.sql(_select(view, place, stocking_only)).to_arrow_table().cast(BALANCE_SCHEMA)


def summed(con: duckdb.DuckDBPyConnection, system: int | None) -> pa.Table:
    """All accounts of a book, real and virtual, added up in SQL: what the live state is held against."""
    return con.sql(_select(make_view(con, system=system), None, False)).to_arrow_table().cast(BALANCE_SCHEMA)


def movements(con: duckdb.DuckDBPyConnection) -> int:
    """How many movements were accepted."""
    counted = con.execute("SELECT coalesce(sum(accepted), 0) FROM tally WHERE table_name = 'movements'")
    return int(counted.fetchall()[0][0])


def code_of(con: duckdb.DuckDBPyConnection, table: str, column: str, name: str, what: str = "") -> int:
    """The code of a name; NotFoundError when it has none."""
    found = con.execute(f"SELECT code FROM {table} WHERE {column} = ?", [name]).fetchall()
    if not found:
        raise NotFoundError(what or table, name)
    code: int = found[0][0]
    return code


def book_code(con: duckdb.DuckDBPyConnection, name: str) -> int:
    """The code of a system; −1 (an empty book) for one that delivered something, but no event."""
    found = con.execute("SELECT code FROM system WHERE name = ?", [name]).fetchall()
    if not found and not con.execute("SELECT 1 FROM tally WHERE system = ? LIMIT 1", [name]).fetchall():
        raise NotFoundError("system", name)
    return int(found[0][0]) if found else -1


def stocking_sql(known_at: int | None = None) -> str:
    """SELECT of the codes of places whose stock is ours."""
    kinds = ", ".join(f"'{kind}'" for kind in STOCKING_KINDS)
    current = current_sql("locations", known_at)
    return f"SELECT code FROM place JOIN ({current}) l ON l.location_id = place_id WHERE l.kind IN ({kinds})"


def account_sql(view: View, wheres: list[str], members: str | None = None) -> str:
    """A whole SELECT of `item, place, lot, condition, owner, quantity, anchored`, one row per account; `members` as in
    `legs_sql`."""
    where = f"WHERE {' AND '.join(wheres)}" if wheres else ""
    account = "item, place, lot, condition, owner"
    return f"""WITH {legs_sql(view, members)},
        summed AS (SELECT {account}, CAST(sum(quantity) AS BIGINT) AS quantity FROM leg {where} GROUP BY {account})
        SELECT summed.*, fed.item IS NULL OR opening.item IS NOT NULL AS anchored
        FROM summed LEFT JOIN fed USING (item, place) LEFT JOIN opening USING (item, place)
        WHERE quantity <> 0 OR (lot IS NULL AND owner IS NULL AND condition = 'unrestricted')"""


def _select(view: View, place: int | None, stocking_only: bool) -> str:
    wheres = [] if place is None else [f"place = {place}"]
    if stocking_only:
        wheres.append(f"place IN ({stocking_sql(view.known_at)})")
    return f"""SELECT i.item_id, p.place_id AS location_id, lot, CAST(condition AS VARCHAR) AS condition, owner,
        quantity, i.scale, i.unit, anchored FROM ({account_sql(view, wheres)}) a
        JOIN item i ON i.code = a.item JOIN place p ON p.code = a.place
        ORDER BY i.item_id, p.place_id, lot NULLS FIRST, condition, owner NULLS FIRST"""

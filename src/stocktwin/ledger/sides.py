"""Books side by side: what every system says is where, what the record says, and what of their difference is in flight.

What one system has told and another has not is no difference yet, as long as the other is not due by its own habits:
nine of ten of its facts come within some lag (`learned.habits`). Of a book and the record, what either posted within
the longer lag of the two is in flight, as far as the other did not post the same; the rest of their difference is
settled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stocktwin.ledger.balances import balances, book_code
from stocktwin.ledger.books import levels_sql, make_view, recent_sql
from stocktwin.ledger.dense import own
from stocktwin.ledger.healing import healing
from stocktwin.ledger.learned import habits
from stocktwin.ledger.status_query import clock

if TYPE_CHECKING:
    import duckdb

    from stocktwin.ledger.books import View
    from stocktwin.ledger.ledger import Ledger

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Book:
    """One system's book, a value per row of `Sides`."""

    on_hand: Ints
    """Unrestricted, lots and owners added up, in atomic units."""
    told: npt.NDArray[np.bool_]
    """Whether the book speaks of the item-location at all: absence is not zero."""
    in_flight: Ints
    """Part of on hand − record that is not due yet."""
    lag: int
    """Within what time (µs) what is in flight is due."""


@dataclass(frozen=True)
class Sides:
    """Books side by side, a row per item-location that any of them speaks of, by item and location."""

    item_id: pa.Array
    location_id: pa.Array
    record: Ints
    books: Mapping[str, Book]

    def settled(self, system: str) -> Ints:
        """By how much a book differs from the record when what is in flight is left out; 0 where it says nothing."""
        book = self.books[system]
        return np.where(book.told, book.on_hand - self.record - book.in_flight, 0)


@dataclass(frozen=True)
class _Names:
    """Ids as ranks, so that an item-location is one number."""

    items: pa.Array
    places: pa.Array

    def keys(self, item: pa.ChunkedArray, place: pa.ChunkedArray) -> Ints:
        """Numbers of item-locations."""
        row, location = (
            pc.index_in(ids, value_set=known).to_numpy() for ids, known in ((item, self.items), (place, self.places))
        )
        return np.asarray(row.astype(np.int64) * len(self.places) + location, np.int64)


@healing
def side_by_side(ledger: Ledger, systems: tuple[str, ...]) -> Sides:
    """The books of some systems and the record, as they stand."""
    con = ledger._projection.cursor()
    live = ledger._projection.live
    names = _Names(_sorted_ids(con, "item"), _sorted_ids(con, "place"))
    told = {name: _by_pair(names, balances(con, book=name, live=live)) for name in systems}
    record = _by_pair(names, balances(con, live=live))
    keys = np.unique(np.concatenate([np.zeros(0, np.int64), *(key for key, _ in told.values())]))
    flights = _flights(con, ledger, systems, names, keys)
    books = {}
    for name, (key, quantity) in told.items():
        flight, lag = flights[name]
        books[name] = Book(_onto(keys, key, quantity), np.isin(keys, key, assume_unique=True), flight, lag)
    count = max(len(names.places), 1)
    ids = (pc.take(names.items, pa.array(keys // count)), pc.take(names.places, pa.array(keys % count)))
    return Sides(*ids, _onto(keys, *record), books)


def _sorted_ids(con: duckdb.DuckDBPyConnection, kind: str) -> pa.Array:
    ids = con.sql(f"SELECT {kind}_id FROM {kind}").to_arrow_table().column(0).combine_chunks()
    return ids.take(pc.sort_indices(ids))


def _by_pair(names: _Names, table: pa.Table) -> tuple[Ints, Ints]:
    """Item-locations of a table of balances, which is sorted by them, and what is unrestricted there."""
    free = table.filter(pc.equal(table.column("condition"), "unrestricted"))
    key = names.keys(free.column("item_id"), free.column("location_id"))
    if not len(key):
        return key, key
    first = np.flatnonzero(np.diff(key, prepend=-1))
    return key[first], np.add.reduceat(own(free, "quantity"), first)


def _onto(keys: Ints, key: Ints, quantity: Ints) -> Ints:
    """Quantities in the order of sorted keys that hold theirs; 0 where there is none."""
    out = np.zeros(len(keys), np.int64)
    at = np.searchsorted(keys, key)
    known = keys[np.minimum(at, len(keys) - 1)] == key if len(keys) else np.zeros(len(key), bool)
    out[at[known]] = quantity[known]
    return out


def _flights(
    con: duckdb.DuckDBPyConnection, ledger: Ledger, systems: tuple[str, ...], names: _Names, keys: Ints
) -> dict[str, tuple[Ints, int]]:
    """By system what is in flight between its book and the record, and within what time it is due."""
    lags = {one.code: one.nine_of_ten for one in habits(ledger)}
    now = clock(con, ledger._clock.now())
    record = make_view(con)
    assert record.authority is not None
    whose = {*record.authority.by_kind.values(), *(system for _, _, system in record.authority.by_site)}
    own_lag = max((lags.get(system, 0) for system in whose), default=0)
    codes = {name: book_code(con, name) for name in systems}
    ids = [_ids_by_code(con, "item"), _ids_by_code(con, "place")]
    out = {}
    for name, code in codes.items():
        lag = max(own_lag, lags.get(code, 0))
        flight = np.zeros(len(keys), np.int64)
        for view, sign in ((make_view(con, system=code), 1), (record, -1)) if lag else ():
            flight += sign * _onto(keys, *_recent(con, view, now - lag, names, ids))
        for view in (record, make_view(con, system=code)) if lag else ():
            flight[np.isin(keys, _opened_since(con, view, now - lag, names, ids))] = 0
        out[name] = flight, lag
    return out


def _recent(
    con: duckdb.DuckDBPyConnection, view: View, since: int, names: _Names, ids: list[pa.ChunkedArray]
) -> tuple[Ints, Ints]:
    told = con.sql(recent_sql(view, since)).to_arrow_table()
    key = names.keys(*(pc.take(known, told.column(at)) for at, known in enumerate(ids)))
    order = np.argsort(key, kind="stable")
    return key[order], own(told, "quantity")[order]


def _opened_since(
    con: duckdb.DuckDBPyConnection, view: View, since: int, names: _Names, ids: list[pa.ChunkedArray]
) -> Ints:
    """Item-locations that may have opened with a level since: what they had before is not known."""
    if not view.openings:
        return np.zeros(0, np.int64)
    told = con.sql(f"SELECT item, place FROM ({levels_sql(view)}) WHERE cut > {since}").to_arrow_table()
    return names.keys(*(pc.take(known, told.column(at)) for at, known in enumerate(ids)))


def _ids_by_code(con: duckdb.DuckDBPyConnection, kind: str) -> pa.ChunkedArray:
    return con.sql(f"SELECT {kind}_id FROM {kind} ORDER BY code").to_arrow_table().column(0)

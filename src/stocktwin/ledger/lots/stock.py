"""Stock by lot: what each account holds of which lot, attributed where issues name none, with expiry and condition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Final, NamedTuple

from stocktwin.ledger.balances import account_sql, book_code, code_of
from stocktwin.ledger.books import View, make_view, member_sql
from stocktwin.ledger.healing import healing
from stocktwin.ledger.lots.attribution import Lot
from stocktwin.ledger.lots.book import LotBook

if TYPE_CHECKING:
    import duckdb

    from stocktwin.ledger.ledger import Ledger

AT_ONCE: Final = 500
"""Items whose movements are in memory at a time."""


class LotStock(NamedTuple):
    """A balance of one lot in one account of ours."""

    item_id: str
    location_id: str
    lot: Lot
    expiry: date | None
    contradicted: bool
    """Whether other dates were told of the lot too."""
    condition: str
    """`expired` from the lot's date on, whether or not anybody posted it."""
    posted_condition: str
    owner: str | None
    quantity: int
    """Atomic units."""
    inferred: bool
    unit: str
    scale: int


@healing
def lot_stock(
    ledger: Ledger,
    *,
    at: int | None = None,
    known_at: int | None = None,
    item_id: str | None = None,
    location_id: str | None = None,
    book: str | None = None,
) -> tuple[list[LotStock], int]:
    """Balances by lot of the items of which a lot was ever named, and the instant they are of; at all our locations, or
    at one place of any kind. Sorted by item, place, lot (none last), condition, owner. NotFoundError names what the
    twin does not know."""
    from stocktwin.ledger.lots.kept import twin_clock

    con = ledger._projection.cursor()
    try:
        item = None if item_id is None else code_of(con, "item", "item_id", item_id)
        place = None if location_id is None else code_of(con, "place", "place_id", location_id, "location")
        system = None if book is None else book_code(con, book)
        view = make_view(con, at=at, known_at=known_at, system=system, item=item)
        now = at if at is not None else twin_clock(ledger, con)
        return sorted(_stock(con, view, place, now), key=_order), now
    finally:
        con.close()


def _order(row: LotStock) -> tuple[str, str, bool, str, str, str]:
    return row.item_id, row.location_id, row.lot is None, row.lot or "", row.condition, row.owner or ""


def _stock(con: duckdb.DuckDBPyConnection, view: View, place: int | None, now: int) -> Iterator[LotStock]:
    told, mixed = _items(con, view)
    book = LotBook(con, view)
    book.read_expiries()
    wanted = {code for code, where in book.places.items() if where.group == "stock"} if place is None else {place}
    yield from _as_told(book, told, wanted, now)
    for start in range(0, len(mixed), AT_ONCE):
        chunk = tuple(mixed[start : start + AT_ONCE])
        book.read(chunk)
        for item in chunk:
            for held in book.held(item):
                if held.account[0] in wanted:
                    yield _row(book, item, (*held.account, held.lot, held.quantity, held.inferred), now)


def _items(con: duckdb.DuckDBPyConnection, view: View) -> tuple[list[int], list[int]]:
    """Items of which every movement of the book names its lot, and those of which only some do."""
    rows = con.execute(f"""SELECT item, count(*) = count(lot) FROM ({member_sql(view)}) GROUP BY item
        HAVING count(coalesce(lot, to_lot)) > 0 ORDER BY item""").fetchall()
    plain = {item for item, named in rows if named and not view.openings}
    return sorted(plain), [item for item, _ in rows if item not in plain]


def _as_told(book: LotBook, items: list[int], wanted: set[int], now: int) -> Iterator[LotStock]:
    """Balances of items that need no attribution: sums."""
    if not items:
        return
    view = replace(book.view, items=tuple(items))
    rows = book.con.execute(f"""SELECT item, place, CAST(condition AS VARCHAR), owner, lot, quantity
        FROM ({account_sql(view, [])}) WHERE quantity <> 0""").fetchall()
    book.read_names(tuple(items))
    for item, place, condition, owner, lot, quantity in rows:
        if place in wanted:
            yield _row(book, item, (place, condition, owner, lot, quantity, False), now)


def _row(book: LotBook, item: int, held: tuple[int, str, str | None, Lot, int, bool], now: int) -> LotStock:
    place, condition, owner, lot, quantity, inferred = held
    what = book.item(item)
    told = book.expiries(item).get(lot or "", [])
    return LotStock(
        what.id, book.places[place].id, lot, told[0] if told else None, len(told) > 1,
        book.condition(item, (place, condition, owner), lot, now), condition, owner, quantity, inferred,
        what.unit, what.scale,
    )  # fmt: skip

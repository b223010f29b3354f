"""What was made of what: the rows of kind `transform` that share a document, and what does not add up in them.

Goods go into the virtual place `transform` and others come out of it. A document that takes in and gives out is whole;
one that only takes in or only gives out is half told. Where what goes in and what comes out is the same item, the
quantities must agree: a loss on the way is a `scrap` of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from stocktwin.domain.identity import TRANSFORM
from stocktwin.ledger.balances import book_code, code_of
from stocktwin.ledger.booking import VIRTUAL_CODE
from stocktwin.ledger.books import make_view, member_sql
from stocktwin.ledger.healing import healing
from stocktwin.ledger.lots.attribution import Lot

if TYPE_CHECKING:
    from stocktwin.ledger.ledger import Ledger
    from stocktwin.ledger.lots.book import Item, LotBook

MIDDLE = VIRTUAL_CODE[TRANSFORM]
"""Code of the place through which transforms go."""


class Batch(NamedTuple):
    """Goods of one item, of one lot if it is known."""

    item: int
    lot: Lot


@dataclass
class Making:
    """One document: what went in and what came out, net of corrections."""

    document: str
    took: dict[Batch, int] = field(default_factory=lambda: defaultdict(int))
    gave: dict[Batch, int] = field(default_factory=lambda: defaultdict(int))
    places: set[int] = field(default_factory=set)
    time: int = 0
    inferred: set[Batch] = field(default_factory=set)


@dataclass(frozen=True)
class Link:
    """A lot that went into another."""

    source: Batch
    made: Batch
    used: int
    """Of the source, atomic units, in the whole document."""
    quantity: int
    """Of what was made, in the whole document."""
    document: str | None
    place: int
    time: int
    certain: bool
    """Whether that item of the document came from one lot only, named by the movement."""


def makings(book: LotBook, documents: Iterable[str]) -> list[Making]:
    """The documents by name, with the lots of every row."""
    wanted = sorted(set(documents))
    if not wanted:
        return []
    found = {name: Making(name) for name in wanted}
    for item in book.items_of(wanted):
        _add_item(book, item, found)
    return list(found.values())


def _add_item(book: LotBook, item: int, found: dict[str, Making]) -> None:
    flow = book.flow(item)
    for piece in book.netted(item):
        making = found.get(flow.document[piece.row] or "") if flow.kind[piece.row] == "transform" else None
        if making is None:
            continue
        into_middle, from_middle = flow.into[piece.row] == MIDDLE, flow.left[piece.row] == MIDDLE
        if into_middle == from_middle:
            continue
        batch = Batch(item, piece.lot if into_middle else piece.to_lot)
        side = making.took if into_middle else making.gave
        side[batch] += piece.quantity
        making.time = max(making.time, flow.time[piece.row])
        making.places.add(flow.left[piece.row] if into_middle else flow.into[piece.row])
        if piece.inferred:
            making.inferred.add(batch)


def links_of(making: Making) -> list[Link]:
    """Every lot that went in, linked to every lot that came out."""
    took = {batch: quantity for batch, quantity in making.took.items() if quantity > 0}
    gave = {batch: quantity for batch, quantity in making.gave.items() if quantity > 0}
    lots: dict[int, int] = defaultdict(int)
    for batch in took:
        lots[batch.item] += 1
    place = min(making.places, default=MIDDLE)
    return [
        Link(source, made, used, quantity, making.document, place, making.time,
             lots[source.item] == 1 and source not in making.inferred)
        for source, used in took.items()
        for made, quantity in gave.items()
        if source != made
    ]  # fmt: skip


def faults_of(making: Making) -> list[str]:
    """What does not add up in a document, in words."""
    took, gave = _by_item(making.took), _by_item(making.gave)
    if not took and not gave:
        return []
    if not took or not gave:
        return ["half told: nothing went in" if not took else "half told: nothing came out"]
    if len(took) == len(gave) == 1 and took.keys() == gave.keys():
        item = next(iter(took))
        if took[item] != gave[item]:
            return [f"unbalanced: {took[item]} went in and {gave[item]} came out of one item"]
    return []


def _by_item(side: dict[Batch, int]) -> dict[int, int]:
    total: dict[int, int] = defaultdict(int)
    for batch, quantity in side.items():
        total[batch.item] += quantity
    return {item: quantity for item, quantity in total.items() if quantity}


@healing
def all_makings(
    ledger: Ledger,
    *,
    item_id: str | None = None,
    at: int | None = None,
    known_at: int | None = None,
    book: str | None = None,
) -> tuple[list[Making], dict[int, Item], dict[int, str], int]:
    """Every document of transforms (of those that touch an item), what the items and places in them are called, and how
    many transforms name no document."""
    from stocktwin.ledger.lots.book import LotBook

    con = ledger._projection.cursor()
    try:
        item = None if item_id is None else code_of(con, "item", "item_id", item_id)
        system = None if book is None else book_code(con, book)
        lots = LotBook(con, make_view(con, at=at, known_at=known_at, system=system))
        mine = "" if item is None else f"AND item = {item}"
        rows = con.execute(f"""SELECT document, count(*) FROM ({member_sql(lots.view)})
            WHERE kind = 'transform' {mine} GROUP BY document""").fetchall()
        found = makings(lots, [document for document, _ in rows if document is not None])
        items = {batch.item: lots.item(batch.item) for making in found for batch in (*making.took, *making.gave)}
        names = {place: lots.places[place].id for making in found for place in making.places}
        return found, items, names, sum(count for document, count in rows if document is None)
    finally:
        con.close()

"""The lots of a book: movements, attributed pieces and expiry dates of an item, each read once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from stocktwin.domain.calendar import local_day
from stocktwin.ledger.books import View, of_items
from stocktwin.ledger.currents import current_sql
from stocktwin.ledger.lots.attribution import Account, Lot, Piece, attribute
from stocktwin.ledger.lots.flow import Flow, Place, load_flow, load_flows, load_places, pooled

if TYPE_CHECKING:
    import duckdb


class Item(NamedTuple):
    """What is stocked."""

    code: int
    id: str
    unit: str
    scale: int
    description: str | None
    category: str | None


class Held(NamedTuple):
    """A balance of a lot in an account."""

    account: Account
    lot: Lot
    quantity: int
    inferred: bool
    """Whether movements that named no lot have part in it."""
    last: int
    """Time of the last movement."""


class LotBook:
    """What one book, as of a time and as known at a time, says about lots. Holds what it has read."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        view: View,
        places: dict[int, Place] | None = None,
        items_of: Callable[[list[str]], list[int]] | None = None,
    ) -> None:
        self.con, self.view = con, view
        self.items_of = items_of or self._items_of
        """The items that documents of transforms touch; one too many does no harm."""
        self._places = places
        self._flows: dict[int, Flow] = {}
        self._pieces: dict[int, list[Piece]] = {}
        self._netted: dict[int, list[Piece]] = {}
        self._expiries: dict[int, dict[str, list[date]]] = {}
        self._items: dict[int, Item] = {}

    @cached_property
    def places(self) -> dict[int, Place]:
        """Every place by its code."""
        return self._places or load_places(self.con, self.view.known_at)

    @cached_property
    def pooled(self) -> frozenset[int]:
        """Places where stock stands that can be drawn."""
        return pooled(self.places)

    def item(self, code: int) -> Item:
        """What is known of an item."""
        if code not in self._items:
            self._items |= {row.code: row for row in self._read_items((code,))}
        return self._items[code]

    def _read_items(self, codes: tuple[int, ...]) -> list[Item]:
        described = current_sql("items", self.view.known_at)
        rows = self.con.execute(f"""SELECT code, item.item_id, item.unit, item.scale, description, category
            FROM item LEFT JOIN ({described}) m ON m.item_id = item.item_id
            WHERE code IN ({", ".join(map(str, codes))})""").fetchall()
        return [Item(row[0], row[1], row[2] or "each", row[3] or 0, row[4], row[5]) for row in rows]

    def _items_of(self, documents: list[str]) -> list[int]:
        rows = self.con.execute(
            f"""SELECT DISTINCT item FROM fact_movements
            WHERE kind = 'transform' AND document IN ({", ".join("?" * len(documents))}) ORDER BY item""",
            documents,
        )
        return [code for (code,) in rows.fetchall()]

    def flow(self, item: int) -> Flow:
        """Movements of an item in canonical order."""
        if item not in self._flows:
            self._flows[item] = load_flow(self.con, self.view, item)
        return self._flows[item]

    def read(self, items: tuple[int, ...]) -> None:
        """Reads the movements and names of several items at once, in place of what was read before."""
        self._flows, self._pieces, self._netted = load_flows(self.con, self.view, items), {}, {}
        self.read_names(items)

    def read_names(self, items: tuple[int, ...]) -> None:
        """Reads what several items are called."""
        self._items = {row.code: row for row in self._read_items(items)}

    def expiries(self, item: int) -> dict[str, list[date]]:
        """Lot → the expiry dates that were told of it, earliest first: more than one is a contradiction."""
        if item not in self._expiries:
            self._expiries |= {item: {}} | load_expiries(self.con, self.view, (item,))
        return self._expiries[item]

    def read_expiries(self) -> None:
        """Reads the expiry dates of all items that are asked about."""
        self._expiries = defaultdict(dict, load_expiries(self.con, self.view, self.view.items))

    def expiry(self, item: int, lot: Lot) -> date | None:
        """The date on which a lot expires: the earliest that was told."""
        told = self.expiries(item).get(lot or "")
        return told[0] if told else None

    def rule(self, item: int, place: int) -> str:
        """How an issue of an item at a place draws lots. On a lane it is the rule of the place that the goods left."""
        where = self.places[place]
        start = where if where.origin is None else self.places[where.origin]
        return self.view.rules.issue_of(start.id, self.item(item).category)

    def pieces(self, item: int) -> list[Piece]:
        """The movements of an item, cut by lot."""
        if item not in self._pieces:
            first = {lot: told[0] for lot, told in self.expiries(item).items()}
            self._pieces[item] = attribute(self.flow(item), self.pooled, first, lambda place: self.rule(item, place))
        return self._pieces[item]

    def held(self, item: int) -> list[Held]:
        """Balances of all accounts, outside ones too, by lot; zero balances are left out."""
        flow, total = self.flow(item), defaultdict[tuple[Account, Lot], int](int)
        last: dict[tuple[Account, Lot], int] = {}
        guessed: set[tuple[Account, Lot]] = set()
        for piece in self.pieces(item):
            row = piece.row
            out = (flow.left[row], flow.condition[row], flow.owner[row]), piece.lot
            into = (flow.into[row], flow.to_condition[row], flow.to_owner[row]), piece.to_lot
            for key, sign in ((out, -1), (into, 1)):
                total[key] += sign * piece.quantity
                last[key] = max(last.get(key, flow.time[row]), flow.time[row])
                if piece.inferred:
                    guessed.add(key)
        return [Held(*key, quantity, key in guessed, last[key]) for key, quantity in total.items() if quantity]

    def netted(self, item: int) -> list[Piece]:
        """Pieces in which what was cancelled is taken off what it cancelled (quantities may be negative)."""
        if item not in self._netted:
            self._netted[item] = list(self._net(item))
        return self._netted[item]

    def _net(self, item: int) -> Iterator[Piece]:
        flow = self.flow(item)
        for piece in self.pieces(item):
            row, sign = piece.row, 1
            while (base := flow.corrected[row]) >= 0 and _swapped(flow, row, base) and base != row:
                row, sign = base, -sign
            lots = (piece.lot, piece.to_lot) if sign > 0 else (piece.to_lot, piece.lot)
            yield Piece(row, *lots, sign * piece.quantity, piece.inferred)

    def condition(self, item: int, account: Account, lot: Lot, now: int) -> str:
        """The condition of stock of a lot at an instant: unrestricted goods are `expired` from their date on, whether
        or not anybody posts it. The day is that of the place."""
        place, condition, _ = account
        expiry = self.expiry(item, lot)
        if condition != "unrestricted" or expiry is None or place not in self.pooled:
            return condition
        where = self.places[place]
        end = where if where.destination is None else self.places[where.destination]
        return (
            "expired" if local_day(now, end.timezone or self.view.rules.timezone, end.cutoff) >= expiry else condition
        )


def _swapped(flow: Flow, row: int, base: int) -> bool:
    return base < row and flow.left[row] == flow.into[base] and flow.into[row] == flow.left[base]


def load_expiries(
    con: duckdb.DuckDBPyConnection, view: View, items: tuple[int, ...] | None
) -> dict[int, dict[str, list[date]]]:
    """Item → lot → the expiry dates that were told, earliest first."""
    known = "" if view.known_at is None else f"AND known_at <= {view.known_at}"
    rows = con.execute(f"""SELECT DISTINCT item, coalesce(to_lot, lot) AS named, expiry FROM fact_movements
        WHERE {of_items(items)} AND expiry IS NOT NULL AND coalesce(to_lot, lot) IS NOT NULL {known}
        ORDER BY item, named, expiry""").fetchall()
    told: dict[int, dict[str, list[date]]] = {}
    for item, lot, expiry in rows:
        told.setdefault(item, {}).setdefault(lot, []).append(expiry)
    return told

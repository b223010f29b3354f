"""Where what one system says differs from the record, what of it is not due yet, and how much money it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from stocktwin.ledger.sides import Sides


@dataclass(frozen=True)
class Discrepancy:
    """One item-location whose books do not agree. Quantities in atomic units."""

    item_id: str
    location_id: str
    record: int
    books: Mapping[str, int]
    """On hand in each system's own book; systems that say nothing of the pair are absent (absence is not zero)."""
    value: float | None
    """Largest difference from the record at unit cost; None without a cost."""
    in_flight: Mapping[str, int] = field(default_factory=dict)
    """Part of book − record that is not due yet, by system, where there is any."""

    @property
    def difference(self) -> int:
        """The difference from the record that is largest in size (book − record − in flight)."""
        off = (book - self.record - self.in_flight.get(system, 0) for system, book in self.books.items())
        return max(off, key=abs, default=0)


@dataclass(frozen=True)
class Comparison:
    """Books compared with the record."""

    differing: list[Discrepancy]
    """Most money first, then most units."""
    only_in_flight: int
    """Item-locations whose books differ by nothing but what is in flight."""


def compare_sides(sides: Sides, atomic_cost: Mapping[str, float | None]) -> Comparison:
    """Item-locations where a book differs from the record by more than what is in flight between the two.

    `atomic_cost` is the cost of one atomic unit by item.
    """
    settled = {system: sides.settled(system) for system in sides.books}
    off = np.zeros(len(sides.record), bool)
    apart = np.zeros(len(sides.record), bool)
    for system, book in sides.books.items():
        off |= settled[system] != 0
        apart |= book.told & (book.on_hand != sides.record)
    at = np.flatnonzero(off)
    items, locations = (ids.take(at).to_pylist() for ids in (sides.item_id, sides.location_id))
    found = [
        _discrepancy(sides, row, item, location, atomic_cost.get(item))
        for row, item, location in zip(at.tolist(), items, locations, strict=True)
    ]
    return Comparison(sorted(found, key=_most_money_first), int((apart & ~off).sum()))


def _discrepancy(sides: Sides, row: int, item: str, location: str, cost: float | None) -> Discrepancy:
    told = {system: book for system, book in sides.books.items() if book.told[row]}
    entry = Discrepancy(
        item,
        location,
        int(sides.record[row]),
        {system: int(book.on_hand[row]) for system, book in told.items()},
        None,
        {system: int(book.in_flight[row]) for system, book in told.items() if book.in_flight[row]},
    )
    return replace(entry, value=None if cost is None else abs(entry.difference) * cost)


def _most_money_first(one: Discrepancy) -> tuple[float, int, str, str]:
    return -(one.value or 0.0), -abs(one.difference), one.item_id, one.location_id

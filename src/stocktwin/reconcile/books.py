"""Books side by side: where what one system says differs from the record, since when, and how much money it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Pair = tuple[str, str]
"""(item_id, location_id)."""


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

    @property
    def difference(self) -> int:
        """The difference from the record that is largest in size (book − record)."""
        return max((book - self.record for book in self.books.values()), key=abs, default=0)


def compare_books(
    record: Mapping[Pair, int], books: Mapping[str, Mapping[Pair, int]], atomic_cost: Mapping[str, float | None]
) -> list[Discrepancy]:
    """Item-locations where at least one system's book differs from the record; most money first, then most units.

    `atomic_cost` is the cost of one atomic unit by item.

    >>> found = compare_books({("A", "DC"): 10}, {"erp": {("A", "DC"): 10}, "wms": {("A", "DC"): 7}}, {"A": 2.0})
    >>> found[0].difference, found[0].value
    (-3, 6.0)
    """
    told: dict[Pair, dict[str, int]] = defaultdict(dict)
    for system, balances in sorted(books.items()):
        for pair, quantity in balances.items():
            told[pair][system] = quantity
    found = []
    for (item, location), said in told.items():
        own = record.get((item, location), 0)
        if any(quantity != own for quantity in said.values()):
            entry = Discrepancy(item, location, own, said, None)
            cost = atomic_cost.get(item)
            value = None if cost is None else abs(entry.difference) * cost
            found.append(Discrepancy(item, location, own, said, value))
    return sorted(found, key=lambda one: (-(one.value or 0.0), -abs(one.difference), one.item_id, one.location_id))


def on_hand_by_pair(rows: Iterable[Mapping[str, object]]) -> dict[Pair, int]:
    """Unrestricted on hand per item-location, lots and owners added up, from balance rows.

    >>> on_hand_by_pair([{"item_id": "A", "location_id": "D", "condition": None, "quantity": 3}])
    {('A', 'D'): 3}
    """
    total: dict[Pair, int] = defaultdict(int)
    for row in rows:
        if (row["condition"] or "unrestricted") == "unrestricted":
            total[str(row["item_id"]), str(row["location_id"])] += int(row["quantity"])  # type: ignore[call-overload]
    return dict(total)

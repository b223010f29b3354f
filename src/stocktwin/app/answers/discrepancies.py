"""Where the systems' books differ from the record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stocktwin.app.answers.paging import page
from stocktwin.app.answers.values import exact, number
from stocktwin.ledger.learned import HOUR
from stocktwin.ledger.sides import side_by_side
from stocktwin.reconcile.books import Discrepancy, compare_sides

if TYPE_CHECKING:
    from stocktwin.app.model import Model
    from stocktwin.ledger.ledger import Ledger


def reconcile(ledger: Ledger, model: Model, limit: int | None, after: str | None) -> dict[str, Any]:
    """Item-locations whose books disagree by more than what is in flight, most money first; what only sensed a part of
    the flow is no book."""
    items = model.snapshot.items
    scale = dict(zip(items.column("item_id").to_pylist(), model.snapshot.scale().tolist(), strict=True))
    costs = dict(zip(items.column("item_id").to_pylist(), items.column("unit_cost").to_pylist(), strict=True))
    atomic = {item: None if cost is None else float(cost) / 10 ** scale[item] for item, cost in costs.items()}
    systems = sorted(ledger.last_event_times().keys() - ledger.sensing())
    sides = side_by_side(ledger, tuple(systems))
    compared = compare_sides(sides, atomic)
    found = compared.differing
    shown, following = page(found, _most_money_first, name="reconcile", limit=limit, after=after)
    rows = [
        {
            "item_id": one.item_id,
            "location_id": one.location_id,
            "record": exact(one.record, scale[one.item_id]),
            "books": {system: exact(quantity, scale[one.item_id]) for system, quantity in one.books.items()},
            "in_flight": {system: exact(quantity, scale[one.item_id]) for system, quantity in one.in_flight.items()},
            "difference": exact(one.difference, scale[one.item_id]),
            "value": number(one.value),
        }
        for one in shown
    ]
    return {
        "rows": rows,
        "total": len(found),
        "next": following,
        "systems": systems,
        "only_in_flight": compared.only_in_flight,
        "due_within_hours": {system: number(book.lag / HOUR, 4) for system, book in sides.books.items()},
    }


def _most_money_first(one: Discrepancy) -> tuple[float, int, str, str]:
    return -(one.value or 0.0), -abs(one.difference), one.item_id, one.location_id

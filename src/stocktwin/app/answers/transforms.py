"""Transforms, document by document, as plain JSON values: what went in, what came out, what does not add up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stocktwin.app.answers.ledger import moment
from stocktwin.app.answers.paging import page
from stocktwin.app.answers.values import exact, iso

if TYPE_CHECKING:
    from stocktwin.ledger.ledger import Ledger
    from stocktwin.ledger.lots.book import Item
    from stocktwin.ledger.lots.transforms import Batch


def transforms(
    ledger: Ledger,
    timezone: str,
    *,
    item: str | None,
    at: str | None,
    known_at: str | None,
    book: str | None,
    faulty: bool,
    limit: int | None,
    after: str | None,
) -> dict[str, Any]:
    """Documents of transforms, newest first; only those that do not add up if `faulty`. Quantities are net of
    corrections."""
    from stocktwin.ledger.lots.transforms import all_makings, faults_of

    at_us, known_us = moment(at, timezone, "at"), moment(known_at, timezone, "known_at")
    found, items, places, bare = all_makings(ledger, item_id=item, at=at_us, known_at=known_us, book=book)
    faults = {making.document: faults_of(making) for making in found}
    told = [making for making in found if not faulty or faults[making.document]]
    shown, following = page(told, lambda making: (-making.time, making.document), name="transforms",
                            limit=limit, after=after)  # fmt: skip
    return {
        "rows": [
            {
                "document": making.document,
                "time": iso(making.time),
                "location_ids": sorted(places[code] for code in making.places),
                "took": _side(making.took, items),
                "gave": _side(making.gave, items),
                "inferred": bool(making.inferred),
                "faults": faults[making.document],
            }
            for making in shown
        ],
        "total": len(told),
        "next": following,
        "faulty": sum(bool(text) for text in faults.values()),
        "without_document": bare,
        "at": iso(at_us),
        "known_at": iso(known_us),
        "book": book or "record",
    }


def _side(side: dict[Batch, int], items: dict[int, Item]) -> list[dict[str, Any]]:
    rows = [
        {"item_id": items[batch.item].id, "lot": batch.lot, "quantity": exact(quantity, items[batch.item].scale)}
        for batch, quantity in side.items()
        if quantity
    ]
    return sorted(rows, key=lambda row: (row["item_id"], row["lot"] or ""))

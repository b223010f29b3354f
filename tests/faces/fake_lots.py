"""What the fake twin says of lots: one lot of each row, with a name that no sane system would give it."""

from __future__ import annotations

from typing import Any

from stocktwin.app.answers.lots import documents_csv
from stocktwin.app.answers.paging import page
from stocktwin.domain.errors import NotFoundError

EVIL_LOT = 'L-1 <b onclick="x">&'
FIRST, LAST = "2025-11-02T08:00:00Z", "2025-11-28T16:30:00Z"


class FakeLots:
    """Questions about lots."""

    rows: list[dict[str, Any]]

    def lots(self, **query: Any) -> dict[str, Any]:
        wanted = (query.get("item"), query.get("location"))
        rows = [_lot(row) for row in self.rows
                if wanted[0] in (None, row["item_id"]) and wanted[1] in (None, row["location_id"])]  # fmt: skip
        shown, following = page(rows, lambda row: (row["item_id"], row["location_id"]), name="lots",
                                limit=query.get("limit"), after=query.get("after"))  # fmt: skip
        count = {"balances": len(rows), "lots": len(rows), "expired": 0, "expiring": 3, "short": 1, "unknown": 0}
        return {"rows": shown, "total": len(rows), "next": following, "summary": count, "at": None,
                "as_of": "2025-11-30T22:15:00Z", "known_at": None, "book": "record", "issue_rule": "fefo"}  # fmt: skip

    def transforms(self, item: str | None = None, *asked: Any) -> dict[str, Any]:
        first = self.rows[0]["item_id"]
        side = [{"item_id": first, "lot": EVIL_LOT, "quantity": 2}]
        row = {"document": "KIT-1", "time": FIRST, "location_ids": [self.rows[0]["location_id"]], "took": side,
               "gave": [], "inferred": False, "faults": ["nothing came out"]}  # fmt: skip
        rows = [row] if item in (None, first) else []
        return {"rows": rows, "total": len(rows), "next": None, "faulty": len(rows), "without_document": 0, "at": None,
                "known_at": None, "book": "record"}  # fmt: skip

    def trace_csv(self, item: str, lot: str, **asked: Any) -> str:
        return documents_csv(self.trace(item, lot, **asked)["documents"])

    def trace(self, item: str, lot: str, direction: str = "both", **query: Any) -> dict[str, Any]:
        row = next((row for row in self.rows if row["item_id"] == item), None)
        if row is None or lot != EVIL_LOT:
            raise NotFoundError("lot", f"{lot} of {item}")
        named = {"item_id": item, "lot": lot}
        told = {**named, "unit": "each", "expiry": "2026-02-01", "expiries": ["2026-02-01"], "expired": False}
        moved = {"quantity": 40, "inferred": False, "first": FIRST, "last": LAST}
        here = {"location_id": row["location_id"], "name": "Newark DC", "kind": "dc"}
        customer = {"location_id": "customer", "name": None}
        documents = [
            {"time": FIRST, **named, "from_id": "SUP-01", "to_id": row["location_id"], "quantity": 40 + k,
             "kind": "receipt", "document": f"GR-{k}", "order_id": None, "event_id": f"E-{k}", "corrects": None,
             "system": "wms", "relation": "self", "inferred": False} for k in range(2)
        ]  # fmt: skip
        return {
            **told, "description": row["description"], "direction": direction, "at": None, "known_at": None,
            "as_of": "2025-11-30T22:15:00Z", "book": query.get("book") or "record", "issue_rule": "fefo",
            "totals": {"came_in": 40, "on_hand": 30, "in_transit": 0, "delivered": 10, "scrapped": 0, "lost": 0,
                       "used_up": 0},
            "where": [{**named, **here, "state": "on_hand", "condition": "unrestricted", "owner": None, "quantity": 30,
                       "inferred": True, "last_movement": LAST}],
            "customers": [{**customer, **named, "quantity": 10, "returned": 0, "in_transit": 0, "inferred": True,
                           "documents": 2, "first": FIRST, "last": LAST}],
            "lots": [{**told, "relation": "self", "level": 0, "on_hand": 30}],
            "links": [], "disagreements": [], "without_lot": [], "warnings": ["a <b>warning</b>"],
            "flows": [{**named, **moved, "from_id": "SUP-01", "to_id": row["location_id"], "movements": 2},
                      {**named, **moved, "from_id": row["location_id"], "to_id": "customer", "movements": 9}],
            "places": [{**here, "role": "stock"}, {**customer, "kind": "virtual", "role": "customer"},
                       {"location_id": "SUP-01", "name": "Midwest Medical", "kind": "supplier", "role": "supplier"}],
            "books": [{"system": "wms", "came_in": 40, "on_hand": 30, "in_transit": 0, "delivered": 10}],
            "documents": documents, "total": len(documents), "next": None,
        }  # fmt: skip


def _lot(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "item_id": row["item_id"], "location_id": row["location_id"], "lot": EVIL_LOT, "condition": "unrestricted",
        "owner": None, "quantity": 12, "unit": "each", "expiry": "2026-02-01", "days_left": 63, "contradicted": False,
        "inferred": True,
    }  # fmt: skip

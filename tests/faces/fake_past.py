"""What the fake twin says of the past and of its ledger."""

from __future__ import annotations

from typing import Any

from stocktwin.app.answers.paging import page
from stocktwin.domain.errors import NotFoundError

DAY, LATER = "2025-11-02T08:00:00Z", "2025-11-28T16:30:00Z"
EVIL_REASON = "<script>alert(1)</script>"


class FakePast:
    """Questions with two clocks."""

    rows: list[dict[str, Any]]
    empty: bool

    def history(self, item: str, location: str | None = None, **query: Any) -> dict[str, Any]:
        row = next((row for row in self.rows if row["item_id"] == item), None)
        if row is None:
            raise NotFoundError("item", item)
        link = {"event_id": "S-1", "kind": "sale", "quantity": 4, "event_time": DAY, "known_at": DAY, "reason": None}
        told = [
            {"table": "movements", "kind": "sale", "event_id": f"S-{k}", "event_time": DAY, "known_at": LATER,
             "source_recorded_at": LATER, "system": "erp", "source": "erp", "file": "movements.csv", "batch": 3,
             "location_id": row["location_id"], "counterpart": "customer", "lot": None, "condition": "unrestricted",
             "owner": None, "quantity": -4, "stated": None, "balance": 96 - k, "on_hand": 96 - k, "document": None,
             "order_id": None, "order_line": None, "reason": EVIL_REASON if k else None,
             "corrects": link if k == 2 else None, "corrected_by": [], "row": k + 1, "line": None}
            for k in range(3)
        ]  # fmt: skip
        shown, following = page(told, lambda one: (one["event_id"],), name="history", limit=query.get("limit"),
                                after=query.get("after"))  # fmt: skip
        named = {"item": item, "location": location, "book": query.get("book") or "record", "learned_by": None}
        return {**named, "rows": shown, "total": len(told), "next": following}

    def late(self, limit: int | None = None, after: str | None = None, **_: Any) -> dict[str, Any]:
        change = {"location_id": "DC-NJ", "quantity": -4, "wrong_from": DAY, "wrong_until": LATER, "then": 100,
                  "now": 96, "until_then": 90, "until_now": 86}  # fmt: skip
        told = [
            {"table": "movements", "kind": "sale", "event_id": f"S-{k}", "event_time": DAY, "learned_at": LATER,
             "lag_hours": 632.5, "days_closed": 26, "clock": "twin", "system": "erp", "item_id": row["item_id"],
             "from_id": "DC-NJ", "to_id": "customer", "document": None, "order_id": None, "reason": EVIL_REASON,
             "quantity": 4, "changes": [change]}
            for k, row in enumerate(self.rows[:3])
        ]  # fmt: skip
        pairs = [
            {"item_id": row["item_id"], "location_id": "DC-NJ", "facts": 1, "wrong_from": DAY, "wrong_until": LATER,
             "then": 100, "now": 96, "value": -12.5}
            for row in self.rows[:3]
        ]  # fmt: skip
        habit = {"system": "erp", "usual_lag_hours": 0.2, "nine_of_ten_hours": 0.5, "late_after_hours": 24.0, "late": 3}
        shown, following = page(told, lambda one: (one["event_id"],), name="late", limit=limit, after=after)
        return {"rows": shown, "total": len(told), "next": following, "balances": pairs, "decisions": [],
                "systems": [] if self.empty else [habit], "assumptions": ["only decisions are journalled"]}  # fmt: skip

    def then(self, limit: int | None = None, after: str | None = None, **asked: Any) -> dict[str, Any]:
        told = [
            {"item_id": row["item_id"], "location_id": row["location_id"], "on_hand": 8, "on_hand_known_now": 12,
             "difference": 4, "anchored": True}
            for row in self.rows
        ]  # fmt: skip
        shown, following = page(told, lambda one: (one["item_id"], one["location_id"]), name="then", limit=limit,
                                after=after)  # fmt: skip
        moments = {name: asked.get(name) for name in ("at", "learned_by")}
        return {"rows": shown, "total": len(told), "differing": len(told), "next": following, **moments}

    def span(self) -> dict[str, Any]:
        names = ("first_event", "last_event", "first_learned", "last_learned")
        times = (None,) * 4 if self.empty else (DAY, LATER, DAY, LATER)
        return dict(zip(names, times, strict=True))

    def ledger_health(self) -> dict[str, Any]:
        batch = {"source": "erp", "kind": "facts", "table": "movements", "batches": 7, "rows": 118_216, "first": DAY}
        head = {"head": "9:" + "ab" * 32, "seq": 9, "hash": "ab" * 32, "recorded_at": LATER}
        nothing = {"head": "0:" + "0" * 64, "seq": 0, "hash": "0" * 64, "recorded_at": None}
        return {
            "conservation_residual": 0,
            "state_hash": "0f" * 16,
            "journal_head": nothing if self.empty else head,
            "batches": 0 if self.empty else 9,
            "contents": [] if self.empty else [{**batch, "last": LATER}],
            "facts": {} if self.empty else {"movements": 118_204},
            "sizes": {"journal": 61_915_136, "projection": 112_209_920},
            "verification": {"running": None, "last": None},
        }

    def reservations(self, **_: Any) -> dict[str, Any]:
        return {"rows": [], "total": 0, "next": None, "at": None, "known_at": None, "problems": []}

    def available(self, limit: int | None = None, **_: Any) -> dict[str, Any]:
        told = [
            {"item_id": row["item_id"], "location_id": row["location_id"], "on_hand": 8, "reserved": 0, "available": 8,
             "lines": 0, "unit": "each"}
            for row in self.rows
        ]  # fmt: skip
        return {"rows": told[:limit], "total": len(told), "next": None, "at": None, "known_at": None, "problems": []}

    def curve(self, item: str, location: str | None = None, **_: Any) -> dict[str, Any]:
        return {"item_id": item, "location_id": location, "then": [[0, 8.0]], "now": [[0, 12.0]]}

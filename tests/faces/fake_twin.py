"""A twin made of plain dicts, shaped as `app.usecases.TwinService` answers: for tests of the faces alone.

Small, seeded and without any layer below, so that a face is tested in milliseconds and with ids no sane ERP would have.
"""

from __future__ import annotations

import importlib.util
import json
import random
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from stocktwin.domain.errors import NotFoundError, UsageError


def _neighbour(name: str) -> ModuleType:
    """Tests are no package: the neighbour is loaded by its path."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


facts = _neighbour("fake_facts")
EVIL = facts.EVIL
paged, _first_page = facts.paged, facts.first_page


class FakeTwin(_neighbour("fake_lots").FakeLots, _neighbour("fake_past").FakePast):  # type: ignore[misc]
    """Sixty items at four warehouses; `empty=True` is a twin without a single fact."""

    settings = SimpleNamespace(name="Fake & Sons", currency="USD", timezone="America/New_York")

    def __init__(self, empty: bool = False) -> None:
        self.empty = empty
        self._version = 1
        self._changed = threading.Condition()
        self.aside: dict[int, dict[str, Any]] = {}
        self.log: list[dict[str, Any]] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.rows = [] if empty else facts.rows(random.Random(7))
        self.outlook = facts.FakeOutlook(self.rows)

    def version(self) -> int:
        return self._version

    def wait_for_change(self, version: int, timeout: float) -> int:
        with self._changed:
            self._changed.wait_for(lambda: self._version != version, timeout)
            return self._version

    def _announce(self) -> None:
        with self._changed:
            self._version += 1
            self._changed.notify_all()

    def status(self) -> dict[str, Any]:
        n = 0 if self.empty else 118_204
        sources = [] if self.empty else [facts.source("erp", 98_102, 12), facts.source("wms", 20_114, 0)]
        return {
            "name": "Fake & Sons",
            "currency": "USD",
            "timezone": "America/New_York",
            "delivered": n + 12,
            "accepted": n,
            "duplicates": 0,
            "quarantined": 0 if self.empty else 12,
            "items": 0 if self.empty else 60,
            "locations": 0 if self.empty else len(facts.SITES),
            "movements": n,
            "observations": 0,
            "conservation_residual": 0,
            "state_hash": "0f" * 16,
            "as_of": None if self.empty else "2025-11-30T22:15:00Z",
            "record": "record of erp, wms (receipt)",
            "warnings": [] if self.empty else ["3 item-locations are unanchored"],
            "unanchored": 0 if self.empty else 3,
            "head": "ab" * 32,
            "sources": sources,
        }

    def overview(self) -> dict[str, Any]:
        some = not self.empty
        kpis = {
            "on_hand_value": 4_812_390.5 if some else None,
            "on_hand_units": sum(int(r["on_hand"]) for r in self.rows if r["on_hand"] is not None),
            "items": 60 if some else 0,
            "locations": 4 if some else 0,
            "item_locations": len(self.rows),
            "stockouts": 7 if some else 0,
            "at_risk": 12 if some else 0,
            "below_reorder_point": 31 if some else 0,
            "open_order_lines": 84 if some else 0,
            "overdue_lines": 6 if some else 0,
            "in_transit_units": 18_230 if some else 0,
            "anomalies": len(facts.anomalies()) if some else 0,
            "recommendations": 3 if some else 0,
            "expected_saving": 15_310.4 if some else None,
        }
        locations = [facts.site(k, site) for k, site in enumerate(facts.SITES)] if some else []
        return {
            "name": "Fake & Sons",
            "currency": "USD",
            "as_of": self.status()["as_of"],
            "kpis": kpis,
            "locations": locations,
            "lanes": facts.lanes() if some else [],
            "categories": facts.CATEGORIES if some else [],
            "thresholds": {"watch": 0.15, "short": 0.3},
        }

    def stock(self, **query: Any) -> dict[str, Any]:
        self.calls.append(("stock", query))
        rows = [
            {key: row[key] for key in ("item_id", "location_id", "on_hand", "unit")} | {"lot": None}
            for row in self.rows
            if query.get("item") in (None, row["item_id"]) and query.get("location") in (None, row["location_id"])
        ]
        told = {"at": query.get("at"), "known_at": query.get("known_at"), "book": query.get("book") or "record"}
        return {**paged(rows, query.get("limit"), query.get("after")), **told}

    def grid_columns(self) -> list[str]:
        return list(self.rows[0]) if self.rows else ["item_id"]

    def grid(
        self,
        offset: int = 0,
        limit: int = 100,
        sort: str = "item_id",
        descending: bool = False,
        search: str | None = None,
        location: str | None = None,
        category: str | None = None,
        filter: str | None = None,
        after: str | None = None,
    ) -> dict[str, Any]:
        if self.rows and sort not in self.rows[0]:
            raise UsageError(f"no column called {sort!r} to sort by")
        rows = [
            row
            for row in self.rows
            if (not search or search.lower() in f"{row['item_id']} {row['description']}".lower())
            and location in (None, "", row["location_id"])
            and category in (None, "", row["category"])
            and filter in (None, "", row["status"])
        ]
        if sort:
            rows.sort(key=lambda row: (row[sort] is None, row[sort] or 0), reverse=descending)
        if after is not None:
            offset = len(rows) - len(paged(rows, None, after)["rows"])
        shown = paged(rows, offset + limit, None)
        return {**shown, "rows": shown["rows"][offset:], "offset": offset}

    def item_location(self, item: str, location: str, movements: int = 100) -> dict[str, Any]:
        row = self._find(item, location)
        rng = random.Random(item + location)
        history = [max(0, 900 - 12 * k % 700 + rng.randint(-20, 20)) for k in range(len(facts.DAYS))]
        demand = [rng.randint(5, 30) for _ in facts.DAYS]
        median = [max(0, 400 - 11 * k + (300 if k > 12 else 0)) for k in range(len(facts.AHEAD))]
        position = {key: row[key] for key in ("on_hand", "in_transit", "on_order", "backlog", "reorder_point")}
        return {
            "item": {
                "item_id": item,
                "description": row["description"],
                "category": row["category"],
                "unit": row["unit"],
                "unit_cost": 4.2,
                "unit_price": None,
                "criticality": "high",
            },
            "location": {"location_id": location, "name": "Newark DC", "kind": "dc", "timezone": "America/New_York"},
            "position": position
            | {
                "order_up_to": row["order_up_to"],
                "safety_stock": row["safety_stock"],
                "policy": "min_max",
                "source_id": "SUP-02",
                "lead_time": {"q10": 24, "q50": 31, "q90": 44, "basis": "lane, 118 arrivals"},
            },
            "books": facts.books(row["on_hand"]),
            "forecast": {"per_day": 16.4, "basis": "history", "weekday_index": [1.1] * 5 + [0.4, 0.2]},
            "history": {"first_day": facts.DAYS[0], "demand": demand, "on_hand": history},
            "projection": {
                "days": facts.AHEAD,
                "p05": [max(0, m - 8 * k) for k, m in enumerate(median)],
                "p25": [max(0, m - 3 * k) for k, m in enumerate(median)],
                "p50": median,
                "p75": [m + 3 * k for k, m in enumerate(median)],
                "p95": [m + 8 * k for k, m in enumerate(median)],
                "expected_receipts": [300 if k == 13 else 0 for k in range(len(facts.AHEAD))],
                "stockout_probability": [min(1.0, 0.01 * k) for k in range(len(facts.AHEAD))],
            },
            "orders": facts.orders(),
            **_first_page("movements", self.movements(item, location, limit=movements)),
            **_first_page("observations", self.observations(item, location, limit=5)),
            "anomalies": [entry for entry in facts.anomalies() if entry["item_id"] == item],
            "recommendations": self._recommendations()[:1],
        }

    def movements(self, item: str, location: str, limit: int | None = None, after: str | None = None) -> Any:
        return paged(facts.movements(self._find(item, location)["on_hand"] or 0), limit, after)

    def observations(self, item: str, location: str, limit: int | None = None, after: str | None = None) -> Any:
        self._find(item, location)
        return paged(facts.observations(), limit, after)

    def _find(self, item: str, location: str) -> dict[str, Any]:
        for row in self.rows:
            if (row["item_id"], row["location_id"]) == (item, location):
                return row
        raise NotFoundError("item-location", f"{item} at {location}")

    def item(self, item: str) -> dict[str, Any]:
        rows = [row for row in self.rows if row["item_id"] == item]
        if not rows:
            raise NotFoundError("item", item)
        return {"item": {"item_id": item, "description": rows[0]["description"]}, "rows": rows}

    def scenarios(self) -> dict[str, Any]:
        outage = {
            "name": "supplier_outage",
            "title": "A supplier is offline",
            "description": "Nothing is dispatched while it lasts; what was dispatched arrives.",
            "source": "library",
            "parameters": {"start_day": 7, "days": 21, "location": "primary"},
        }
        variability = {
            "name": "demand_variability",
            "title": "Demand swings more",
            "description": "The same mean, a wider spread.",
            "source": "library",
            "parameters": {"factor": 1.4},
        }
        own = {
            "name": "winter",
            "title": "Our winter",
            "description": "A storm closes a lane.",
            "source": "twin",
            "parameters": {},
        }
        return {"scenarios": [outage, variability, own]}

    def simulate(self, scenarios: list[Any], replications: int, horizon: int | None, seed: int, warmup: int) -> Any:
        self.calls.append(("simulate", {"scenarios": scenarios, "replications": replications, "horizon": horizon}))
        names = [entry if isinstance(entry, str) else entry.get("name", "scenario") for entry in scenarios]
        unknown = [name for name in names if name not in ("supplier_outage", "demand_variability", "winter")]
        if unknown:
            raise NotFoundError("scenario", unknown[0])
        days = facts.AHEAD[: horizon or len(facts.AHEAD)]
        return {
            "baseline": {"kpis": facts.kpis(1.0)},
            "scenarios": [self._outcome(name) for name in names],
            "seconds": 0.4,
            "item_location_days": 2_880_000,
            "replications": replications,
            "horizon_days": len(days),
            "seed": seed,
            "daily": {
                "days": days,
                "baseline": facts.curves(days, 0.0),
                "scenarios": [facts.curves(days, 0.004) for _ in names],
            },
            "assumptions": ["12 item-locations have no policy; one was inferred from their orders"],
            "warnings": ["no lane names a port"],
        }

    def _outcome(self, name: str) -> dict[str, Any]:
        worst = [
            {
                "item_id": row["item_id"],
                "location_id": row["location_id"],
                "unserved_units": 60.5 - k,
                "lost_sales_difference": 40.5 - k,
                "fill_rate": 0.81,
                "fill_rate_baseline": 0.93,
            }
            for k, row in enumerate(self.rows[:5])
        ]
        return {"name": name, "kpis": facts.kpis(0.9), "difference": facts.difference(), "worst": worst}

    def _recommendations(self) -> list[dict[str, Any]]:
        decided = {entry["id"]: {"approve": "approved", "reject": "rejected"}[entry["decision"]] for entry in self.log}
        entries = [facts.recommendation(k) for k in range(3)]
        return [entry | {"status": decided.get(entry["id"], "open")} for entry in entries]

    def recommend(self, top: int = 20, limit: int | None = None, after: str | None = None) -> dict[str, Any]:
        shown = paged([] if self.empty else self._recommendations()[:top], limit, after)
        return {"recommendations": shown.pop("rows"), **shown}

    def recommendation(self, id: str) -> dict[str, Any]:
        for entry in self._recommendations():
            if entry["id"] == id:
                return entry
        raise NotFoundError("recommendation", id)

    def approve(self, id: str, by: str, reason: str) -> dict[str, Any]:
        return self._decide(id, "approve", by, reason)

    def reject(self, id: str, by: str, reason: str) -> dict[str, Any]:
        return self._decide(id, "reject", by, reason)

    def _decide(self, id: str, decision: str, by: str, reason: str) -> dict[str, Any]:
        entry = {
            "id": id,
            "recommendation": self.recommendation(id),
            "decision": decision,
            "by": by,
            "reason": reason,
            "recorded_at": "2025-11-30T23:00:00Z",
        }
        self.log.insert(0, entry)
        self._announce()
        return entry

    def decisions(self, limit: int | None = None, after: str | None = None) -> dict[str, Any]:
        shown = paged(self.log, limit, after)
        return {"decisions": shown.pop("rows"), **shown}

    def anomalies(self, days: int = 90, limit: int | None = None, after: str | None = None) -> dict[str, Any]:
        shown = paged([] if self.empty else facts.anomalies(), limit, after)
        return {"anomalies": shown.pop("rows"), **shown}

    def has_truth(self) -> bool:
        return not self.empty

    def truth(self, item: str | None = None, location: str | None = None) -> dict[str, Any]:
        if self.empty:
            raise NotFoundError("truth in", "fake")
        return facts.truth(self.rows[0] if item is None else self._find(item, location or ""))

    def quarantine(
        self,
        source: str | None = None,
        limit: int | None = None,
        after: str | None = None,
        discarded: bool = False,
    ) -> dict[str, Any]:
        rows = [] if self.empty else [facts.quarantined(k, self.aside) for k in range(12)]
        chosen = [row for row in rows if (row["discarded"] is not None) == discarded]
        return {**paged(chosen, limit, after), "discarded": len(self.aside)}

    def quarantine_discard(self, ids: list[int], by: str, reason: str) -> dict[str, Any]:
        self.aside |= {number: {"by": by, "at": "2025-11-30T23:00:00Z", "reason": reason} for number in ids}
        self._announce()
        return {"discarded": ids, "by": by, "reason": reason, "seq": 9}

    def forecast(
        self,
        item: str | None,
        location: str | None,
        horizon: int,
        limit: int | None = None,
        after: str | None = None,
    ) -> dict[str, Any]:
        if item is not None and location is not None:
            self._find(item, location)
        rows = [facts.forecast(row) for row in self.rows if item in (None, row["item_id"])]
        return {"first_day": facts.AHEAD[0], "horizon": horizon, **paged(rows, limit, after)}

    def accuracy(self, horizon: int = 28) -> dict[str, Any]:
        return {"horizon": horizon, "series": 60, "origins": [20_400], "forecast": {"rmsse": 0.8}}

    def arrivals(self, item: str | None = None, limit: int | None = None, after: str | None = None) -> dict[str, Any]:
        return {**paged(facts.orders(), limit, after), "as_of": self.status()["as_of"]}

    def reconcile(self, limit: int | None = None, after: str | None = None) -> dict[str, Any]:
        return {**paged([{"item_id": "MED-0003"}, {"item_id": "MED-0004"}], limit, after), "systems": ["erp"]}

    def verify(self, head: str | None = None) -> dict[str, Any]:
        laws = [{"law": "conservation", "ok": True, "detail": "residual 0 over 118,204 movements"}]
        laws += [{"law": "published_head", "ok": True, "detail": head}] if head else []
        told = {"state_hash": "0f" * 16, "conservation_residual": 0, "journal_head": self.journal_head()["head"]}
        return {"ok": True, "laws": laws, **told}

    def backups(self) -> dict[str, Any]:
        return {"folder": "backups", "backups": [self.backup()], "total": 1}

    def backup(self) -> dict[str, Any]:
        told = {"file": "backups/one.sqlite", "bytes": 24_576, "made_at": "2025-11-30T22:16:00Z", "problem": None}
        return {**told, "batches": 7, "head": f"7:{'ab' * 32}", "recorded_at": "2025-11-30T22:15:00Z"}

    def journal_head(self) -> dict[str, Any]:
        return {"head": f"7:{'ab' * 32}", "seq": 7, "hash": "ab" * 32, "recorded_at": "2025-11-30T22:15:00Z"}

    def post_facts(self, lines: bytes | str, table: str | None = None, source: str = "") -> dict[str, Any]:
        text = lines.decode() if isinstance(lines, bytes) else lines
        taken = [json.loads(line) for line in text.splitlines() if line.strip()]
        for fact in taken:
            if "table" not in fact and table is None:
                raise UsageError("a line names no table")
            for row in self.rows:
                if (row["item_id"], row["location_id"]) == (fact.get("item_id"), fact.get("from_id")):
                    row["on_hand"] -= fact["quantity"]
        self._announce()
        return {"delivered": len(taken), "accepted": len(taken), "duplicates": 0, "quarantined": 0, "findings": []}

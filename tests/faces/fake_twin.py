"""A twin made of plain dicts, shaped as `app.usecases.TwinService` answers: for tests of the faces alone.

Small, seeded and without any layer below, so that a face is tested in milliseconds and with ids no sane ERP would have.
"""

from __future__ import annotations

import json
import random
import threading
from types import SimpleNamespace
from typing import Any

from stocktwin.domain.errors import NotFoundError, UsageError

EVIL = "<script>alert(1)</script>"
SLASHED = "A/B 7 ü"
DAYS = [f"2025-{10 + (k // 31)}-{k % 31 + 1:02d}" for k in range(31)] + [f"2025-11-{k + 1:02d}" for k in range(30)]
AHEAD = [f"2025-12-{k + 1:02d}" for k in range(31)]
SITES = [
    ("DC-NJ", "Newark DC", "dc", 40.73, -74.17),
    ("DC-GA", "Atlanta DC", "dc", 33.75, -84.39),
    ("DC-IL", "Chicago DC", "dc", 41.88, -87.63),
    ("DC-NV", "Reno DC", "dc", 39.53, -119.81),
    ("SUP-01", "Midwest Medical", "supplier", 39.96, -83.0),
    ("SUP-02", "Shanghai Health", "supplier", 31.23, 121.47),
    ("SUP-03", "Hamburg Instruments", "supplier", 53.55, 9.99),
    ("PORT-LA", "Port of Long Beach", "port", 33.75, -118.2),
    ("PORT-NY", "Port of New York", "port", 40.67, -74.04),
]
CATEGORIES = ["Gloves", "Syringes", "Dressings", "Diagnostics", "Instruments"]


class FakeTwin:
    """Sixty items at four warehouses; `empty=True` is a twin without a single fact."""

    settings = SimpleNamespace(name="Fake & Sons", currency="USD", timezone="America/New_York")

    def __init__(self, empty: bool = False) -> None:
        self.empty = empty
        self._version = 1
        self._changed = threading.Condition()
        self.log: list[dict[str, Any]] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.rows = [] if empty else _rows(random.Random(7))

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
        sources = [] if self.empty else [_source("erp", 98_102, 12), _source("wms", 20_114, 0)]
        return {
            "name": "Fake & Sons",
            "currency": "USD",
            "timezone": "America/New_York",
            "delivered": n + 12,
            "accepted": n,
            "duplicates": 0,
            "quarantined": 0 if self.empty else 12,
            "items": 0 if self.empty else 60,
            "locations": 0 if self.empty else len(SITES),
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
            "below_reorder_point": 31 if some else 0,
            "open_order_lines": 84 if some else 0,
            "overdue_lines": 6 if some else 0,
            "in_transit_units": 18_230 if some else 0,
            "anomalies": len(_anomalies()) if some else 0,
            "recommendations": 3 if some else 0,
            "expected_saving": 15_310.4 if some else None,
            "fill_rate_30d": 0.9632 if some else None,
        }
        locations = [_site(k, site) for k, site in enumerate(SITES)] if some else []
        return {
            "name": "Fake & Sons",
            "currency": "USD",
            "as_of": self.status()["as_of"],
            "kpis": kpis,
            "locations": locations,
            "lanes": _lanes() if some else [],
            "categories": CATEGORIES if some else [],
        }

    def stock(self, **query: Any) -> dict[str, Any]:
        self.calls.append(("stock", query))
        rows = [
            {key: row[key] for key in ("item_id", "location_id", "on_hand", "unit")} | {"lot": None}
            for row in self.rows
            if query.get("item") in (None, row["item_id"]) and query.get("location") in (None, row["location_id"])
        ]
        return {"rows": rows[: query.get("limit")], "as_of": self.status()["as_of"]}

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
        return {"total": len(rows), "rows": rows[offset : offset + limit], "offset": offset}

    def item_location(self, item: str, location: str) -> dict[str, Any]:
        row = self._find(item, location)
        rng = random.Random(item + location)
        history = [max(0, 900 - 12 * k % 700 + rng.randint(-20, 20)) for k in range(len(DAYS))]
        demand = [rng.randint(5, 30) for _ in DAYS]
        median = [max(0, 400 - 11 * k + (300 if k > 12 else 0)) for k in range(len(AHEAD))]
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
            "books": [
                {"system": "erp", "on_hand": row["on_hand"], "last_event_time": "2025-11-30T22:15:00Z"},
                {"system": "wms", "on_hand": (row["on_hand"] or 0) - 12, "last_event_time": "2025-11-30T20:01:00Z"},
            ],
            "forecast": {"per_day": 16.4, "basis": "history", "weekday_index": [1.1] * 5 + [0.4, 0.2]},
            "history": {"first_day": DAYS[0], "demand": demand, "on_hand": history},
            "projection": {
                "days": AHEAD,
                "p05": [max(0, m - 8 * k) for k, m in enumerate(median)],
                "p25": [max(0, m - 3 * k) for k, m in enumerate(median)],
                "p50": median,
                "p75": [m + 3 * k for k, m in enumerate(median)],
                "p95": [m + 8 * k for k, m in enumerate(median)],
                "stockout_probability": [min(1.0, 0.01 * k) for k in range(len(AHEAD))],
                "expected_receipts": [300 if k == 13 else 0 for k in range(len(AHEAD))],
            },
            "orders": _orders(),
            "movements": _movements(row["on_hand"] or 0),
            "observations": [
                {
                    "event_time": "2025-11-20T16:00:00Z",
                    "method": "cycle_count",
                    "quantity": 412,
                    "system": "wms",
                    "scope": "item_location",
                }
            ],
            "anomalies": [entry for entry in _anomalies() if entry["item_id"] == item],
            "recommendations": self._recommendations()[:1],
        }

    def _find(self, item: str, location: str) -> dict[str, Any]:
        for row in self.rows:
            if (row["item_id"], row["location_id"]) == (item, location):
                return row
        raise NotFoundError("item-location", f"{item} at {location}")

    def item(self, item: str) -> dict[str, Any]:
        rows = [row for row in self.rows if row["item_id"] == item]
        if not rows:
            raise NotFoundError("item", item)
        return {"item_id": item, "description": rows[0]["description"], "rows": rows}

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
        days = AHEAD[: horizon or len(AHEAD)]
        return {
            "baseline": {"kpis": _kpis(1.0)},
            "scenarios": [{"name": name, "kpis": _kpis(0.9), "difference": _difference()} for name in names],
            "seconds": 0.4,
            "item_location_days": 2_880_000,
            "replications": replications,
            "horizon_days": len(days),
            "seed": seed,
            "daily": {
                "days": days,
                "baseline": _curves(days, 0.0),
                "scenarios": [_curves(days, 0.004) for _ in names],
            },
            "worst": [
                {
                    "item_id": row["item_id"],
                    "location_id": row["location_id"],
                    "lost_sales_difference": 40.5 - k,
                    "fill_rate": 0.81,
                }
                for k, row in enumerate(self.rows[:5])
            ],
            "assumptions": ["12 item-locations have no policy; one was inferred from their orders"],
            "warnings": ["no lane names a port"],
        }

    def _recommendations(self) -> list[dict[str, Any]]:
        decided = {entry["id"]: {"approve": "approved", "reject": "rejected"}[entry["decision"]] for entry in self.log}
        entries = [_recommendation(k) for k in range(3)]
        return [entry | {"status": decided.get(entry["id"], "open")} for entry in entries]

    def recommend(self, top: int = 20) -> dict[str, Any]:
        return {"recommendations": [] if self.empty else self._recommendations()[:top]}

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

    def decisions(self) -> dict[str, Any]:
        return {"decisions": self.log}

    def anomalies(self, limit: int | None = None) -> dict[str, Any]:
        return {"anomalies": [] if self.empty else _anomalies()[:limit]}

    def quarantine(self, limit: int | None = None, source: str | None = None) -> dict[str, Any]:
        rows = [] if self.empty else [_quarantined(k) for k in range(3)]
        return {"rows": rows, "total": 0 if self.empty else 12}

    def forecast(self, item: str, location: str, horizon: int) -> dict[str, Any]:
        self._find(item, location)
        return {"item_id": item, "location_id": location, "days": AHEAD[:horizon], "per_day": 16.4}

    def verify(self) -> dict[str, Any]:
        laws = [{"law": "conservation", "ok": True, "detail": "residual 0 over 118,204 movements"}]
        return {"ok": True, "laws": laws, "state_hash": "0f" * 16, "conservation_residual": 0}

    def post_facts(self, lines: bytes | str, table: str | None = None) -> dict[str, Any]:
        text = lines.decode() if isinstance(lines, bytes) else lines
        facts = [json.loads(line) for line in text.splitlines() if line.strip()]
        for fact in facts:
            if "table" not in fact and table is None:
                raise UsageError("a line names no table")
            for row in self.rows:
                if (row["item_id"], row["location_id"]) == (fact.get("item_id"), fact.get("from_id")):
                    row["on_hand"] -= fact["quantity"]
        self._announce()
        return {"delivered": len(facts), "accepted": len(facts), "duplicates": 0, "quarantined": 0, "findings": []}


def _source(system: str, delivered: int, quarantined: int) -> dict[str, Any]:
    return {
        "system": system,
        "delivered": delivered,
        "accepted": delivered - quarantined,
        "duplicates": 0,
        "quarantined": quarantined,
        "last_event_time": "2025-11-30T22:15:00Z",
        "lag_seconds": 5_400.0,
    }


def _site(k: int, site: tuple[str, str, str, float, float]) -> dict[str, Any]:
    own = site[2] == "dc"
    return {
        "location_id": site[0],
        "name": site[1],
        "kind": site[2],
        "latitude": site[3],
        "longitude": site[4],
        "on_hand_value": 1_203_000.0 + 90_000 * k if own else None,
        "on_hand_units": 31_000 + 800 * k if own else 0,
        "stockouts": k if own else 0,
        "item_locations": 60 if own else 0,
    }


def _lanes() -> list[dict[str, Any]]:
    def lane(origin: str, destination: str, mode: str, via: str | None, lines: int, units: int, days: float) -> Any:
        return {
            "origin_id": origin,
            "destination_id": destination,
            "mode": mode,
            "via": via,
            "open_lines": lines,
            "in_transit_units": units,
            "mean_days": days,
        }

    lanes = []
    for destination in ("DC-NJ", "DC-GA", "DC-IL", "DC-NV"):
        lanes.append(lane("SUP-01", destination, "road", None, 8, 410, 3.1))
        lanes.append(lane("SUP-02", destination, "sea", "PORT-LA", 9, 3_900, 31.0))
        lanes.append(lane("SUP-03", destination, "sea", "PORT-NY", 4, 700, 19.5))
    return [*lanes, lane("DC-NJ", "DC-IL", "road", None, 0, 0, 2.0), lane("DC-IL", "DC-NV", "road", None, 1, 60, 3.0)]


def _rows(rng: random.Random) -> list[dict[str, Any]]:
    ids = [*(f"MED-{k:04d}" for k in range(58)), EVIL, SLASHED]
    return [_row(rng, item, site[0], CATEGORIES[k % 5]) for k, item in enumerate(ids) for site in SITES[:4]]


def _row(rng: random.Random, item: str, location: str, category: str) -> dict[str, Any]:
    on_hand = rng.choice([0, rng.randint(1, 80), rng.randint(80, 2_500)])
    per_day = round(rng.uniform(0.05, 30), 2)
    reorder = rng.randint(20, 400)
    anchored = rng.random() > 0.02
    return {
        "item_id": item,
        "description": f"{category} {rng.choice(['nitrile', 'sterile', 'large', 'small'])} {rng.randint(1, 99)}",
        "category": category,
        "location_id": location,
        "on_hand": on_hand if anchored else None,
        "unit": "each",
        "in_transit": rng.choice([0, 0, rng.randint(10, 900)]),
        "on_order": rng.choice([0, rng.randint(10, 2_000)]),
        "backlog": rng.choice([0, 0, 0, rng.randint(1, 40)]),
        "days_of_supply": round(on_hand / per_day, 1) if anchored else None,
        "forecast_per_day": per_day,
        "reorder_point": reorder,
        "order_up_to": reorder + rng.randint(50, 600),
        "safety_stock": reorder // 3,
        "stockout_risk": round(rng.random() ** 2, 3) if anchored else None,
        "value": round(on_hand * rng.uniform(0.2, 40), 2) if anchored else None,
        "anchored": anchored,
        "status": "stockout" if on_hand == 0 else "below_reorder_point" if on_hand < reorder else "ok",
    }


def _orders() -> list[dict[str, Any]]:
    def order(number: int, quantity: int, q10: str, q50: str, q90: str, overdue: bool) -> dict[str, Any]:
        return {
            "order_id": f"PO-{number}",
            "line": "1",
            "from_id": "SUP-02",
            "open_quantity": quantity,
            "ordered_at": "2025-11-02T09:00:00Z",
            "q10": q10,
            "q50": q50,
            "q90": q90,
            "overdue": overdue,
        }

    return [
        order(7101, 600, "2025-12-08", "2025-12-14", "2025-12-24", False),
        order(6988, 240, "2025-12-01", "2025-12-01", "2025-12-02", True),
    ]


def _movements(balance: int) -> list[dict[str, Any]]:
    kinds = [("sale", -12), ("receipt", 240), ("adjustment", -3), ("transfer_out", -60)]
    rows = []
    for k in range(12):
        kind, quantity = kinds[k % 4]
        rows.append(
            {
                "event_time": f"2025-11-{30 - k:02d}T14:05:00Z",
                "kind": kind,
                "quantity": quantity,
                "balance": balance,
                "system": "erp" if kind == "sale" else "wms",
                "document": f"DOC-{k}",
                "event_id": f"E-{k}",
                "reason": "damaged" if kind == "adjustment" else None,
            }
        )
        balance -= quantity
    return rows


def _anomalies() -> list[dict[str, Any]]:
    def entry(k: int, kind: str, item: str, text: str, value: float, confidence: float) -> dict[str, Any]:
        return {
            "id": f"AN-{k}",
            "kind": kind,
            "item_id": item,
            "location_id": "DC-NJ",
            "event_time": "2025-11-28T10:00:00Z",
            "quantity": -48,
            "value": value,
            "confidence": confidence,
            "explanation": text,
            "cheapest_check": "Count the bin once",
            "evidence": [{"what": "count 412, record 460", "event_id": "C-9"}],
        }

    return [
        entry(1, "duplicate_post", "MED-0003", "Receipt R-17 was posted twice within a minute.", 2_016.0, 0.93),
        entry(2, "unexplained_loss", EVIL, "Counts fall below the record, week after week.", 610.5, 0.71),
    ]


def _recommendation(k: int) -> dict[str, Any]:
    kinds = [("transfer", "DC-GA", "DC-NJ"), ("safety_stock", None, None), ("advance_order", "SUP-02", "DC-IL")]
    kind, origin, destination = kinds[k]
    return {
        "id": f"R-{k}/x",
        "kind": kind,
        "item_id": f"MED-{k:04d}",
        "location_id": "DC-NJ",
        "from_id": origin,
        "to_id": destination,
        "quantity": 120 if kind == "transfer" else None,
        "current": 80 if kind == "safety_stock" else None,
        "proposed": 130 if kind == "safety_stock" else None,
        "order_id": "PO-7101" if kind == "advance_order" else None,
        "from_date": "2025-12-14" if kind == "advance_order" else None,
        "to_date": "2025-12-07" if kind == "advance_order" else None,
        "expected_value": 8_120.0 - 2_000 * k,
        "lo": 6_300.0 - 2_000 * k,
        "hi": 9_950.0 - 2_000 * k,
        "reason": "Newark runs out in 6 days; Atlanta holds 140 days of supply.",
        "proof": {
            "replications": 400,
            "horizon_days": 60,
            "seed": 11,
            "with": {"total_cost": 10_000.0, "fill_rate": 0.97},
            "without": {"total_cost": 18_120.0, "fill_rate": 0.91},
        },
        "effect": {
            "total_cost": {"mean": -8_120.0 + 2_000 * k, "lo": -9_950.0, "hi": -6_300.0},
            "fill_rate": {"mean": 0.06, "lo": 0.04, "hi": 0.08},
        },
        "downside": -240.0,
        "description": f"Move 120 units of MED-{k:04d} from DC-GA to DC-NJ",
        "status": "open",
    }


def _quarantined(k: int) -> dict[str, Any]:
    return {
        "source": "erp",
        "table": "movements",
        "file": "movements.csv",
        "line": 117 + k,
        "column": "quantity",
        "value": ["-4", EVIL, "1e99"][k],
        "reason": "must be more than 0",
        "raw": '{"event_id": "X"}',
        "recorded_at": "2025-11-30T22:20:00Z",
    }


KPIS = {
    "fill_rate": 0.96,
    "cycle_service_level": 0.91,
    "ready_rate": 0.97,
    "lost_sales_units": 812.0,
    "backlog_units": 3.2,
    "on_hand_units": 41_200.0,
    "on_hand_value": 4_800_000.0,
    "total_cost": 120_300.0,
    "average_cost_per_day": 1_337.0,
}


def _kpis(factor: float) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    for name, value in KPIS.items():
        mean = value * factor
        answer[name] = {"mean": mean, "se": abs(mean) * 0.01, "lo": mean * 0.98, "hi": mean * 1.02}
    answer["backlog_units"] = {"mean": None, "se": None, "lo": None, "hi": None}
    return answer


def _difference() -> dict[str, Any]:
    answer: dict[str, Any] = {}
    for name, value in KPIS.items():
        answer[name] = {"mean": -0.1 * value, "se": 0.01 * value, "lo": -0.12 * value, "hi": -0.08 * value}
    answer["backlog_units"] = {"mean": None, "se": None, "lo": None, "hi": None}
    answer["on_hand_value"] = {"mean": 10.0, "se": 20.0, "lo": -30.0, "hi": 50.0}
    return answer


def _curves(days: list[str], slope: float) -> dict[str, list[float]]:
    return {
        "fill_rate": [max(0.0, 0.97 - slope * k) for k in range(len(days))],
        "on_hand": [41_000.0 - 200 * k * (1 + 90 * slope) for k in range(len(days))],
        "backlog": [0.0 for _ in days],
        "lost": [20.0 + 500 * slope * k for k in range(len(days))],
    }

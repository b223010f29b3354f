"""The facts that the fake twin tells, as plain dicts; a few ids are such as no sane ERP would have."""

from __future__ import annotations

import random
from typing import Any

from stocktwin.app.answers.paging import page

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


def source(system: str, delivered: int, quarantined: int) -> dict[str, Any]:
    return {
        "system": system,
        "delivered": delivered,
        "accepted": delivered - quarantined,
        "duplicates": 0,
        "quarantined": quarantined,
        "last_event_time": "2025-11-30T22:15:00Z",
        "lag_seconds": 5_400.0,
    }


def site(k: int, site: tuple[str, str, str, float, float]) -> dict[str, Any]:
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
        "demanded": 50 if own else 0,
        "short": 6 * k if own else 0,
        "short_share": round(0.12 * k, 2) if own else None,
    }


def lanes() -> list[dict[str, Any]]:
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


def rows(rng: random.Random) -> list[dict[str, Any]]:
    ids = [*(f"MED-{k:04d}" for k in range(58)), EVIL, SLASHED]
    return [row(rng, item, site[0], CATEGORIES[k % 5]) for k, item in enumerate(ids) for site in SITES[:4]]


def row(rng: random.Random, item: str, location: str, category: str) -> dict[str, Any]:
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


def orders() -> list[dict[str, Any]]:
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


def movements(balance: int) -> list[dict[str, Any]]:
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


def anomalies() -> list[dict[str, Any]]:
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


def truth(row: dict[str, Any]) -> dict[str, Any]:
    def fault(
        cause: str, end: str | None, found: bool, told_as: str | None, item: str, location: str
    ) -> dict[str, Any]:
        return {
            "fault_id": f"F-{cause}-{item}",
            "cause": cause,
            "item_id": item,
            "location_id": location,
            "start": "2025-11-02",
            "end": end,
            "system": "wms",
            "document": "GR-<1>",
            "from_ms": 1_762_084_800_000,
            "to_ms": None if end is None else 1_762_344_000_000,
            "units": 48.0,
            "value": 2_016.0,
            "on_record": True,
            "found": found,
            "told_as": told_as,
        }

    here = (row["item_id"], row["location_id"])
    series = [("truth", 412.0), ("record", 460.0), ("erp", 412.0), ("wms", None)]
    return {
        "item_id": here[0],
        "description": row["description"],
        "unit": "each",
        "unit_cost": 42.0,
        "location_id": here[1],
        "location_name": None,
        "locations": ["DC-NJ", here[1]] if here[1] != "DC-NJ" else ["DC-NJ"],
        "currency": "USD",
        "as_of": "2025-11-30T22:15:00Z",
        "series": [
            {"name": name, "points": [] if last is None else [[1_761_955_200_000, last]], "last": last}
            for name, last in series
        ],
        "claims": [{"at": 1_762_430_400_000, "method": "cycle_count", "system": "wms", "lot": None, "quantity": 412.0}],
        "faults": [
            fault("duplicate_post", None, True, "duplicate_post", *here),
            fault("theft", None, False, None, *here),
            fault("pack_factor", "2025-11-05", False, "record_against_count", *here),
        ],
        "anomalies": anomalies()[:1],
        "anomaly_days": 90,
        "worst": [
            {name: value for name, value in one.items() if name not in ("found", "told_as")}
            for one in (
                fault("duplicate_post", None, True, None, *here),
                fault("theft", "2025-11-05", True, None, EVIL, "X"),
            )
        ],
    }


def recommendation(k: int) -> dict[str, Any]:
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
            "kpis": {
                "total_cost": {"with": {"mean": 10_000.0}, "without": {"mean": 18_120.0}},
                "fill_rate": {"with": {"mean": 0.97}, "without": {"mean": 0.91}},
            },
        },
        "effect": {
            "total_cost": {"mean": -8_120.0 + 2_000 * k, "lo": -9_950.0, "hi": -6_300.0},
            "fill_rate": {"mean": 0.06, "lo": 0.04, "hi": 0.08},
        },
        "downside": -240.0,
        "description": f"Move 120 units of MED-{k:04d} from DC-GA to DC-NJ",
        "status": "open",
    }


def observations() -> list[dict[str, Any]]:
    def claim(k: int, method: str, system: str, quantity: int, lot: str | None = None) -> dict[str, Any]:
        return {
            "event_id": f"C-{k}",
            "event_time": f"2025-11-{24 - k:02d}T16:00:00Z",
            "method": method,
            "system": system,
            "lot": lot,
            "scope": "item_location",
            "unit": "each",
            "quantity": quantity,
            "record": 460 if lot is None else None,
            "difference": quantity - 460 if lot is None else None,
        }

    books = [claim(k, "erp_book", "erp", 460) for k in range(2, 6)]
    return [claim(0, "cycle_count", "wms", 412), claim(1, "cycle_count", "wms", 30, EVIL), *books]


def forecast(row: dict[str, Any]) -> dict[str, Any]:
    quantiles = {f"q{level:02d}": 4.0 * level for level in (5, 10, 25, 50, 75, 90, 95)}
    ids = {name: row[name] for name in ("item_id", "location_id", "unit")}
    return {**ids, "mean": 210.0, **quantiles, "basis": "history"}


def quarantined(k: int, aside: dict[int, dict[str, Any]]) -> dict[str, Any]:
    return {
        "discarded": aside.get(3_000_000 + k),
        "quarantine_id": 3_000_000 + k,
        "state": "rejected",
        "canonical": True,
        "source": "erp",
        "system": "erp",
        "row": 116 + k,
        "table": "movements",
        "file": "movements.csv",
        "line": 117 + k,
        "column": "quantity",
        "value": ["-4", EVIL, "1e99"][k % 3],
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


def kpis(factor: float) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    for name, value in KPIS.items():
        mean = value * factor
        answer[name] = {"mean": mean, "se": abs(mean) * 0.01, "lo": mean * 0.98, "hi": mean * 1.02}
    answer["backlog_units"] = {"mean": None, "se": None, "lo": None, "hi": None}
    return answer


def difference() -> dict[str, Any]:
    answer: dict[str, Any] = {}
    for name, value in KPIS.items():
        answer[name] = {"mean": -0.1 * value, "se": 0.01 * value, "lo": -0.12 * value, "hi": -0.08 * value}
    answer["backlog_units"] = {"mean": None, "se": None, "lo": None, "hi": None}
    answer["on_hand_value"] = {"mean": 10.0, "se": 20.0, "lo": -30.0, "hi": 50.0}
    return answer


def curves(days: list[str], slope: float) -> dict[str, list[float]]:
    return {
        "fill_rate": [max(0.0, 0.97 - slope * k) for k in range(len(days))],
        "on_hand": [41_000.0 - 200 * k * (1 + 90 * slope) for k in range(len(days))],
        "backlog": [0.0 for _ in days],
        "lost": [20.0 + 500 * slope * k for k in range(len(days))],
    }


def books(on_hand: int | None) -> list[dict[str, Any]]:
    """Two systems that post, and doors that see a part."""
    at = "2025-11-30T22:15:00Z"
    return [
        {"system": "erp", "on_hand": on_hand, "complete": True, "last_event_time": at},
        {"system": "rfid", "on_hand": 1891, "complete": False, "last_event_time": at},
        {"system": "wms", "on_hand": (on_hand or 0) - 12, "complete": True, "last_event_time": at},
    ]


def paged(rows: list[Any], limit: int | None, after: str | None) -> dict[str, Any]:
    """A page of rows that stay as they are: their places are their keys."""
    shown, following = page(enumerate(rows), lambda pair: (pair[0],), name="fake", limit=limit, after=after)
    return {"rows": [row for _, row in shown], "total": len(rows), "next": following}


def first_page(name: str, answer: dict[str, Any]) -> dict[str, Any]:
    return {name: answer["rows"], f"{name}_total": answer["total"], f"{name}_next": answer["next"]}


class FakeOutlook:
    """Questions about what comes next, as `app.answers.ahead.Ahead` answers them."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows = rows

    def excess(self, *, limit: int | None = None, **_: object) -> dict[str, Any]:
        return self._list(limit, {"cover": 100.0, "excess": 20.0, "value": 44.0}, {"young_item": 0})

    def risk(self, *, limit: int | None = None, **_: object) -> dict[str, Any]:
        return self._list(limit, {"days": 7, "probability": 0.4, "value": 12.0}, {"opening_unknown": 0})

    def _list(self, limit: int | None, figures: dict[str, Any], left_out: dict[str, int]) -> dict[str, Any]:
        names = ("item_id", "location_id", "on_hand")
        rows = [{name: row[name] for name in names} | figures for row in self._rows[:10]]
        counted = {
            "items": len(rows),
            "item_locations": len(rows),
            "total": len(rows),
            "value": 1.0,
            "value_known": 1.0,
        }
        told = {"as_of": "2025-11-30T23:00:00Z", "currency": "USD", "without_price": [], "left_out": left_out}
        return counted | told | {"rows": rows[:limit]}

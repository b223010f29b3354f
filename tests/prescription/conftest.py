"""Small twins built by hand: a snapshot from rows of the exchange format, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from stocktwin.domain.calendar import MICROSECONDS_PER_DAY
from stocktwin.prescription.situation import Situation
from stocktwin.tables.history import history_from_rows
from stocktwin.tables.schema import DECIMAL, TABLES
from stocktwin.tables.snapshot import LEAD_TIME_SCHEMA, OPEN_ORDER_SCHEMA, Snapshot

TODAY = 20_000
Rows = Sequence[Mapping[str, Any]]


def table(name: str, rows: Rows, extra: Sequence[pa.Field] = ()) -> pa.Table:
    """Master data as a snapshot holds it: decimals as float64."""
    fields = [
        pa.field(column.name, pa.float64() if column.arrow == DECIMAL else column.arrow)
        for column in TABLES[name].columns
    ]
    schema = pa.schema([*fields, *extra])
    return pa.Table.from_pylist([{field: row.get(field) for field in schema.names} for row in rows], schema=schema)


def situation_of(snapshot: Snapshot, **given: Any) -> Situation:
    """10 a day everywhere, protection interval 20 days: s = 250, S = 350, h = 0.01, 10 lost with each unit short."""
    n = len(snapshot)
    whole = {"backlog": 0, "inventory_position": 0, "reorder_point": 250, "order_up_to": 350, "review_days": 1,
             "pack": 1, "safety_stock": 50}  # fmt: skip
    real = {"order_quantity": 100, "daily_mean": 10, "lead_mean": 20, "lead_sd": 2, "protection_mean": 200,
            "protection_sd": 25, "protection_q95": 241, "holding_cost": 0.01, "shortage_cost": 10,
            "service_target": np.nan}  # fmt: skip
    fields: dict[str, Any] = {name: np.full(n, value, np.int64) for name, value in whole.items()}
    fields |= {name: np.full(n, value, np.float64) for name, value in real.items()}
    fields |= {"item": snapshot.item.astype(np.int64), "location": snapshot.location.astype(np.int64),
               "eligible": np.ones(n, bool),
               "declared": np.ones(n, bool), "on_hand": snapshot.on_hand, "lost": np.ones(n, bool),
               "service_type": ("",) * n}  # fmt: skip
    fields["inventory_position"] = snapshot.on_hand + snapshot.on_order
    return Situation(**(fields | given))


@dataclass(frozen=True)
class Twin:
    """A snapshot and what the layers below make of it."""

    snapshot: Snapshot
    forecast: Any
    lead_times: Any
    compiled: Any


def build_snapshot(
    *,
    items: Rows,
    locations: Rows,
    stock: Mapping[tuple[str, str], int],
    lanes: Rows = (),
    sourcing: Rows = (),
    policies: Rows = (),
    demand: Rows = (),
    orders: Rows = (),
    unanchored: Sequence[tuple[str, str]] = (),
) -> Snapshot:
    """A snapshot of `stock` (item, location) → atomic units; orders are rows of `OPEN_ORDER_SCHEMA` with `item_id` in
    place of the code and times in days from now."""
    items = sorted(items, key=lambda row: row["item_id"])
    locations = sorted(locations, key=lambda row: row["location_id"])
    item_at = {row["item_id"]: code for code, row in enumerate(items)}
    location_at = {row["location_id"]: code for code, row in enumerate(locations)}
    pairs = sorted(stock, key=lambda pair: (item_at[pair[0]], location_at[pair[1]]))
    row_of = {pair: row for row, pair in enumerate(pairs)}
    rowed = [pa.field("row", pa.int32())]

    def placed(rows: Rows) -> list[dict[str, Any]]:
        return [dict(row) | {"row": row_of.get((row["item_id"], row["location_id"]), -1)} for row in rows]

    lines = [_order(row, item_at) for row in orders]
    on_order = np.zeros(len(pairs), np.int64)
    names = [row["item_id"] for row in items]
    for line in lines:
        at = row_of.get((names[line["item"]], line["to_id"]))
        if at is not None and line["kind"] != "sales":
            on_order[at] += line["open_quantity"]
    none = np.zeros(0, np.int64)
    start = np.full(len(pairs), TODAY - 400, np.int32)
    return Snapshot(
        as_of=(TODAY + 1) * MICROSECONDS_PER_DAY - 1,
        today=TODAY,
        timezone="UTC",
        currency="EUR",
        state_hash="test",
        head=1,
        items=table("items", [{"unit": "each", "scale": 0, "lot_controlled": False, **row} for row in items]),
        locations=table("locations", locations),
        lanes=table("lanes", lanes),
        sourcing=table("sourcing", placed(sourcing), rowed),
        policies=table("policies", placed(policies), rowed),
        demand=table("demand", placed(demand), rowed),
        item=np.array([item_at[pair[0]] for pair in pairs], np.int32),
        location=np.array([location_at[pair[1]] for pair in pairs], np.int32),
        on_hand=np.array([stock[pair] for pair in pairs], np.int64),
        anchored=np.array([pair not in set(unanchored) for pair in pairs], bool),
        in_transit=np.zeros(len(pairs), np.int64),
        on_order=on_order,
        backlog=np.zeros(len(pairs), np.int64),
        sales=history_from_rows(len(pairs), none, none.astype(np.int32), none, start, TODAY - 400, TODAY),
        open_orders=pa.Table.from_pylist(lines, schema=OPEN_ORDER_SCHEMA),
        lead_times=LEAD_TIME_SCHEMA.empty_table(),
    )


def _order(row: Mapping[str, Any], item_at: Mapping[str, int]) -> dict[str, Any]:
    now = (TODAY + 1) * MICROSECONDS_PER_DAY - 1
    line = {"line": "1", "kind": "purchase", "system": "erp", "status": "open", **row}
    line["item"] = item_at[row["item_id"]]
    for name in ("ordered_at", "requested_at", "promised_at", "shipped_at"):
        line[name] = None if line.get(name) is None else now + line[name] * MICROSECONDS_PER_DAY
    return {name: line.get(name) for name in OPEN_ORDER_SCHEMA.names}


def build_twin(**given: Any) -> Twin:
    """The snapshot with forecast, lead times and compiled network."""
    from stocktwin.analytics.demand import fit_demand
    from stocktwin.analytics.leadtime import fit_lead_times
    from stocktwin.simulation.compile import compile_network

    snapshot = build_snapshot(**given)
    forecast, lead_times = fit_demand(snapshot), fit_lead_times(snapshot)
    return Twin(snapshot, forecast, lead_times, compile_network(snapshot, forecast, lead_times, holding_rate=0.2))


def two_warehouses(
    *,
    stock: Mapping[tuple[str, str], int] | None = None,
    policy: Mapping[str, Any] | None = None,
    lane: Mapping[str, Any] | None = None,
    item: Mapping[str, Any] | None = None,
    orders: Rows = (),
    mean: float = 10.0,
    lead_time_days: float = 20.0,
    **more: Any,
) -> dict[str, Any]:
    """Two warehouses of one supplier, 20 days away, a lane of 2 days between them: A has 900, B has 15 of `ITEM`, both
    sell 10 a day, s = 250, S = 350."""
    each = {"policy": "min_max", "reorder_point": 250, "order_up_to": 350, "shortage": "lost", **(policy or {})}
    lanes = [
        {"origin_id": "SUP", "destination_id": name, "mode": "road", "lead_time_days": lead_time_days,
         "lead_time_sd_days": 2} for name in ("A", "B")
    ]  # fmt: skip
    across = {
        "mode": "road",
        "lead_time_days": 2,
        "lead_time_sd_days": 0,
        "cost_per_unit": 0.1,
        "cost_per_shipment": 20,
    }
    lanes += [{"origin_id": a, "destination_id": b, **across, **(lane or {})} for a, b in (("A", "B"), ("B", "A"))]
    given: dict[str, Any] = {
        "items": [{"item_id": "ITEM", "unit_cost": 20, "unit_price": 30, **(item or {})}],
        "locations": [{"location_id": "A", "kind": "dc"}, {"location_id": "B", "kind": "dc"},
                      {"location_id": "SUP", "kind": "supplier"}],
        "stock": stock or {("ITEM", "A"): 900, ("ITEM", "B"): 15},
        "lanes": lanes,
        "sourcing": [{"item_id": "ITEM", "location_id": name, "source_id": "SUP", "priority": 1, "mode": "road"}
                     for name in ("A", "B")],
        "policies": [{"item_id": "ITEM", "location_id": name, **each} for name in ("A", "B")],
        "demand": [{"item_id": "ITEM", "location_id": name, "distribution": "poisson", "mean": mean}
                   for name in ("A", "B")],
        "orders": orders,
    }  # fmt: skip
    return given | more


@pytest.fixture(scope="session")
def snapshot_of() -> Callable[..., Snapshot]:
    """Builds a snapshot from rows."""
    return build_snapshot


@pytest.fixture(scope="session")
def twin_of() -> Callable[..., Twin]:
    """Builds a twin from rows: snapshot, forecast, lead times, compiled network."""
    return build_twin


@pytest.fixture(scope="session")
def warehouses() -> Callable[..., dict[str, Any]]:
    """Rows of two warehouses, one overstocked and one about to run out."""
    return two_warehouses


@pytest.fixture(scope="session")
def plain_situation() -> Callable[..., Situation]:
    """A situation of a snapshot with the same figures everywhere; arrays given by name replace them."""
    return situation_of

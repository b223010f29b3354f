"""Small snapshots and pieces of evidence, made by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from stocktwin.tables.evidence import (
    MOVEMENT_EVIDENCE,
    OBSERVATION_EVIDENCE,
    ORDER_EVIDENCE,
    UNIT_EVIDENCE,
    Evidence,
)
from stocktwin.tables.history import history_from_rows
from stocktwin.tables.schema import TABLES
from stocktwin.tables.snapshot import LEAD_TIME_SCHEMA, OPEN_ORDER_SCHEMA, Snapshot

DAY = 86_400_000_000
TODAY = 20_089  # 2025-01-01, a Wednesday
AS_OF = (TODAY + 1) * DAY - 1
WITH_ROW = ("sourcing", "policies", "demand")


def master(name: str, rows: Sequence[dict[str, Any]], row: Sequence[int] | None = None) -> pa.Table:
    """A master table as a snapshot holds it: decimals as float64, `row` where it has one."""
    fields = []
    for column in TABLES[name].columns:
        fields.append(pa.field(column.name, pa.float64() if pa.types.is_decimal(column.arrow) else column.arrow))
    table = pa.Table.from_pylist([dict.fromkeys(f.name for f in fields) | line for line in rows], pa.schema(fields))
    return table if row is None else table.append_column("row", pa.array(row, pa.int32()))


def build(
    sales: dict[tuple[str, str], dict[int, int]] | None = None,
    *,
    start: dict[tuple[str, str], int] | None = None,
    pairs: Sequence[tuple[str, str]] = (),
    items: Sequence[dict[str, Any]] = (),
    lanes: Sequence[dict[str, Any]] = (),
    sourcing: Sequence[dict[str, Any]] = (),
    demand: Sequence[dict[str, Any]] = (),
    open_orders: Sequence[dict[str, Any]] = (),
    lead_times: Sequence[dict[str, Any]] = (),
    first_day: int = TODAY - 364,
    on_hand: dict[tuple[str, str], int] | None = None,
) -> Snapshot:
    """A snapshot of the item-locations named anywhere; `sales` is (item, location) → day → quantity."""
    sales, start, on_hand = sales or {}, start or {}, on_hand or {}
    named = [(line["item_id"], line["location_id"]) for line in (*sourcing, *demand)]
    keys = sorted({*sales, *pairs, *named, *start, *on_hand})
    known = {line["item_id"]: line for line in items}
    names = sorted({key[0] for key in keys} | set(known))
    places = sorted({key[1] for key in keys})
    rows = [(k, day, quantity) for k, key in enumerate(keys) for day, quantity in sales.get(key, {}).items()]
    triple = np.array(rows, np.int64).reshape(-1, 3)
    begins = np.array([start.get(key, min(sales.get(key, {TODAY: 0}))) for key in keys], np.int32)
    history = history_from_rows(
        len(keys), triple[:, 0], triple[:, 1].astype(np.int32), triple[:, 2], begins, first_day, TODAY
    )
    zero = np.zeros(len(keys), np.int64)
    at = {key: k for k, key in enumerate(keys)}

    def placed(lines: Sequence[dict[str, Any]]) -> list[int]:
        return [at[line["item_id"], line["location_id"]] for line in lines]

    return Snapshot(
        as_of=AS_OF, today=TODAY, timezone="UTC", currency="EUR", state_hash="0" * 32, head=1,
        items=master("items", [{"item_id": name, "unit": "each", "scale": 0} | known.get(name, {}) for name in names]),
        locations=master("locations", [{"location_id": place, "kind": "dc"} for place in places]),
        lanes=master("lanes", lanes),
        sourcing=master("sourcing", sourcing, placed(sourcing)),
        policies=master("policies", [], []),
        demand=master("demand", demand, placed(demand)),
        item=np.array([names.index(key[0]) for key in keys], np.int32),
        location=np.array([places.index(key[1]) for key in keys], np.int32),
        on_hand=np.array([on_hand.get(key, 0) for key in keys], np.int64),
        anchored=np.ones(len(keys), bool), in_transit=zero, on_order=zero, backlog=zero, sales=history,
        open_orders=pa.Table.from_pylist(
            [dict.fromkeys(OPEN_ORDER_SCHEMA.names) | {"item": names.index(line["item_id"])} | {
                name: value for name, value in line.items() if name != "item_id"} for line in open_orders],
            OPEN_ORDER_SCHEMA,
        ),
        lead_times=pa.Table.from_pylist(
            [dict.fromkeys(LEAD_TIME_SCHEMA.names) | line for line in lead_times], LEAD_TIME_SCHEMA
        ),
    )  # fmt: skip


def evidence(
    movements: Sequence[dict[str, Any]] = (),
    observations: Sequence[dict[str, Any]] = (),
    orders: Sequence[dict[str, Any]] = (),
    units: Sequence[dict[str, Any]] = (),
    days: int = 90,
) -> Evidence:
    """Evidence of a window, sorted by item and time as the ledger hands it over; event ids are filled in."""

    def table(rows: Sequence[dict[str, Any]], schema: pa.Schema, order: tuple[str, ...], **defaults: Any) -> pa.Table:
        full = [
            dict.fromkeys(schema.names) | defaults | ({"event_id": f"E{k}"} if "event_id" in schema.names else {}) | row
            for k, row in enumerate(rows)
        ]
        for row in full:
            if "known_at" in schema.names and row["known_at"] is None:
                row["known_at"] = row["event_time"] + 3_600_000_000
        return pa.Table.from_pylist(sorted(full, key=lambda row: tuple(row[name] or 0 for name in order)), schema)

    return Evidence(
        AS_OF,
        AS_OF - days * DAY,
        table(movements, MOVEMENT_EVIDENCE, ("item_id", "event_time"), system="erp", item_id="A", on_record=True),
        table(observations, OBSERVATION_EVIDENCE, ("item_id", "event_time"), system="wms", item_id="A",
              location_id="L1", method="cycle_count", anchored=True),
        table(orders, ORDER_EVIDENCE, ("item_id", "ordered_at"), system="erp", item_id="A", kind="purchase",
              to_id="L1", from_id="S1", status="closed"),
        table(units, UNIT_EVIDENCE, ("item_id",)),
    )  # fmt: skip


@pytest.fixture
def snapshot() -> Callable[..., Snapshot]:
    """Builds a snapshot by hand."""
    return build


@pytest.fixture
def make_evidence() -> Callable[..., Evidence]:
    """Builds evidence by hand."""
    return evidence


@pytest.fixture
def today() -> int:
    """The last day of history of hand-made snapshots."""
    return TODAY

"""What the anomaly rules look at: every system's movements and claims, side by side, in one place."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

MOVEMENT_EVIDENCE = pa.schema(
    [
        ("system", pa.string()),
        ("event_id", pa.string()),
        ("event_time", pa.int64()),
        ("known_at", pa.int64()),
        ("kind", pa.string()),
        ("item_id", pa.string()),
        ("from_id", pa.string()),
        ("to_id", pa.string()),
        ("quantity", pa.int64()),  # atomic units, > 0
        ("document", pa.string()),
        ("order_id", pa.string()),
        ("line", pa.string()),
        ("reason", pa.string()),
        ("corrects", pa.string()),
        ("on_record", pa.bool_()),  # whether this system is the authority for it
    ]
)

OBSERVATION_EVIDENCE = pa.schema(
    [
        ("system", pa.string()),
        ("event_id", pa.string()),
        ("event_time", pa.int64()),
        ("method", pa.string()),
        ("item_id", pa.string()),
        ("location_id", pa.string()),
        ("lot", pa.string()),
        ("quantity", pa.int64()),  # claimed level, atomic units
        ("record_balance", pa.int64()),  # on hand on the record at event_time, same scope
        ("book_balance", pa.int64()),  # on hand in the claiming system's own book; null when it posts no movements
        ("anchored", pa.bool_()),
    ]
)

UNIT_EVIDENCE = pa.schema([("item_id", pa.string()), ("unit", pa.string()), ("factor", pa.float64())])

ORDER_EVIDENCE = pa.schema(
    [
        ("system", pa.string()),
        ("order_id", pa.string()),
        ("line", pa.string()),
        ("kind", pa.string()),
        ("item_id", pa.string()),
        ("from_id", pa.string()),
        ("to_id", pa.string()),
        ("quantity", pa.int64()),  # atomic units
        ("quantity_received", pa.int64()),
        ("ordered_at", pa.int64()),
        ("promised_at", pa.int64()),
        ("received_at", pa.int64()),
        ("status", pa.string()),
    ]
)


@dataclass(frozen=True)
class Evidence:
    """The facts of a window of time, sorted by item and time."""

    as_of: int
    since: int
    movements: pa.Table
    observations: pa.Table
    orders: pa.Table
    units: pa.Table

"""The immutable picture of a twin at one moment that analytics, simulation, prescription and screens work from.

Row i of every per-item-location array is the pair (`item[i]`, `location[i]`), sorted by item, then location. Codes are
row numbers of `items` and `locations`, which are sorted by id. Quantities are int64 in the item's atomic unit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stocktwin.tables.codes import Codes
from stocktwin.tables.history import History

OPEN_ORDER_SCHEMA = pa.schema(
    [
        ("order_id", pa.string()),
        ("line", pa.string()),
        ("kind", pa.string()),
        ("system", pa.string()),
        ("item", pa.int32()),
        ("from_id", pa.string()),
        ("to_id", pa.string()),
        ("open_quantity", pa.int64()),  # ordered − received − cancelled, atomic units, > 0
        ("ordered_at", pa.int64()),
        ("requested_at", pa.int64()),
        ("promised_at", pa.int64()),
        ("shipped_at", pa.int64()),
        ("status", pa.string()),
    ]
)
"""Open order lines, current version each."""

LEAD_TIME_SCHEMA = pa.schema(
    [
        ("origin_id", pa.string()),
        ("destination_id", pa.string()),
        ("mode", pa.string()),
        ("item", pa.int32()),
        ("ordered_at", pa.int64()),
        ("received_at", pa.int64()),  # null: still open (right-censored at `as_of`)
        ("days", pa.float64()),  # received_at − ordered_at in days; null while open
    ]
)
"""One row per order line of our own replenishment: the evidence on lead times."""

OPEN_SHIPMENT_SCHEMA = pa.schema(
    [
        ("shipment_id", pa.string()),
        ("order_id", pa.string()),
        ("line", pa.string()),
        ("item", pa.int32()),
        ("origin_id", pa.string()),
        ("destination_id", pa.string()),
        ("departed_at", pa.int64()),
        ("promised_at", pa.int64()),
        ("quantity", pa.float64()),  # on its way, base units; null: not stated
        ("mode", pa.string()),
        ("carrier", pa.string()),
    ]
)
"""Shipments under way, current version each."""

TRANSIT_SCHEMA = pa.schema(
    [
        ("origin_id", pa.string()),
        ("destination_id", pa.string()),
        ("mode", pa.string()),
        ("carrier", pa.string()),
        ("departed_at", pa.int64()),
        ("arrived_at", pa.int64()),  # null: still under way (right-censored at `as_of`)
    ]
)
"""One row per shipment: the evidence on times in transit."""

STOCKOUT_SCHEMA = pa.schema([("row", pa.int32()), ("day", pa.int32()), ("whole", pa.bool_())])
"""Days on which an item-location ended with nothing on hand, on the record; `whole`: it had nothing all day. Only where
sales are all that is known of demand."""


@dataclass(frozen=True)
class Snapshot:
    """One moment of the twin. Tables hold the current version of master data, columns as in `tables.schema` (decimals
    as float64 in base units), sorted by key; `sourcing`, `policies` and `demand` also carry `row`, the item-location
    row number (int32, −1 when the location keeps no stock of ours)."""

    as_of: int
    """The twin's clock, UTC microseconds. Day 0 of every forecast and simulation is the day after its local day."""
    today: int
    """`as_of` as a local day of the twin (days since 1970-01-01): the last day of history. Forecasts start the day
    after."""
    timezone: str
    currency: str
    state_hash: str
    head: int
    """Last journal batch folded in."""
    items: pa.Table
    locations: pa.Table
    lanes: pa.Table
    sourcing: pa.Table
    policies: pa.Table
    demand: pa.Table
    item: npt.NDArray[np.int32]
    location: npt.NDArray[np.int32]
    on_hand: npt.NDArray[np.int64]
    """Unrestricted stock on the record; net change only where not `anchored`."""
    anchored: npt.NDArray[np.bool_]
    in_transit: npt.NDArray[np.int64]
    """On lanes towards the location."""
    on_order: npt.NDArray[np.int64]
    """Open purchase and transfer lines towards the location."""
    backlog: npt.NDArray[np.int64]
    """Open sales lines from the location whose requested (else ordered) time has passed."""
    sales: History
    """Demand per item-location and local day: external only (sales order lines at `requested_at`, else
    `ordered_at`; sale movements where the item-location has no sales lines)."""
    open_orders: pa.Table
    lead_times: pa.Table
    shipments: pa.Table = field(default_factory=OPEN_SHIPMENT_SCHEMA.empty_table)
    transits: pa.Table = field(default_factory=TRANSIT_SCHEMA.empty_table)
    stockouts: pa.Table = field(default_factory=STOCKOUT_SCHEMA.empty_table)

    @cached_property
    def item_codes(self) -> Codes:
        """Item ids ↔ codes."""
        return Codes(self.items.column("item_id").to_pylist())

    @cached_property
    def location_codes(self) -> Codes:
        """Location ids ↔ codes."""
        return Codes(self.locations.column("location_id").to_pylist())

    def __len__(self) -> int:
        return len(self.item)

    def row(self, item_id: str, location_id: str) -> int:
        """Row of an item-location, or −1."""
        key = self._key(self.item_codes.code(item_id), self.location_codes.code(location_id))
        at = int(np.searchsorted(self._keys, key))
        return at if at < len(self._keys) and self._keys[at] == key else -1

    def rows(self, item: npt.NDArray[np.int32], location: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
        """Rows of many (item code, location code) pairs, −1 where there is none."""
        key = item.astype(np.int64) * len(self.locations) + location
        at = np.searchsorted(self._keys, key)
        at = np.minimum(at, max(len(self._keys) - 1, 0))
        found = (self._keys[at] == key) & (item >= 0) & (location >= 0) if len(self._keys) else np.zeros(len(key), bool)
        return np.where(found, at, -1)

    def scale(self) -> npt.NDArray[np.int64]:
        """Decimal places of each item's base unit (by item code)."""
        return np.asarray(self.items.column("scale").fill_null(0).to_numpy(zero_copy_only=False), np.int64)

    @cached_property
    def _keys(self) -> npt.NDArray[np.int64]:
        return self.item.astype(np.int64) * len(self.locations) + self.location

    def _key(self, item: int, location: int) -> int:
        return item * len(self.locations) + location if item >= 0 and location >= 0 else -1

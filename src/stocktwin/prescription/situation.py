"""What every generator of candidates looks at: one row per item-location, and the lanes between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from stocktwin.prescription.closedform import Floats
from stocktwin.prescription.outlook import Bools, Inflow, Ints
from stocktwin.prescription.recommendation import Subject


@dataclass(frozen=True)
class TransferLanes:
    """Lanes between two locations that keep stock of ours, one entry each."""

    origin: Ints
    """Location codes."""
    destination: Ints
    mode: tuple[str, ...]
    days: Ints
    """Mean lead time, whole days ≥ 1, rounded up."""
    cost_per_unit: Floats
    """Per base unit; 0 where not stated."""
    cost_per_shipment: Floats

    def __len__(self) -> int:
        return len(self.origin)


@dataclass(frozen=True)
class Situation:
    """Per item-location: quantities in atomic units, money per atomic unit in the twin's currency (nan: unknown)."""

    item: Ints
    location: Ints
    eligible: Bools
    """Anchored, with a demand forecast, and part of the simulation."""
    declared: Bools
    """Whether its policy is declared (else it is an assumption, and there is nothing to change)."""
    on_hand: Ints
    """Less what open transfers that have not left have been promised."""
    backlog: Ints
    inventory_position: Ints
    reorder_point: Ints
    """s; the base-stock level less one for a base-stock policy."""
    order_up_to: Ints
    """S, or s + Q."""
    order_quantity: Floats
    """Mean size of a replenishment."""
    review_days: Ints
    daily_mean: Floats
    lead_mean: Floats
    """Mean and standard deviation of the replenishment lead time, days."""
    lead_sd: Floats
    protection_mean: Floats
    """Demand over the protection interval L − 1 + R: mean, standard deviation, 95 % quantile."""
    protection_sd: Floats
    protection_q95: Floats
    holding_cost: Floats
    """Per atomic unit and day."""
    shortage_cost: Floats
    """Per atomic unit lost, or per atomic unit and day waiting."""
    lost: Bools
    """Whether unserved demand is lost (else it waits)."""
    pack: Ints
    """Quantities move in multiples of this many atomic units."""
    safety_stock: Ints
    service_target: Floats
    """nan without one."""
    service_type: tuple[str, ...]
    """`fill_rate`, `cycle_service_level` or `ready_rate`, per row; empty without a target."""

    def __len__(self) -> int:
        return len(self.item)

    @property
    def donor_floor(self) -> Ints:
        """What a donor keeps: its order-up-to level or the 95 % quantile of demand over its protection interval,
        whichever is more, and what it owes."""
        return np.maximum(self.order_up_to, np.ceil(self.protection_q95).astype(np.int64)) + self.backlog

    @property
    def surplus(self) -> Ints:
        """On hand beyond the floor, 0 where the row may not give."""
        return np.where(self.eligible, np.maximum(self.on_hand - self.donor_floor, 0), 0)

    @property
    def next_order_day(self) -> Ints:
        """Day on which goods of an order that the policy has yet to place can be expected: the days until the inventory
        position has fallen to the reorder point, then the lead time."""
        with np.errstate(divide="ignore", invalid="ignore"):
            wait = np.maximum(self.inventory_position - self.reorder_point, 0) / self.daily_mean
        wait = np.where(np.isfinite(wait), wait, 1e6)
        return np.ceil(np.minimum(wait + self.review_days / 2 + self.lead_mean, 1e6)).astype(np.int64)


@dataclass(frozen=True)
class Candidate:
    """An action that might be worth proposing, with its worth by closed form."""

    subject: Subject
    row: int
    """Item-location where it takes effect."""
    quantity: int
    """Atomic units: moved, brought forward, or added to the safety stock (negative: taken off)."""
    estimate: float
    """Closed-form value, in money, or in lost sales avoided (atomic units) where `priced` is False."""
    priced: bool
    donor: int = -1
    """Item-location a transfer takes from."""
    arrival_day: int = 0
    """Days from today to arrival: of a transfer, or asked for of an order."""
    shift_days: int = 0
    """Days by which an order line comes earlier."""
    line: int = -1
    """Row of `snapshot.open_orders`."""
    action_cost: float = 0.0
    """What it costs by itself, and, once that is settled, its share of the shipment it travels with."""
    shipment_cost: float = 0.0
    """Of the shipment that all transfers along its lane share."""
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> tuple[int, ...]:
        """The item-locations it changes."""
        return (self.row,) if self.donor < 0 else (self.row, self.donor)

    @property
    def lane(self) -> tuple[str, str, str] | None:
        """Origin, destination and mode of a transfer: those with the same travel together."""
        ends = (self.subject.from_id or "", self.subject.to_id or "")
        return None if self.donor < 0 else (*ends, str(self.notes.get("lane_mode", "")))

    @property
    def rank(self) -> tuple[bool, float]:
        """Sort key, best first; what has a price before what has none."""
        return (not self.priced, -self.estimate)


@dataclass(frozen=True)
class Board:
    """Everything the generators read."""

    situation: Situation
    inflow: Inflow
    lanes: TransferLanes


def pick(candidates: list[Candidate], limit: int) -> list[Candidate]:
    """The `limit` best by closed form, ties in order of subject."""
    order = sorted(candidates, key=lambda one: (one.rank, repr(one.subject), one.quantity))
    return order[:limit]


def whole(values: npt.ArrayLike) -> Ints:
    """Rounded up to integers."""
    return np.ceil(np.asarray(values, np.float64)).astype(np.int64)

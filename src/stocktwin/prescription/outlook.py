"""The cheap look ahead that candidates are chosen by: demand and supply day by day, and how much would go short.

Days count from today: day k is the k-th day after it (day 1 is the forecast's first). Supply of day k holds what is on
hand and what arrives up to the morning of day k; demand of day k is the total of days 1 … k.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stocktwin.domain.calendar import MICROSECONDS_PER_DAY
from stocktwin.prescription.closedform import Floats, expected_shortage

if TYPE_CHECKING:
    from stocktwin.analytics.demand import DemandForecast
    from stocktwin.tables.snapshot import Snapshot

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

SAFE = 3.0
"""Standard deviations of cover above which a shortage is not looked for (unit normal loss below 0.0004)."""
ARRIVAL_WEIGHTS = (0.25, 0.5, 0.25)
"""Weights of the three cases that open order lines come at their 10 %, 50 % and 90 % arrival days."""
MEDIAN = 1
"""The middle case."""


@dataclass(frozen=True)
class Inflow:
    """Open replenishment lines towards our item-locations, one entry a line."""

    line: Ints
    """Row of `snapshot.open_orders`."""
    row: Ints
    """Item-location."""
    quantity: Ints
    day: Ints
    """Days from today to arrival at 10 %, 50 % and 90 %, [lines, 3], each ≥ 1."""
    shipped: Bools

    def of(self, row: int) -> Ints:
        """Entries towards one item-location."""
        return np.flatnonzero(self.row == row)


def open_inflow(snapshot: Snapshot, windows: pa.Table) -> Inflow:
    """The open purchase and transfer lines with their arrival windows (`analytics.leadtime.arrival_windows`); a line
    whose item-location keeps no stock of ours is left out."""
    orders = snapshot.open_orders
    order, line = orders.column("order_id").to_pylist(), orders.column("line").to_pylist()
    at = {key: place for place, key in enumerate(zip(order, line, strict=True))}
    keys = zip(windows.column("order_id").to_pylist(), windows.column("line").to_pylist(), strict=True)
    place = np.array([at.get(key, -1) for key in keys], np.int64)
    item = np.asarray(orders.column("item").to_numpy(zero_copy_only=False), np.int32)
    location = snapshot.location_codes.encode(orders.column("to_id").to_pylist())
    row = snapshot.rows(item, location)[place] if len(orders) else np.zeros(len(place), np.int64)
    keep = (place >= 0) & (row >= 0)
    place, row = place[keep], row[keep]
    instants = np.column_stack([np.asarray(windows.column(q), np.int64) for q in ("q10", "q50", "q90")])[keep]
    days = np.maximum(-(-(instants - snapshot.as_of) // MICROSECONDS_PER_DAY), 1)
    shipped = np.asarray(orders.column("shipped_at").is_valid(), bool)[place]
    quantity = np.asarray(orders.column("open_quantity"), np.int64)[place]
    return Inflow(place, row, quantity, days.reshape(-1, 3), shipped)


def cumulative_demand(forecast: DemandForecast, rows: Ints, horizon: int) -> tuple[Floats, Floats]:
    """Mean and standard deviation of demand of days 1 … k, both [rows, horizon + 1] (column 0 is nothing).

    The variance of the total is that of the days plus that of the level: Σ m(1 + φ) + (level_cv·Σ m)².
    """
    weekday = (forecast.first_day + np.arange(horizon) + 3) % 7
    daily = forecast.level[rows, None] * forecast.weekday_index[forecast.group[rows]][:, weekday]
    spread = daily * (1.0 + forecast.dispersion[rows, None])
    mean, variance = (np.zeros((len(rows), horizon + 1)) for _ in range(2))
    np.cumsum(daily, axis=1, out=mean[:, 1:])
    np.cumsum(spread, axis=1, out=variance[:, 1:])
    variance += np.square(forecast.level_cv[rows, None] * mean)
    return mean, np.sqrt(variance)


def cumulative_supply(snapshot: Snapshot, inflow: Inflow, rows: Ints, horizon: int) -> Floats:
    """Supply by day, [3, rows, horizon + 1]: on hand less backlog, and the open lines, all of them at their 10 %, 50 %
    and 90 % arrival days in turn (`ARRIVAL_WEIGHTS`)."""
    place = np.full(len(snapshot), -1, np.int64)
    place[rows] = np.arange(len(rows))
    out = np.zeros((len(ARRIVAL_WEIGHTS), len(rows), horizon + 1))
    out[:, :, 0] = snapshot.on_hand[rows] - snapshot.backlog[rows]
    for case in range(len(ARRIVAL_WEIGHTS)):
        day, row = inflow.day[:, case], place[inflow.row]
        inside = (day <= horizon) & (row >= 0)
        np.add.at(out[case], (row[inside], day[inside]), inflow.quantity[inside].astype(np.float64))
    return np.cumsum(out, axis=2)


def shortage(supply: Floats, mean: Floats, sd: Floats, last: Ints, lost: Bools) -> Floats:
    """What goes short by day `last`, [rows], averaged over the cases of supply: units where demand is `lost`, else
    units × days that it waits.

    With E(k) = E[(demand of days 1 … k − supply of day k)⁺], lost units are the largest E(k) (what arrives later cannot
    serve them; a lower bound, close where stock runs out once), waiting is ΣE(k).
    """
    day = np.arange(supply.shape[-1])
    seen = (day >= 1) & (day <= np.asarray(last)[:, None])
    total = np.zeros(len(mean))
    for weight, case in zip(ARRIVAL_WEIGHTS, supply, strict=True):
        risky = seen & (case - mean < SAFE * np.maximum(sd, 1e-9))
        short = np.zeros(case.shape)
        short[risky] = expected_shortage(case[risky], mean[risky], sd[risky])
        total += weight * np.where(lost, short.max(axis=1, initial=0.0), short.sum(axis=1))
    return total


def runs_out(supply: Floats, mean: Floats, sd: Floats, last: Ints, sigmas: float = 0.0) -> Ints:
    """First day on which demand (mean + `sigmas` standard deviations) exceeds supply, [rows]; −1 if not by `last`."""
    day = np.arange(supply.shape[1])
    short = (mean + sigmas * sd > supply) & (day >= 1) & (day <= np.asarray(last)[:, None])
    return np.where(short.any(axis=1), short.argmax(axis=1), -1).astype(np.int64)

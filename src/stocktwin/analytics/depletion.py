"""How long stock lasts and how likely it is to run out before help can come."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stocktwin.analytics.demand import DemandForecast
from stocktwin.analytics.leadtime import LeadTimeModel
from stocktwin.domain.calendar import MICROSECONDS_PER_DAY
from stocktwin.kernels.demand import count_cdfs
from stocktwin.tables.snapshot import Snapshot

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def days_of_supply(snapshot: Snapshot, forecast: DemandForecast) -> Floats:
    """On hand ÷ forecast mean per day, per row; nan where no demand is forecast or the opening is unknown."""
    with np.errstate(divide="ignore", invalid="ignore"):
        days = np.maximum(snapshot.on_hand, 0) / forecast.level
    return np.where((forecast.level > 0) & snapshot.anchored, days, np.nan)


def protection_days(snapshot: Snapshot, lead_times: LeadTimeModel) -> Ints:
    """Days until an order placed today can arrive: the mean lead time of the row's primary source, rounded up; 0 where
    the row has no source."""
    key = lead_times.for_rows(snapshot)
    days = np.ceil(lead_times.mean_days[np.maximum(key, 0)]) if len(lead_times.mean_days) else np.zeros(len(key))
    return np.where(key >= 0, days, 0).astype(np.int64)


def stockout_risk(
    snapshot: Snapshot, forecast: DemandForecast, lead_times: LeadTimeModel, arrivals: pa.Table
) -> Floats:
    """Probability that demand until an order placed today could arrive exceeds what there is and what is due by then.

    Available = on hand − backlog + open order lines whose median arrival falls within the lead time. Demand is the
    forecast distribution of the sum (negative binomial with the variance that includes the level's uncertainty). nan
    where there is no source, no demand, or the opening is unknown.
    """
    days = protection_days(snapshot, lead_times)
    available = snapshot.on_hand - snapshot.backlog + inbound_within(snapshot, arrivals, days)
    risk = np.full(len(snapshot), np.nan)
    for horizon in np.unique(days[days > 0]):
        rows = np.flatnonzero((days == horizon) & (forecast.level > 0) & snapshot.anchored)
        mean = forecast.total_mean(rows, forecast.first_day, int(horizon))
        variance = forecast.total_variance(rows, forecast.first_day, int(horizon))
        spread = np.maximum(variance / np.maximum(mean, 1e-12) - 1, 0)
        enough = count_cdfs(np.maximum(available[rows], 0).astype(np.float64), mean, spread)
        risk[rows] = np.where(available[rows] < 0, 1.0, 1.0 - enough)
    return risk


def inbound_within(snapshot: Snapshot, arrivals: pa.Table, days: Ints) -> Ints:
    """Open order quantity towards each row whose median arrival is at most `days[row]` days ahead."""
    inbound = np.zeros(len(snapshot), np.int64)
    for line in arrivals.select(["item_id", "to_id", "open_quantity", "q50"]).to_pylist():
        row = snapshot.row(line["item_id"], line["to_id"])
        if row >= 0 and math.ceil((line["q50"] - snapshot.as_of) / MICROSECONDS_PER_DAY) <= days[row]:
            inbound[row] += line["open_quantity"]
    return inbound

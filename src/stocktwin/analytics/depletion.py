"""How long stock lasts and how likely it is to run out before help can come."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True)
class Stockout:
    """Per row; NaN where there is no source, no demand, or the opening is unknown."""

    days: Ints
    inbound: Ints
    """Open lines whose median arrival falls within the days, atomic units."""
    probability: Floats
    shortage: Floats
    """Expected demand beyond what there is and what is due, over all the days."""


def stockout_risk(
    snapshot: Snapshot, forecast: DemandForecast, lead_times: LeadTimeModel, arrivals: pa.Table
) -> Floats:
    """Probability of a stock-out before an order placed today could arrive (`stockout`)."""
    return stockout(snapshot, forecast, lead_times, arrivals).probability


def stockout(snapshot: Snapshot, forecast: DemandForecast, lead_times: LeadTimeModel, arrivals: pa.Table) -> Stockout:
    """How likely each row runs out within the mean lead time of its source, open orders included.

    Stock can run out before each open line arrives and before today's order does. At each of these moments, the demand
    until then (the forecast distribution of the sum, level uncertainty in it) is held against on hand − backlog + the
    lines with an earlier median arrival; the probability is the largest of them. Lines past their 99 % arrival do not
    count.
    """
    days = protection_days(snapshot, lead_times)
    row, due, quantity = due_lines(snapshot, arrivals)
    within = due <= days[row]
    row, due, quantity = row[within], due[within], quantity[within]
    order = np.lexsort((due, row))
    row, due, quantity = row[order], due[order], quantity[order]
    inbound = np.zeros(len(snapshot), np.int64)
    np.add.at(inbound, row, quantity)
    free = snapshot.on_hand - snapshot.backlog
    speaks = (days > 0) & (forecast.level > 0) & snapshot.anchored
    probability, shortage = _short(forecast, np.arange(len(snapshot)), days, free + inbound, speaks)
    before, _ = _short(forecast, row, due - 1, free[row] + _earlier(row, due, quantity), speaks[row])
    np.fmax.at(probability, row, before)
    return Stockout(days, inbound, probability, shortage)


def _short(
    forecast: DemandForecast, row: Ints, days: Ints, available: Ints, speaks: npt.NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Probability that the demand of the next days exceeds what is available, and by how much on average.

    With a negative binomial of mean m and dispersion φ, E[(D − a)⁺] = m P(D⁺ ≥ a) − a P(D > a), where D⁺ has mean m + φ
    and the same dispersion. nan where a row does not speak.
    """
    chance, loss = np.full(len(row), np.nan), np.full(len(row), np.nan)
    for horizon in np.unique(days[speaks]):
        at = np.flatnonzero((days == horizon) & speaks)
        if horizon < 1:
            chance[at], loss[at] = (available[at] < 0).astype(float), np.maximum(-available[at], 0)
            continue
        mean = forecast.total_mean(row[at], forecast.first_day, int(horizon))
        variance = forecast.total_variance(row[at], forecast.first_day, int(horizon))
        phi = np.maximum(variance / np.maximum(mean, 1e-12) - 1, 0)
        have = np.maximum(available[at], 0).astype(np.float64)
        over = 1.0 - count_cdfs(have, mean, phi)
        beyond = mean * (1.0 - count_cdfs(have - 1.0, mean + phi, phi)) - have * over
        chance[at] = np.where(available[at] < 0, 1.0, over)
        loss[at] = np.where(available[at] < 0, mean - available[at], np.maximum(beyond, 0.0))
    return chance, loss


def _earlier(row: Ints, due: Ints, quantity: Ints) -> Ints:
    """Sum of the quantities of the same row with an earlier day; sorted by row and day."""
    if not len(row):
        return quantity
    total = np.cumsum(quantity) - quantity
    new_row = np.append(True, row[1:] != row[:-1])
    new_day = new_row | np.append(True, due[1:] != due[:-1])
    at_row = np.maximum.accumulate(np.where(new_row, np.arange(len(row)), 0))
    at_day = np.maximum.accumulate(np.where(new_day, np.arange(len(row)), 0))
    return np.asarray(total[at_day] - total[at_row])


def due_lines(snapshot: Snapshot, arrivals: pa.Table) -> tuple[Ints, Ints, Ints]:
    """Row, whole days until the median arrival, and quantity of each open line that is not overdue."""
    names = ["item_id", "to_id", "open_quantity", "q50", "overdue"]
    found = [
        (row, -((snapshot.as_of - line["q50"]) // MICROSECONDS_PER_DAY), line["open_quantity"])
        for line in arrivals.select(names).to_pylist()
        if not line["overdue"] and (row := snapshot.row(line["item_id"], line["to_id"])) >= 0
    ]
    table = np.array(found, np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def inbound_within(snapshot: Snapshot, arrivals: pa.Table, days: Ints) -> Ints:
    """Open order quantity towards each row whose median arrival is at most `days[row]` days ahead, overdue lines left
    out."""
    inbound = np.zeros(len(snapshot), np.int64)
    row, due, quantity = due_lines(snapshot, arrivals)
    np.add.at(inbound, row, np.where(due <= days[row], quantity, 0))
    return inbound

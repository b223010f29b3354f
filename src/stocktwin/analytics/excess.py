"""Stock beyond its economic cover, and what is likely to run out before help can come (`docs/analytics.md`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stocktwin.analytics.demand import DemandForecast
from stocktwin.analytics.depletion import due_lines, protection_days, stockout
from stocktwin.analytics.leadtime import LeadTimeModel
from stocktwin.analytics.replenishment import primary_sources
from stocktwin.tables.snapshot import Snapshot

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

COVER_QUANTILE = 0.95
YOUNG_ITEM_DAYS = 90
FIRST_WEEK = 7
"""An item seen in the first week of all history is taken to be older than the history."""
RISK_THRESHOLD = 0.10


@dataclass(frozen=True)
class Excess:
    """Per row of the snapshot, atomic units; NaN money where an item has no unit cost."""

    inbound: Ints
    """Open lines towards the row, without those that are overdue."""
    order_up_to: Floats
    demand_q95: Floats
    """95 % quantile of demand over the protection interval."""
    moq: Floats
    shelf_life_demand: Floats
    """95 % quantile of demand over the shelf life; infinite without one."""
    cover: Floats
    excess: Floats
    value: Floats
    young: Flags


def excess(
    snapshot: Snapshot,
    forecast: DemandForecast,
    lead_times: LeadTimeModel,
    arrivals: pa.Table,
    prepositioned: Ints | None = None,
) -> Excess:
    """Unrestricted on hand + firm inbound beyond the economic cover, per item-location.

    Cover = max(order-up-to, 95 % demand quantile over the protection interval + one MOQ), at most the 95 % demand
    quantile over the shelf life. `prepositioned` (atomic units per row, not expired) is not excess; nor is anything of
    an item younger than 90 days, or where the opening is unknown.
    """
    interval = protection_interval(snapshot, lead_times)
    q95 = demand_over(forecast, interval, COVER_QUANTILE)
    level, moq = order_up_to(snapshot, forecast), minimum_orders(snapshot)
    life = shelf_life(snapshot)
    sellable = np.where(life > 0, demand_over(forecast, np.minimum(life, 3_650), COVER_QUANTILE), np.inf)
    cover = np.minimum(np.maximum(level, q95 + moq), sellable)
    inbound = firm_inbound(snapshot, arrivals)
    held = np.maximum(snapshot.on_hand, 0) + inbound - (0 if prepositioned is None else prepositioned)
    young = young_rows(snapshot)
    beyond = np.where(snapshot.anchored & ~young, np.maximum(held - cover, 0.0), 0.0)
    # a fraction of an atomic unit is nobody's excess
    beyond = np.floor(beyond + 1e-9)
    return Excess(inbound, level, q95, moq, sellable, cover, beyond, beyond * unit_money(snapshot, "unit_cost"), young)


def protection_interval(snapshot: Snapshot, lead_times: LeadTimeModel) -> Ints:
    """L − 1 + R days: mean lead time of the primary source (rounded up) and review period; R alone without a source."""
    lead = np.maximum(protection_days(snapshot, lead_times), 1)
    review = _of_policy(snapshot, "review_days")
    sources = primary_sources(snapshot)
    row = np.asarray(sources.column("row").to_numpy(zero_copy_only=False), np.int64)
    own = _floats(sources, "review_days")
    sourced = np.full(len(snapshot), np.nan)
    sourced[row] = own
    period = np.where(np.isnan(review), np.where(np.isnan(sourced), 1, sourced), review)
    return np.asarray(lead - 1 + np.maximum(period, 1), np.int64)


def demand_over(forecast: DemandForecast, days: Ints, probability: float) -> Floats:
    """Quantile of the demand of each row's next `days`."""
    out = np.zeros(len(forecast))
    for horizon in np.unique(days[days > 0]):
        rows = np.flatnonzero((days == horizon) & (forecast.level > 0))
        out[rows] = forecast.total_quantiles(rows, forecast.first_day, int(horizon), [probability])[:, 0]
    return out


def order_up_to(snapshot: Snapshot, forecast: DemandForecast) -> Floats:
    """Order-up-to level S of each row's policy in atomic units (for (s, Q) policies s + Q); 0 where there is none."""
    table = snapshot.policies
    row = np.asarray(table.column("row").to_numpy(zero_copy_only=False), np.int64)
    level = _floats(table, "order_up_to")
    both = _floats(table, "reorder_point") + _floats(table, "order_quantity")
    level = np.where(np.isnan(level), both, level)
    kind = np.array(table.column("policy").to_pylist(), object)
    days = np.array([unit == "days" for unit in table.column("parameter_unit").to_pylist()], bool)
    keep = (row >= 0) & ~np.isnan(level) & (kind != "echelon_base_stock")
    row, level, days = row[keep], level[keep], days[keep]
    atomic = 10.0 ** snapshot.scale()[snapshot.item[row]].astype(np.float64)
    out = np.zeros(len(snapshot))
    out[row] = np.maximum(np.where(days, level * forecast.level[row], level * atomic), 0.0)
    return out


def minimum_orders(snapshot: Snapshot) -> Floats:
    """Minimum order quantity of each row's primary source, atomic units; 0 where none is stated."""
    sources = primary_sources(snapshot)
    row = np.asarray(sources.column("row").to_numpy(zero_copy_only=False), np.int64)
    out = np.zeros(len(snapshot))
    scale = 10.0 ** snapshot.scale()[snapshot.item[row]].astype(np.float64)
    out[row] = np.nan_to_num(_floats(sources, "moq")) * scale
    return out


def shelf_life(snapshot: Snapshot) -> Ints:
    """Shelf life in days per row; 0 where the item does not expire."""
    days = np.nan_to_num(_floats(snapshot.items, "shelf_life_days"))
    return np.asarray(days[snapshot.item], np.int64)


def firm_inbound(snapshot: Snapshot, arrivals: pa.Table) -> Ints:
    """Open order quantity towards each row, lines past their 99 % arrival left out."""
    row, _, quantity = due_lines(snapshot, arrivals)
    out = np.zeros(len(snapshot), np.int64)
    np.add.at(out, row, quantity)
    return out


def young_rows(snapshot: Snapshot) -> Flags:
    """Rows of items first seen anywhere less than 90 days ago; what was there when history began is older."""
    first = np.full(len(snapshot.items), np.iinfo(np.int64).max)
    np.minimum.at(first, snapshot.item, snapshot.sales.start.astype(np.int64))
    young = (snapshot.today - first < YOUNG_ITEM_DAYS) & (first >= snapshot.sales.first_day + FIRST_WEEK)
    return np.asarray(young[snapshot.item])


@dataclass(frozen=True)
class Risk:
    """Per row of the snapshot; NaN where there is no source, no demand, or the opening is unknown."""

    days: Ints
    """Days until an order placed today could arrive."""
    inbound: Ints
    """Open lines due within them."""
    probability: Floats
    shortage: Floats
    """Expected shortage in those days, atomic units."""
    value: Floats
    """The same at the unit price, else the unit cost; NaN where an item has neither."""

    @property
    def at_risk(self) -> Flags:
        """Rows whose stock-out is at least 10 % likely."""
        return np.asarray(np.nan_to_num(self.probability) >= RISK_THRESHOLD)


def risk(snapshot: Snapshot, forecast: DemandForecast, lead_times: LeadTimeModel, arrivals: pa.Table) -> Risk:
    """Probability that stock runs out before an order placed today could arrive, open orders included."""
    found = stockout(snapshot, forecast, lead_times, arrivals)
    price, cost = unit_money(snapshot, "unit_price"), unit_money(snapshot, "unit_cost")
    value = found.shortage * np.where(np.isnan(price), cost, price)
    return Risk(found.days, found.inbound, found.probability, found.shortage, value)


def unit_money(snapshot: Snapshot, column: str) -> Floats:
    """Money per atomic unit of each row, in the twin's currency; NaN where not stated or in another currency."""
    money = _floats(snapshot.items, column)
    foreign = [code not in (None, snapshot.currency) for code in snapshot.items.column("currency").to_pylist()]
    money[np.array(foreign, bool)] = np.nan
    return np.asarray((money / 10.0 ** snapshot.scale().astype(np.float64))[snapshot.item])


def _of_policy(snapshot: Snapshot, column: str) -> Floats:
    row = np.asarray(snapshot.policies.column("row").to_numpy(zero_copy_only=False), np.int64)
    out = np.full(len(snapshot), np.nan)
    out[row[row >= 0]] = _floats(snapshot.policies, column)[row >= 0]
    return out


def _floats(table: pa.Table, column: str) -> Floats:
    return np.array(table.column(column).cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)

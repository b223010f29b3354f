"""A forecast as a table, block by block: a day per row, or one row for the sum over the horizon."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stocktwin.analytics.demand import BASES, DECLARED, DemandForecast
from stocktwin.kernels.totals import count_totals
from stocktwin.tables.snapshot import Snapshot

QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
NAMES = ("q05", "q10", "q25", "q50", "q75", "q90", "q95")
WEEK = 7
DAILY_BLOCK = 4_096
"""Item-locations in a block of days: with a horizon of 90 days, some 30 MB."""
TOTAL_BLOCK = 131_072

DAILY_SCHEMA = pa.schema(
    [("item_id", pa.string()), ("location_id", pa.string()), ("date", pa.date32()), ("mean", pa.float64())]
    + [(name, pa.float64()) for name in NAMES]
)
"""Demand of single days in base units."""
TOTAL_SCHEMA = pa.schema(
    [("item_id", pa.string()), ("location_id", pa.string()), ("date", pa.date32()), ("horizon_days", pa.int32())]
    + [(name, pa.float64()) for name in ("mean", *NAMES)]
    + [("unit", pa.string()), ("basis", pa.string())]
)
"""Demand summed over `horizon_days` from `date` on, in base units; its quantiles are those of the sum."""


def daily_blocks(
    snapshot: Snapshot, forecast: DemandForecast, horizon: int, rows: npt.NDArray[np.int64]
) -> Iterator[pa.Table]:
    """Tables of `DAILY_SCHEMA`, item-location by item-location, day by day.

    A day's distribution depends on its weekday alone, so seven are evaluated and laid out over the horizon.
    """
    week = forecast.first_day + np.arange(min(horizon, WEEK))
    days = forecast.first_day + np.arange(horizon)
    place = np.arange(horizon) % WEEK
    unit = 10.0 ** snapshot.scale().astype(np.float64)
    for begin in range(0, len(rows), DAILY_BLOCK):
        block = rows[begin : begin + DAILY_BLOCK]
        scale = unit[snapshot.item[block]][:, None]
        mean = forecast.mean(block, week) / scale
        quantile = forecast.daily_quantiles(block, week, QUANTILES) / scale[:, :, None]
        columns = _names(snapshot, np.repeat(block, horizon))
        columns.append(pa.array(np.tile(days, len(block)).astype(np.int32)).cast(pa.date32()))
        columns.append(pa.array(mean[:, place].ravel()))
        columns += [pa.array(quantile[:, place, k].ravel()) for k in range(len(QUANTILES))]
        yield pa.table(columns, schema=DAILY_SCHEMA)


def total_blocks(
    snapshot: Snapshot, forecast: DemandForecast, horizon: int, rows: npt.NDArray[np.int64]
) -> Iterator[pa.Table]:
    """Tables of `TOTAL_SCHEMA`: the sum over the horizon with the uncertainty of the level in it."""
    unit = 10.0 ** snapshot.scale().astype(np.float64)
    units = np.array([name or "each" for name in snapshot.items.column("unit").to_pylist()], dtype=object)
    for begin in range(0, len(rows), TOTAL_BLOCK):
        block = rows[begin : begin + TOTAL_BLOCK]
        scale = unit[snapshot.item[block]]
        mean = forecast.total_mean(block, forecast.first_day, horizon) / scale
        quantile = totals(forecast, block, forecast.first_day, horizon, QUANTILES) / scale[:, None]
        columns = _names(snapshot, block)
        columns.append(pa.array(np.full(len(block), forecast.first_day, np.int32)).cast(pa.date32()))
        columns.append(pa.array(np.full(len(block), horizon, np.int32)))
        columns.append(pa.array(mean))
        columns += [pa.array(quantile[:, k]) for k in range(len(QUANTILES))]
        columns.append(pa.array(units[snapshot.item[block]], pa.string()))
        columns.append(pa.array(np.array(BASES, object)[forecast.basis[block]], pa.string()))
        yield pa.table(columns, schema=TOTAL_SCHEMA)


def totals(
    forecast: DemandForecast,
    rows: npt.NDArray[np.int64],
    first_day: int,
    horizon: int,
    probabilities: npt.ArrayLike,
) -> npt.NDArray[np.float64]:
    """`DemandForecast.total_quantiles` for millions of rows: above a mean of 48 from a table (`count_totals`).

    `probabilities` ascend. Declared shapes other than counts are evaluated one by one.
    """
    mean = forecast.total_mean(rows, first_day, horizon)
    variance = forecast.total_variance(rows, first_day, horizon)
    out = count_totals(mean, np.maximum(variance / np.maximum(mean, 1e-12) - 1.0, 0.0), probabilities)
    odd = np.flatnonzero(forecast.basis[rows] == DECLARED)
    if len(odd):
        out[odd] = forecast.total_quantiles(rows[odd], first_day, horizon, probabilities)
    return out


def _names(snapshot: Snapshot, rows: npt.NDArray[np.int64]) -> list[pa.Array]:
    """Item and location ids of some rows."""
    items, places = snapshot.items.column("item_id"), snapshot.locations.column("location_id")
    return [
        items.take(pa.array(snapshot.item[rows])).combine_chunks().cast(pa.string()),
        places.take(pa.array(snapshot.location[rows])).combine_chunks().cast(pa.string()),
    ]

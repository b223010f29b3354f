"""Empty shelves: conditional means added up, and the level found again where sales were cut off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from stocktwin.analytics.censored import censored_days, expected_at_least
from stocktwin.analytics.demand import fit_demand
from stocktwin.tables.snapshot import STOCKOUT_SCHEMA, Snapshot

Build = Callable[..., Snapshot]
stats = pytest.importorskip("scipy.stats")


def test_the_mean_beyond_what_was_sold_is_what_adding_up_gives() -> None:
    k = np.arange(3_000)
    for sold, mean, phi in ((0, 2.0, 0.5), (3, 2.0, 1.0), (9, 4.0, 3.0), (40, 30.0, 6.0)):
        mass = stats.nbinom.pmf(k, mean / phi, 1 / (1 + phi))
        expected = (k * mass)[k >= sold].sum() / mass[k >= sold].sum()
        found = expected_at_least(np.array([float(sold)]), np.array([mean]), np.array([phi]))
        assert found[0] == pytest.approx(expected, rel=1e-6)
    far = expected_at_least(np.array([500.0]), np.array([0.01]), np.array([0.02]))
    assert 500 <= far[0] < 503


def stocked(n: int, days: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True demand, what was sold of it, and closing stock: replenished late and too little."""
    rng = np.random.default_rng(seed)
    rate = np.geomspace(1.0, 12.0, n)[:, None]
    asked = rng.poisson(rng.gamma(2.0, rate / 2.0, (n, days)))
    sold, closing = np.zeros_like(asked), np.zeros_like(asked)
    shelf = 6 * rate[:, 0]
    for day in range(days):
        if day % 7 == 0:
            shelf = np.maximum(shelf, np.round(rate[:, 0] * 5))
        sold[:, day] = np.minimum(asked[:, day], shelf)
        shelf = shelf - sold[:, day]
        closing[:, day] = shelf
    return asked, sold, closing


def twin_of(snapshot: Build, sold: np.ndarray, closing: np.ndarray, today: int) -> Snapshot:
    first = today - sold.shape[1] + 1
    sales = {
        (f"I{row:03d}", "D"): {first + day: int(sold[row, day]) for day in np.flatnonzero(sold[row])}
        for row in range(len(sold))
    }
    made = snapshot(sales, first_day=first, start=dict.fromkeys(sales, first))
    row, day = np.nonzero(closing <= 0)
    whole = (sold[row, day] == 0) & (day % 7 != 0) & (closing[row, np.maximum(day - 1, 0)] <= 0)
    columns = [row.astype(np.int32), (first + day).astype(np.int32), whole]
    return replace(made, stockouts=pa.table([pa.array(part) for part in columns], schema=STOCKOUT_SCHEMA))


def test_the_demand_behind_empty_shelves_is_found_again(snapshot: Build, today: int) -> None:
    """Sales alone say as much too little as was lost, the censored likelihood is within a few per cent."""
    asked, sold, closing = stocked(60, 364, 1)
    twin = twin_of(snapshot, sold, closing, today)
    true = np.geomspace(1.0, 12.0, 60)
    told = fit_demand(twin, horizon_days=28)
    blind = fit_demand(replace(twin, stockouts=STOCKOUT_SCHEMA.empty_table()), horizon_days=28)
    lost = 1 - sold.sum() / asked.sum()
    assert lost > 0.15
    mean = told.total_mean(slice(None), told.first_day, 28) / 28
    assert blind.level.sum() / true.sum() == pytest.approx(1 - lost, abs=0.05)
    assert mean.sum() / true.sum() == pytest.approx(1.0, abs=0.06)
    assert np.abs(mean / true - 1).mean() < 0.7 * np.abs(blind.level / true - 1).mean()


def test_without_stock_outs_nothing_changes(snapshot: Build, today: int) -> None:
    asked, _, _ = stocked(20, 200, 2)
    twin = twin_of(snapshot, asked, np.ones_like(asked), today)
    assert censored_days(twin) is None
    other = twin_of(snapshot, asked, np.where(np.arange(20)[:, None] == 0, 0, 1) * np.ones_like(asked), today)
    one, two = fit_demand(twin), fit_demand(other)
    assert two.level[1:] == pytest.approx(one.level[1:], rel=0.01), "nor, but for the shared weekdays, where none was"
    assert two.level[0] > one.level[0]


def test_a_sale_from_an_empty_shelf_shows_that_the_record_was_wrong(snapshot: Build, today: int) -> None:
    twin = snapshot({("A", "D"): {today: 3, today - 50: 1}})
    table = pa.table({"row": [0, 0], "day": [today, today - 1], "whole": [True, True]}, schema=STOCKOUT_SCHEMA)
    found = censored_days(replace(twin, stockouts=table))
    assert found is not None
    assert (found.day.tolist(), found.sold.tolist()) == ([today - 1], [0])

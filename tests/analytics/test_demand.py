"""Demand: what is recovered from data that were made, who is pooled, what is declared, how totals add up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stocktwin.analytics.demand import BASES, DemandForecast, fit_at, fit_demand
from stocktwin.domain.errors import UsageError
from stocktwin.tables.history import History
from stocktwin.tables.schema import DISTRIBUTIONS
from stocktwin.tables.snapshot import Snapshot

Build = Callable[..., Snapshot]
TODAY = 20_089
SHAPE = np.array([1.3, 1.2, 1.1, 1.0, 1.4, 0.7, 0.3])
EVERY = slice(None)


def made(means: np.ndarray, phi: float, days: int = 365, seed: int = 0, shape: np.ndarray = SHAPE) -> np.ndarray:
    """[series, days] of negative binomial demand up to today with a known weekday shape."""
    rng = np.random.default_rng(seed)
    day = np.arange(TODAY - days + 1, TODAY + 1)
    m = means[:, None] * shape[(day + 3) % 7]
    rate = rng.gamma(m / phi, phi) if phi > 0 else m
    return rng.poisson(rate)


def sales_of(demand: np.ndarray, place: str = "L1", name: str = "I") -> dict[tuple[str, str], dict[int, int]]:
    first = TODAY - demand.shape[1] + 1
    return {
        (f"{name}{k:03d}", place): {first + t: int(q) for t, q in enumerate(row) if q} for k, row in enumerate(demand)
    }


def twin_of(snapshot: Build, history: np.ndarray, **more: Any) -> Snapshot:
    sales = sales_of(history)
    start = TODAY - history.shape[1] + 1
    return snapshot(sales, start=dict.fromkeys(sales, start), first_day=start, **more)


def test_what_was_put_in_comes_out(snapshot: Build) -> None:
    means = np.repeat([0.5, 2.0, 8.0, 30.0], 60)
    forecast = fit_demand(twin_of(snapshot, made(means, 1.5)))
    level, phi = forecast.level.reshape(4, 60), forecast.dispersion.reshape(4, 60)
    assert level.mean(1) == pytest.approx([0.5, 2.0, 8.0, 30.0], rel=0.06)
    assert phi.mean(1) == pytest.approx([1.5] * 4, rel=0.2)
    assert forecast.weekday_index[forecast.group[0]] == pytest.approx(SHAPE, abs=0.06)
    assert forecast.weekday_index.mean(1) == pytest.approx(np.ones(len(forecast.weekday_index)))
    assert set(forecast.basis) == {BASES.index("history")}
    assert (forecast.first_day, len(forecast)) == (TODAY + 1, 240)


def test_the_mean_of_a_day_is_level_times_weekday(snapshot: Build) -> None:
    forecast = fit_demand(twin_of(snapshot, made(np.array([5.0, 9.0]), 1.0)))
    days = forecast.first_day + np.arange(10)
    mean = forecast.mean(np.array([1, 0]), days)
    for at, row in enumerate((1, 0)):
        for k, day in enumerate(days):
            weekday = (int(day) + 3) % 7
            assert mean[at, k] == forecast.level[row] * forecast.weekday_index[forecast.group[row], weekday]
    total = forecast.total_mean(EVERY, forecast.first_day, 10)
    assert total == pytest.approx(forecast.mean(EVERY, days).sum(1))


def test_the_future_is_not_looked_at(snapshot: Build) -> None:
    demand = made(np.repeat([1.0, 6.0], 40), 1.0)
    changed = demand.copy()
    changed[:, -60:] = 99
    before, after = (fit_at(twin_of(snapshot, part), TODAY - 59, 28) for part in (demand, changed))
    for name in ("level", "weekday_index", "dispersion", "level_cv", "calibration"):
        assert (getattr(before, name) == getattr(after, name)).all(), name
    assert (fit_at(twin_of(snapshot, changed), TODAY + 1, 28).level > before.level).all()


def test_blocks_do_not_change_anything(snapshot: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    twin = twin_of(snapshot, made(np.repeat([1.0, 6.0], 30), 1.0))
    whole = fit_demand(twin)
    monkeypatch.setattr("stocktwin.analytics.demand_fit.BLOCK", 7)
    parts = fit_demand(twin)
    assert (whole.level == parts.level).all()
    assert (whole.dispersion == parts.dispersion).all()


def test_a_closed_weekday_is_forecast_as_nothing(snapshot: Build) -> None:
    shape = np.array([1.4, 1.4, 1.4, 1.4, 1.4, 0.0, 0.0])
    forecast = fit_demand(twin_of(snapshot, made(np.repeat(6.0, 80), 1.0, shape=shape)))
    sunday = forecast.first_day + 3
    assert (sunday + 3) % 7 == 6
    assert forecast.mean(EVERY, [sunday]).max() < 0.2
    assert forecast.level.mean() == pytest.approx(6.0, rel=0.06)


def test_horizon_sums_keep_their_promise(snapshot: Build) -> None:
    """80 % windows of sums cover 78–84 %, with a level that drifts; adding daily quantiles or days would not."""
    rng = np.random.default_rng(5)
    drift = np.exp(np.cumsum(rng.normal(0, 0.018, (400, 393)), 1))
    m = np.repeat([3.0, 12.0], 200)[:, None] * drift
    demand = rng.poisson(rng.gamma(m / 0.8, 0.8))
    forecast = fit_demand(twin_of(snapshot, demand[:, :365]), horizon_days=28)
    low, high = forecast.total_quantiles(EVERY, forecast.first_day, 28, [0.1, 0.9]).T
    actual = demand[:, 365:].sum(1)
    assert 0.76 < ((actual >= low) & (actual <= high)).mean() < 0.86
    assert 0.1 < forecast.level_cv.mean() < 0.5
    sure = replace(forecast, level_cv=np.zeros(400))
    low, high = sure.total_quantiles(EVERY, forecast.first_day, 28, [0.1, 0.9]).T
    assert ((actual >= low) & (actual <= high)).mean() < 0.7


def test_a_stable_level_is_not_made_uncertain(snapshot: Build) -> None:
    forecast = fit_demand(twin_of(snapshot, made(np.repeat([4.0, 10.0], 100), 1.0)), horizon_days=28)
    assert forecast.level_cv.max() <= 0.2


def test_totals_have_the_variance_that_is_stated(snapshot: Build) -> None:
    """Mean and variance of the quantiles of the total are those of `total_mean` and `total_variance`."""
    twin = twin_of(snapshot, made(np.repeat([2.0, 15.0], 3), 1.0), demand=[
        {"item_id": "I000", "location_id": "L1", "distribution": "normal", "mean": 50.0, "sd": 8.0},
        {"item_id": "I001", "location_id": "L1", "distribution": "gamma", "mean": 50.0, "sd": 40.0}])  # fmt: skip
    forecast = fit_demand(twin)
    p = (np.arange(4000) + 0.5) / 4000
    quantile = forecast.total_quantiles(EVERY, forecast.first_day, 21, p)
    assert quantile.mean(1) == pytest.approx(forecast.total_mean(EVERY, forecast.first_day, 21), rel=0.01)
    assert quantile.var(1) == pytest.approx(forecast.total_variance(EVERY, forecast.first_day, 21), rel=0.03)


def test_a_young_item_is_shrunk_to_its_category(snapshot: Build) -> None:
    old = made(np.repeat(4.0, 40), 1.0)
    sales = sales_of(old) | {("NEW", "L1"): {TODAY - 2: 60}, ("NEWER", "L1"): {TODAY: 60}}
    start = dict.fromkeys(sales_of(old), TODAY - 364) | {("NEW", "L1"): TODAY - 13, ("NEWER", "L1"): TODAY}
    items = [{"item_id": key[0], "category": "c"} for key in sales]
    twin = snapshot(sales, start=start, items=items)
    forecast = fit_demand(twin)
    new, newer = (twin.row(name, "L1") for name in ("NEW", "NEWER"))
    assert [forecast.basis_name(row) for row in (new, newer)] == ["pooled", "pooled"]
    own = 60 / 14
    assert 4.0 * 0.8 < forecast.level[new] < max(own, 5) * 1.3
    assert abs(forecast.level[newer] - 4.0) < 6, "one day of sixty hardly counts"
    others = forecast.level_cv[[row for row in range(len(twin)) if row not in (new, newer)]].max()
    assert forecast.level_cv[newer] > forecast.level_cv[new] > others


def test_a_pool_does_not_mix_units(snapshot: Build) -> None:
    """Grams do not become the level of pieces: pools stay within a unit, in base units."""
    pieces, grams = made(np.repeat(4.0, 20), 1.0), made(np.repeat(9000.0, 20), 50.0)
    sales = sales_of(pieces) | sales_of(grams, name="G") | {("NEW", "L1"): {TODAY: 5}, ("NEWG", "L1"): {TODAY: 8000}}
    start = dict.fromkeys(sales, TODAY - 364) | {("NEW", "L1"): TODAY - 1, ("NEWG", "L1"): TODAY - 1}
    kilograms = {"unit": "kilogram", "scale": 3}
    items = [{"item_id": key[0], **(kilograms if "G" in key[0] else {})} for key in sales]
    twin = snapshot(sales, start=start, items=items)
    forecast = fit_demand(twin)
    assert forecast.level[twin.row("NEW", "L1")] == pytest.approx(4, rel=0.5)
    assert forecast.level[twin.row("NEWG", "L1")] == pytest.approx(9000, rel=0.5)


def test_a_twin_without_any_grown_history_pools_what_there_is(snapshot: Build) -> None:
    forecast = fit_demand(twin_of(snapshot, made(np.repeat(4.0, 10), 1.0, days=6)))
    assert {forecast.basis_name(row) for row in range(10)} == {"pooled"}
    assert forecast.level.mean() == pytest.approx(4.0, rel=0.4)
    assert forecast.level_cv.min() >= 0.4
    assert forecast.origins == ()


def test_nothing_sold_is_no_demand(snapshot: Build) -> None:
    twin = snapshot({("A", "L1"): {TODAY: 3}}, pairs=[("A", "L2")])
    forecast = fit_demand(twin)
    row = twin.row("A", "L2")
    assert (forecast.basis_name(row), forecast.level[row], forecast.level_cv[row]) == ("none", 0.0, 0.0)
    assert forecast.total_quantiles([row], forecast.first_day, 30, [0.99]).tolist() == [[0.0]]


def test_an_empty_twin_has_an_empty_forecast(snapshot: Build) -> None:
    forecast = fit_demand(snapshot())
    assert len(forecast) == 0
    assert forecast.total_quantiles(EVERY, forecast.first_day, 7, [0.5]).shape == (0, 1)


def declared(snapshot: Build, distribution: str, mean: float, sd: float | None, scale: int = 0) -> DemandForecast:
    row = {"item_id": "A", "location_id": "L1", "distribution": distribution, "mean": mean, "sd": sd}
    sold = {("A", "L1"): {TODAY - k: 900 for k in range(200)}}
    return fit_demand(snapshot(sold, items=[{"item_id": "A", "scale": scale, "unit": "kilogram"}], demand=[row]))


@pytest.mark.parametrize(
    ("distribution", "mean", "sd", "scipy"),
    [
        ("poisson", 20.0, None, lambda s, h: s.poisson(20 * h)),
        ("normal", 50.0, 8.0, lambda s, h: s.norm(50 * h, 8 * h**0.5)),
        ("gamma", 100.0, 40.0, lambda s, h: s.gamma(6.25 * h, scale=16)),
        ("negative_binomial", 12.0, 6.0, lambda s, h: s.nbinom(6 * h, 1 / 3)),
        ("empirical", 12.0, 6.0, lambda s, h: s.nbinom(6 * h, 1 / 3)),
        ("empirical", 100.0, 4.0, lambda s, h: s.gamma(625 * h, scale=0.16)),
    ],
)
def test_declared_demand_is_exact(
    snapshot: Build, distribution: str, mean: float, sd: float | None, scipy: Callable[..., Any]
) -> None:
    """No weekday shape, no level uncertainty; sums over days have the exact distribution of independent days."""
    stats = pytest.importorskip("scipy.stats")
    forecast = declared(snapshot, distribution, mean, sd)
    p = np.array([0.1, 0.5, 0.95])
    assert forecast.basis_name(0) == "declared"
    assert forecast.declared_distribution[0] == DISTRIBUTIONS.index(distribution)
    assert forecast.mean(EVERY, forecast.first_day + np.arange(7)).tolist() == [[mean] * 7]
    assert forecast.daily_quantiles(EVERY, [forecast.first_day], p)[0, 0] == pytest.approx(
        scipy(stats, 1).ppf(p), rel=1e-6
    )
    assert forecast.total_quantiles(EVERY, forecast.first_day, 9, p)[0] == pytest.approx(
        scipy(stats, 9).ppf(p), rel=1e-6
    )
    expected = (mean if sd is None else sd**2) * 9
    assert forecast.total_variance(EVERY, forecast.first_day, 9)[0] == pytest.approx(expected)
    assert forecast.level_cv[0] == 0


def test_declared_demand_is_in_base_units(snapshot: Build) -> None:
    forecast = declared(snapshot, "normal", 2.5, 0.4, scale=3)
    assert (forecast.level[0], forecast.declared_sd[0]) == (2500.0, 400.0)


def test_daily_quantiles_cover_days(snapshot: Build) -> None:
    demand = made(np.repeat([0.5, 20.0], 150), 1.0, days=393)
    forecast = fit_demand(twin_of_past(snapshot, demand), horizon_days=28)
    low, high = np.moveaxis(forecast.daily_quantiles(EVERY, forecast.first_day + np.arange(28), [0.1, 0.9]), 2, 0)
    actual = demand[:, 365:]
    fast = slice(150, None)
    assert 0.78 < ((actual >= low) & (actual <= high))[fast].mean() < 0.88


def twin_of_past(snapshot: Build, demand: np.ndarray) -> Snapshot:
    """The twin whose last day is 28 days before the end of the demand; weekdays fit because 28 is a multiple of 7."""
    return twin_of(snapshot, demand[:, :365])


@pytest.mark.parametrize("bad", [0.0, 1.0, 1.5])
def test_bad_use_is_refused(snapshot: Build, bad: float) -> None:
    twin = snapshot({("A", "L1"): {TODAY: 3}})
    forecast = fit_demand(twin)
    with pytest.raises(UsageError, match=str(bad)):
        forecast.total_quantiles(EVERY, forecast.first_day, 3, [bad])
    with pytest.raises(UsageError, match="0"):
        fit_demand(twin, horizon_days=0)


def test_read_only_histories_are_fine(snapshot: Build) -> None:
    twin = twin_of(snapshot, made(np.repeat(3.0, 4), 1.0))
    history = twin.sales
    frozen = [getattr(history, name).copy() for name in ("offsets", "days", "quantity", "start")]
    for array in frozen:
        array.setflags(write=False)
    locked = replace(twin, sales=History(history.first_day, history.last_day, *frozen))
    assert (fit_demand(locked).level == fit_demand(twin).level).all()

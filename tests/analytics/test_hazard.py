"""Waits pooled over groups: against Kaplan–Meier where nothing is pooled, else a slow loop, and simulated truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocktwin.analytics.hazard import DAYS, Waits, pooled_cdf, recency, remaining_mean, remaining_quantiles
from stocktwin.analytics.survival import kaplan_meier

Floats = np.ndarray


def waits(rng: np.random.Generator, n: int, groups: int = 3) -> Waits:
    factors = np.column_stack([rng.integers(-1, groups, n), rng.integers(0, 2, n)]).astype(np.int64)
    return Waits(factors, rng.integers(1, 40, n).astype(float), rng.random(n) < 0.7, rng.uniform(0.2, 1, n))


def slow_cdf(seen: Waits, one: list[int], levels: tuple[tuple[int, ...], ...], base: Floats, k: float) -> Floats:
    """The same day by day and wait by wait."""
    hazard = base.copy()
    for level in levels:
        if any(one[f] < 0 for f in level):
            continue
        mine = [i for i in range(len(seen)) if all(seen.factors[i, f] == one[f] for f in level)]
        if not mine:
            continue
        for day in range(DAYS + 1):
            arrived = sum(seen.weight[i] for i in mine if seen.done[i] and seen.days[i] == day)
            waiting = sum(seen.weight[i] for i in mine if seen.days[i] >= day)
            hazard[day] = (arrived + k * hazard[day]) / (waiting + k)
    return 1 - np.cumprod(1 - np.clip(hazard, 0, 0.9999))


@settings(max_examples=10)
@given(seed=st.integers(0, 10_000))
def test_the_fast_path_is_the_slow_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    seen = waits(rng, 30)
    levels = ((0,), (1,), (0, 1))
    wanted = np.array([[0, 0], [2, 1], [-1, 1], [9, 0]], np.int64)
    base = np.diff(pooled_cdf(seen, np.array([[-1, -1]]), ()), prepend=0)[0]
    survive = 1 - np.concatenate([[0], np.cumsum(base)[:-1]])
    hazard = np.divide(base, survive, out=np.zeros_like(base), where=survive > 1e-12)  # nobody waits any more
    for row, one in enumerate(wanted.tolist()):
        expected = slow_cdf(seen, one, levels, hazard, 20.0)
        assert pooled_cdf(seen, wanted, levels)[row] == pytest.approx(expected, abs=1e-9)


def test_without_pooling_it_is_kaplan_and_meier() -> None:
    rng = np.random.default_rng(5)
    seen = Waits(
        np.zeros((200, 1), np.int64), rng.integers(1, 60, 200).astype(float), rng.random(200) < 0.6, np.ones(200)
    )
    cdf = pooled_cdf(seen, np.zeros((1, 1), np.int64), ((0,),), strength=1e-9)[0]
    when, share = kaplan_meier(seen.days, seen.done)
    assert cdf[when.astype(int)] == pytest.approx(share, abs=1e-4)


def test_what_is_still_open_makes_it_slower() -> None:
    """Dropping the open lines would take the fast ones for all."""
    rng = np.random.default_rng(6)
    true = np.ceil(rng.gamma(4, 10, 4_000))
    age = rng.uniform(0, 120, 4_000)
    done = true <= age
    none = np.zeros((4_000, 1), np.int64)
    kept = pooled_cdf(Waits(none, np.where(done, true, age), done, np.ones(4_000)), none[:1], ((0,),))
    dropped = pooled_cdf(Waits(none[done], true[done], done[done], np.ones(done.sum())), none[:1], ((0,),))
    new = np.zeros(1)
    assert remaining_quantiles(kept, new, [0.5, 0.9])[0] == pytest.approx(np.quantile(true, [0.5, 0.9]), rel=0.05)
    assert remaining_quantiles(dropped, new, [0.9])[0, 0] < 0.9 * np.quantile(true, 0.9)
    assert remaining_mean(kept, new)[0] == pytest.approx(true.mean(), rel=0.05)


def test_windows_of_lines_in_flight_cover_what_they_say() -> None:
    rng = np.random.default_rng(7)
    past, true, age = np.ceil(rng.gamma(4, 10, 3_000)), np.ceil(rng.gamma(4, 10, 3_000)), rng.uniform(0, 90, 3_000)
    none = np.zeros((3_000, 1), np.int64)
    cdf = pooled_cdf(Waits(none, past, np.ones(3_000, bool), np.ones(3_000)), none[:1], ((0,),))
    open_still = true > age
    rows = np.repeat(cdf, open_still.sum(), axis=0)
    window = remaining_quantiles(rows, age[open_still], [0.1, 0.9])
    inside = (true[open_still] >= window[:, 0]) & (true[open_still] <= window[:, 1])
    assert 0.78 < inside.mean() < 0.86
    assert (window[:, 0] > np.floor(age[open_still])).all(), "nothing arrives before now"
    mean = remaining_mean(rows, age[open_still])
    assert mean.mean() == pytest.approx(true[open_still].mean(), rel=0.03)


def test_a_wait_beyond_all_experience_has_an_open_end() -> None:
    seen = Waits(np.zeros((50, 1), np.int64), np.arange(1.0, 51.0), np.ones(50, bool), np.ones(50))
    cdf = pooled_cdf(seen, np.zeros((1, 1), np.int64), ((0,),))
    for age in (60.0, 400.0, 800.0, 2_000.0):
        low, middle, high = remaining_quantiles(cdf, np.array([age]), [0.1, 0.5, 0.9])[0]
        assert age < low <= middle <= high < age + 1_000
        assert age < remaining_mean(cdf, np.array([age]))[0] < age + 400


def test_recent_waits_weigh_more() -> None:
    group = np.zeros((200, 1), np.int64)
    days = np.repeat([10.0, 30.0], 100)
    weight = recency(np.repeat([1_500.0, 10.0], 100))
    cdf = pooled_cdf(Waits(group, days, np.ones(200, bool), weight), group[:1], ((0,),))
    assert remaining_quantiles(cdf, np.zeros(1), [0.5])[0, 0] == 30

"""Quantiles and moments against SciPy and against sums written out; compiled and plain Python give the same."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocktwin.kernels import demand as kernels
from stocktwin.kernels.demand import (
    SHAPE_COUNT,
    SHAPE_GAMMA,
    SHAPE_NORMAL,
    count_cdfs,
    demand_quantiles,
    fill_group_weekdays,
    fill_weekday_moments,
)

pytestmark = pytest.mark.kernels
stats = pytest.importorskip("scipy.stats")
P = np.array([0.001, 0.025, 0.1, 0.5, 0.9, 0.975, 0.999])


def grid(n: int, low: float, high: float, seed: int = 0) -> np.ndarray:
    return np.exp(np.random.default_rng(seed).uniform(math.log(low), math.log(high), n))


def scipy_count(m: np.ndarray, phi: np.ndarray) -> Any:
    return stats.nbinom(m / phi, 1 / (1 + phi))


def test_normal_quantiles_agree_with_scipy() -> None:
    for p in (1e-12, 1e-5, 0.01, 0.02425, 0.3, 0.5, 0.7, 0.99, 1 - 1e-9):
        assert kernels.normal_quantile(p) == pytest.approx(stats.norm.ppf(p), rel=1e-12, abs=1e-14)
    assert kernels.normal_quantile(0.0) == -math.inf
    assert kernels.normal_quantile(1.0) == math.inf
    assert kernels.normal_cdf(1.96) == pytest.approx(stats.norm.cdf(1.96), rel=1e-14)


def test_gamma_and_beta_agree_with_scipy() -> None:
    for a in (0.02, 0.5, 1.0, 7.3, 250.0, 9e4):
        for p in P:
            x = stats.gamma.ppf(p, a)
            assert kernels.gamma_cdf(a, x) == pytest.approx(p, rel=1e-9)
            assert kernels.gamma_quantile(float(p), a) == pytest.approx(x, rel=1e-9)
        assert kernels.beta_cdf(a, 3.0, 0.4) == pytest.approx(stats.beta.cdf(0.4, a, 3.0), rel=1e-9, abs=1e-300)


def test_count_quantiles_are_scipys_to_the_unit() -> None:
    m, phi = grid(120, 1e-3, 15_000), grid(120, 1e-3, 300, 1)
    found = demand_quantiles(SHAPE_COUNT, m, phi, P)
    assert found.tolist() == np.stack([scipy_count(m, phi).ppf(p) for p in P], 1).tolist()


def test_poisson_quantiles_are_scipys_to_the_unit() -> None:
    m = grid(120, 1e-3, 15_000)
    found = demand_quantiles(SHAPE_COUNT, m, 0.0, P)
    assert found.tolist() == np.stack([stats.poisson.ppf(p, m) for p in P], 1).tolist()


def test_large_counts_are_close_enough() -> None:
    m, phi = grid(60, 20_001, 1e9), grid(60, 1e-3, 1e3, 1)
    found = demand_quantiles(SHAPE_COUNT, m, phi, P)
    exact = np.stack([scipy_count(m, phi).ppf(p) for p in P], 1)
    assert np.abs((found - exact) / np.sqrt(m * (1 + phi))[:, None]).max() < 0.02, "of a standard deviation"


def test_count_probabilities_agree_with_scipy() -> None:
    m, phi = grid(100, 0.01, 15_000), grid(100, 1e-2, 100, 1)
    k = np.floor(m * np.linspace(0, 3, 100))
    assert count_cdfs(k, m, phi) == pytest.approx(scipy_count(m, phi).cdf(k), abs=1e-8)
    assert count_cdfs(k, m, 0.0) == pytest.approx(stats.poisson.cdf(k, m), abs=1e-8)
    assert count_cdfs([-1.0, 0.0], [5.0, 0.0], 1.0).tolist() == [0.0, 1.0]


def test_gamma_and_normal_shapes() -> None:
    found = demand_quantiles([SHAPE_GAMMA, SHAPE_NORMAL, SHAPE_NORMAL], [30.0, 30.0, 1.0], [9.0, 9.0, 9.0], P)
    assert found[0] == pytest.approx(stats.gamma.ppf(P, (30 / 9) ** 2, scale=81 / 30))
    assert found[1] == pytest.approx(stats.norm.ppf(P, 30, 9))
    assert found[2].min() == 0.0, "no negative demand"
    assert demand_quantiles([SHAPE_GAMMA, SHAPE_NORMAL], 4.0, 0.0, 0.9 * np.ones(1)).tolist() == [[4.0], [4.0]]
    assert demand_quantiles(SHAPE_COUNT, 0.0, 2.0, P).max() == 0.0


@pytest.mark.parametrize("p", [0.0, 1.0, -0.1])
def test_a_probability_lies_inside(p: float) -> None:
    with pytest.raises(ValueError, match=str(p)):
        demand_quantiles(0, 1.0, 1.0, [0.5, p])


@settings(max_examples=60)
@given(st.floats(0.01, 2_000), st.floats(0, 50), st.floats(0.001, 0.999))
def test_a_quantile_is_the_first_whole_number_that_reaches_the_probability(m: float, phi: float, p: float) -> None:
    k = float(demand_quantiles(0, m, phi, [p])[0, 0])
    assert k >= 0
    assert count_cdfs(k, m, phi)[0] >= p - 1e-9
    assert count_cdfs(k - 1, m, phi)[0] < p + 1e-9


@settings(max_examples=30)
@given(st.floats(0.01, 500), st.floats(0, 20))
def test_quantiles_rise_with_the_probability(m: float, phi: float) -> None:
    assert (np.diff(demand_quantiles(0, m, phi, np.linspace(0.01, 0.99, 25))[0]) >= 0).all()


def test_compiled_and_plain_python_agree() -> None:
    for p, m, phi in ((0.3, 0.4, 0.5), (0.9, 30.0, 3.0), (0.99, 900.0, 12.0), (0.5, 5e4, 2.0)):
        assert kernels.count_quantile(p, m, phi) == kernels.count_quantile.py_func(p, m, phi)
        assert kernels.count_cdf(m, m, phi) == pytest.approx(kernels.count_cdf.py_func(m, m, phi), rel=1e-12)


def sparse(seed: int = 0, n: int = 5, days: int = 40) -> tuple[np.ndarray, ...]:
    """Random sparse histories as (dense matrix, offsets, days, quantity); day 0 is 2024-12-02, a Monday."""
    rng = np.random.default_rng(seed)
    dense = rng.integers(0, 9, (n, days)) * (rng.random((n, days)) < 0.5)
    row, column = np.nonzero(dense)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n))]).astype(np.int64)
    return dense, offsets, (column + 20_059).astype(np.int32), dense[row, column].astype(np.int64)


def test_weekday_moments_are_the_sums_they_say() -> None:
    dense, offsets, days, quantity = sparse()
    weight = np.random.default_rng(1).random((3, 30))
    rows = np.array([4, 1], np.int64)
    out = np.zeros((2, 3, 7))
    fill_weekday_moments(offsets, days, quantity, rows, weight, np.array([0, 1, 2]), 20_059 + 3, out)
    for at, row in enumerate(rows):
        for k in range(3):
            for weekday in range(7):
                picked = [t for t in range(3, 33) if t % 7 == weekday]
                slow = sum(weight[k, t - 3] * dense[row, t] ** k for t in picked if dense[row, t])
                assert out[at, k, weekday] == pytest.approx(slow)


def test_group_weekdays_are_the_sums_they_say() -> None:
    dense, offsets, days, quantity = sparse()
    group, unit = np.array([0, 1, 0, 1, 1], np.int32), np.array([1.0, 0.1, 1.0, 1.0, 0.5])
    total, square = np.zeros((2, 7)), np.zeros((2, 7))
    fill_group_weekdays(offsets, days, quantity, group, unit, 20_059 + 5, 20_059 + 25, total, square)
    scaled = dense * unit[:, None]
    for g in range(2):
        for weekday in range(7):
            inside = [t for t in range(5, 26) if t % 7 == weekday]
            part = scaled[group == g][:, inside]
            assert (total[g, weekday], square[g, weekday]) == pytest.approx((part.sum(), (part**2).sum()))

"""Every demand distribution against its exact probabilities, moments and what is drawn from it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from stocktwin.kernels.demand import SHAPE_COUNT, SHAPE_GAMMA, SHAPE_NORMAL
from stocktwin.kernels.inverse import (
    DemandTables,
    cell_start,
    demand_tables,
    fill_inverse,
    level_factors,
    moments_of,
    octave,
)
from stocktwin.kernels.jit import jit_disabled
from stocktwin.kernels.streams import fill_draws
from stocktwin.simulation.reference import demand_at

pytestmark = pytest.mark.kernels
FULL = 2**32
ENOUGH = 1e-4
SIZE = 3_000 if jit_disabled() else 200_000
EXAMPLES = 10 if jit_disabled() else 60


def table_of(shape: int, mean: float, variance: float) -> DemandTables:
    """One table."""
    return demand_tables(np.array([shape]), np.array([float(mean)]), np.array([float(variance)]))


def values(tables: DemandTables, uniform: np.ndarray) -> np.ndarray:
    """What the only table gives at uniforms 0 … 2³² − 1."""
    out = np.empty(len(uniform), np.int64)
    fill_inverse(tables, 0, np.ascontiguousarray(uniform, np.int64), out)
    return out


def sample(tables: DemandTables, seed: int = 3, size: int = SIZE) -> np.ndarray:
    """Draws with a stream of ours."""
    uniform = np.empty(size, np.int64)
    fill_draws(seed, 5, 1, 0, uniform)
    return values(tables, uniform)


def exact(shape: int, mean: float, variance: float) -> object:
    """The distribution as SciPy has it (continuous ones are rounded to whole units and cut at zero)."""
    if shape == SHAPE_NORMAL:
        return stats.norm(mean, variance**0.5)
    if shape == SHAPE_GAMMA:
        return stats.gamma(mean**2 / variance, scale=variance / mean)
    phi = variance / mean - 1
    if phi > 1e-9:
        return stats.nbinom(mean / phi, 1 / (1 + phi))
    return stats.poisson(mean)


def limit_errors(tables: DemandTables, distribution: object, shape: int) -> np.ndarray:
    """Distance of every limit of an exact table from the distribution function, in units of 2⁻³²."""
    at = int(tables.header[0, 0]) + np.arange(len(tables.limits))
    cdf = distribution.cdf(at if shape == SHAPE_COUNT else at + 0.5)  # type: ignore[attr-defined]
    return np.abs((tables.limits.astype(float) + 1) - cdf * FULL)[:-1]


EXACT = [
    (SHAPE_COUNT, 0.02, 0.02), (SHAPE_COUNT, 10, 10), (SHAPE_COUNT, 400, 400), (SHAPE_COUNT, 0.3, 2.4),
    (SHAPE_COUNT, 12, 60), (SHAPE_COUNT, 200, 5_000), (SHAPE_GAMMA, 50, 100), (SHAPE_NORMAL, 50, 64),
]  # fmt: skip
LARGE = [
    (SHAPE_COUNT, 5_000, 5_000), (SHAPE_COUNT, 19_000, 40_000), (SHAPE_GAMMA, 900, 10_000),
    (SHAPE_NORMAL, 1_000, 2_500),
]  # fmt: skip
"""Exact too; left out in plain Python, where each of their thousands of limits takes an evaluation."""


@pytest.mark.parametrize("case", EXACT + ([] if jit_disabled() else LARGE))
def test_every_limit_is_exact_to_the_last_bits(case: tuple[int, float, float]) -> None:
    tables = table_of(*case)
    assert tables.header[0, 1] == 1
    # 2⁻³² is 2.3e-10; twenty units in the last place are 5e-9 of probability
    assert limit_errors(tables, exact(*case), case[0]).max() < 20
    mean, variance = moments_of(tables, 0)
    rounding = 0.0 if case[0] == SHAPE_COUNT else 1 / 12
    assert mean == pytest.approx(case[1], rel=1e-6)
    assert variance == pytest.approx(case[2] + rounding, rel=1e-4)


@pytest.mark.parametrize("case", EXACT)
def test_draws_have_the_distribution(case: tuple[int, float, float]) -> None:
    drawn = sample(table_of(*case))
    edges = np.unique(np.quantile(drawn, np.linspace(0.05, 0.95, 15)).astype(int))
    distribution = exact(*case)
    cut = edges + (0.0 if case[0] == SHAPE_COUNT else 0.5)
    shares = np.diff(np.concatenate([[0.0], distribution.cdf(cut), [1.0]]))  # type: ignore[attr-defined]
    seen = np.histogram(drawn, np.concatenate([[-np.inf], edges + 0.5, [np.inf]]))[0]
    assert stats.chisquare(seen, shares * len(drawn)).pvalue > ENOUGH


WIDE = [
    (SHAPE_COUNT, 1.0, 1_001.0), (SHAPE_COUNT, 1_000, 5_001_000), (SHAPE_COUNT, 1e4, 1e10), (SHAPE_COUNT, 1e6, 1e6),
    (SHAPE_COUNT, 1e6, 1e9), (SHAPE_COUNT, 1e9, 1e12), (SHAPE_GAMMA, 1.0, 1e4), (SHAPE_NORMAL, 1e6, 1e10),
]  # fmt: skip


@pytest.mark.parametrize("case", WIDE[:2] if jit_disabled() else WIDE)
def test_wide_spans_keep_mean_variance_and_quantiles(case: tuple[int, float, float]) -> None:
    tables = table_of(*case)
    assert tables.header[0, 1] == 0
    mean, variance = moments_of(tables, 0)
    assert mean == pytest.approx(case[1], rel=1e-4)
    assert variance == pytest.approx(case[2], rel=1e-3)
    for probability in (0.05, 0.5, 0.9, 0.99, 0.9999):
        (value,) = values(tables, np.array([int(probability * FULL)]))
        wanted = float(exact(*case).ppf(probability))  # type: ignore[attr-defined]
        deviation = case[2] ** 0.5
        assert value == pytest.approx(wanted, abs=max(1.0, 0.01 * abs(wanted), 0.002 * deviation)), probability


def test_widening_cells_leave_no_gap() -> None:
    for cell in range(4_095):
        width = 1 << octave.py_func(cell)
        assert cell_start.py_func(cell) + width == cell_start.py_func(cell + 1)
        assert width == 1 or width <= cell_start.py_func(cell) / 128


@pytest.mark.parametrize(
    ("mean", "variance", "near"), [(200, 1.0, 1.09), (400, 40, 40.1), (450, 300, 300.1), (3, 0.1, 0.76)]
)
def test_counts_more_regular_than_poisson(mean: float, variance: float, near: float) -> None:
    found = moments_of(table_of(SHAPE_COUNT, mean, variance), 0)
    assert found[0] == pytest.approx(mean, rel=1e-6)
    assert variance <= found[1] <= near


def test_too_little_variance_gives_the_two_numbers_around_the_mean() -> None:
    tables = table_of(SHAPE_COUNT, 2.25, 0.0)
    assert set(sample(tables)) == {2, 3}
    assert moments_of(tables, 0) == (pytest.approx(2.25, abs=1e-9), pytest.approx(0.1875, abs=1e-9))
    assert set(sample(table_of(SHAPE_NORMAL, 7.0, 0.0))) == {7}
    assert set(sample(table_of(SHAPE_COUNT, 0.0, 5.0))) == {0}


def test_normal_demand_is_cut_at_zero() -> None:
    tables = table_of(SHAPE_NORMAL, 5, 64)
    assert (sample(tables) == 0).mean() == pytest.approx(
        stats.norm(5, 8).cdf(0.5), abs=0.03 if jit_disabled() else 0.005
    )


DEMANDS = st.tuples(
    st.sampled_from((SHAPE_COUNT, SHAPE_GAMMA, SHAPE_NORMAL)), st.floats(0.01, 60), st.floats(0.01, 400))  # fmt: skip


@settings(max_examples=EXAMPLES)
@given(DEMANDS, st.lists(st.integers(0, FULL - 1), min_size=2, max_size=40))
def test_demand_never_falls_as_the_uniform_rises(case: tuple[int, float, float], uniform: list[int]) -> None:
    tables = table_of(*case)
    found = values(tables, np.array([0, *sorted(uniform), FULL - 1]))
    assert (np.diff(found) >= 0).all()
    assert found[0] >= 0
    demand = [demand_at(_as_demand(tables), 0, u) for u in sorted(uniform)]
    assert found[1:-1].tolist() == demand


@pytest.mark.parametrize("case", WIDE[:2] if jit_disabled() else WIDE)
def test_wide_spans_never_fall_and_agree_with_the_reference(case: tuple[int, float, float]) -> None:
    tables = table_of(*case)
    uniform = np.unique(np.concatenate([np.random.default_rng(1).integers(0, FULL, 3_000),
                                        tables.limits.astype(np.int64)[::7], [0, FULL - 1]]))  # fmt: skip
    found = values(tables, uniform)
    assert (np.diff(found) >= 0).all()
    assert found[::50].tolist() == [demand_at(_as_demand(tables), 0, int(u)) for u in uniform[::50]]


def test_more_demand_for_the_same_luck_when_the_mean_is_higher() -> None:
    uniform = np.linspace(0, FULL - 1, 500).astype(np.int64)
    assert (values(table_of(SHAPE_COUNT, 8, 12), uniform) >= values(table_of(SHAPE_COUNT, 6, 9), uniform)).all()


def test_limits_are_where_the_value_changes() -> None:
    tables = table_of(SHAPE_COUNT, 2.0, 4.0)
    limits = tables.limits.astype(np.int64)[:20]
    assert values(tables, limits).tolist() == list(range(len(limits)))
    assert values(tables, limits + 1).tolist() == list(range(1, len(limits) + 1))


def test_level_factors_have_mean_one_and_the_variation_asked_for() -> None:
    cv = np.array([0.0, 0.1, 0.5, 1.5])
    factors = level_factors(cv, 65536) / 65536
    assert (factors[0] == 1.0).all()
    assert factors.mean(axis=1) == pytest.approx(1.0, abs=2e-5)
    # 512 equally likely midpoints lose a little of the tail
    assert factors.std(axis=1) == pytest.approx(cv, rel=0.04)
    assert (np.diff(factors[1:], axis=1) >= 0).all()


def _as_demand(tables: DemandTables) -> object:
    from stocktwin.kernels.network import Demand

    return Demand(*tables, np.zeros((0, 512), np.int64), np.zeros((0, 1, 1), np.int64))

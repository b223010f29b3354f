"""The sweep's long-run cost per day against published and exact values, within three standard errors."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stocktwin.kernels.inverse import demand_tables
from stocktwin.kernels.network import (
    COLUMN,
    DAY_COLUMNS,
    UNIT_COLUMNS,
    Calendar,
    Demand,
    Lines,
    OpenLines,
    Transit,
    alone,
    sweep,
    unharmed,
)
from stocktwin.kernels.recursion import best_policy, long_run_cost, poisson

ZHENG_FEDERGRUEN = (
    (10, 6, 40, 35.022), (20, 14, 62, 49.173), (22, 16, 68, 51.632), (24, 18, 54, 53.518), (30, 23, 66, 57.819),
    (40, 33, 87, 64.512), (50, 42, 108, 70.975), (52, 44, 112, 72.246), (59, 51, 126, 76.679), (61, 52, 131, 77.929),
    (64, 55, 74, 78.402), (70, 62, 81, 79.037),
)  # fmt: skip
"""Mean, s, S, cost: Poisson demand, h = 1, p = 9, K = 64, zero lead time (L = 1 here). Zheng & Federgruen (1991)."""
PAPER = (1.0, 9.0, 64.0)
WARMUP = 200


def simulated(mean: float, s: int, S: int, costs: tuple[float, float, float], days: int, replications: int,
              lead: int = 1, seed: int = 20) -> tuple[float, float]:  # fmt: skip
    """Mean and standard error of cost per day over replications, charged on the count; nothing on hand at first."""
    one = np.ones(1, np.int64)
    zero = np.zeros(1, np.int64)
    lines = Lines(
        np.array([mean], np.uint64), zero, zero, np.array([[[s, S, 0]] * 2]), -one, one, zero, one, zero,
        np.zeros((1, 2, 7), np.int64), np.zeros((1, 2), np.int64), -one, zero, np.zeros(2, np.int64), -one)  # fmt: skip
    tables = demand_tables(zero, np.array([float(mean)]), np.array([float(mean)]))
    demand = Demand(*tables, np.full((1, 512), 65536, np.int64), np.zeros((0, 1, 1), np.int64))
    span = WARMUP + days
    shape = (1, span, replications)
    transit = Transit(np.zeros(shape, np.int32), np.full(shape, lead, np.int32), *[np.zeros((0, 1, 1), np.int32)] * 3)
    nothing = OpenLines(np.zeros(0, np.int64), *(np.zeros((0, replications), np.int32) for _ in range(2)))
    units = np.zeros((1, len(UNIT_COLUMNS), replications), np.int64)
    calendar = Calendar(20_000, span, WARMUP, 16, np.zeros(span, np.int64))
    totals = np.zeros((span, len(DAY_COLUMNS)), np.int64)
    sweep(lines, alone(1), nothing, demand, transit, unharmed(), calendar, seed, units, totals,
          np.zeros((0, 0, 0), np.int64), wide=False)  # fmt: skip
    counted = (units[0, COLUMN[name]] for name in ("on_hand_days", "backlog_days", "orders"))
    cost = sum(rate * days_ for rate, days_ in zip(costs, counted, strict=True)) / days
    return float(cost.mean()), float(cost.std(ddof=1) / math.sqrt(replications))


@pytest.mark.parametrize(("mean", "s", "S", "cost"), ZHENG_FEDERGRUEN)
def test_the_whole_table_with_ten_million_days(mean: int, s: int, S: int, cost: float) -> None:
    found, error = simulated(mean, s, S, PAPER, days=10_000, replications=1_000)
    assert abs(found - cost) < 3 * error + 5e-4
    assert error < 0.0005 * cost  # else the test could not fail


def test_example_4_7() -> None:
    found, error = simulated(6, 4, 10, (1.0, 4.0, 5.0), days=3_000, replications=300)
    assert abs(found - 8.0341116) < 3 * error
    assert error < 0.002 * found


def test_longer_lead_times_against_the_exact_recursion() -> None:
    s, S, exact = best_policy(poisson(5), holding=1.0, backlog=9.0, order=20.0, lead_time=4)
    found, error = simulated(5, s, S, (1.0, 9.0, 20.0), days=3_000, replications=300, lead=4)
    assert abs(found - exact) < 3 * error
    worse = long_run_cost(poisson(5), s + 3, S + 3, holding=1.0, backlog=9.0, order=20.0, lead_time=4)
    assert abs(found - worse) > 3 * error

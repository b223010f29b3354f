"""Published (s, S) values, and the recursion against a Markov chain and against every policy tried in turn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocktwin.kernels.jit import jit_disabled
from stocktwin.kernels.recursion import best_policy, long_run_cost, poisson

pytestmark = pytest.mark.kernels

ZHENG_FEDERGRUEN = (
    (10, 6, 40, 35.022), (20, 14, 62, 49.173), (22, 16, 68, 51.632), (24, 18, 54, 53.518), (30, 23, 66, 57.819),
    (40, 33, 87, 64.512), (50, 42, 108, 70.975), (52, 44, 112, 72.246), (59, 51, 126, 76.679), (61, 52, 131, 77.929),
    (64, 55, 74, 78.402), (70, 62, 81, 79.037),
)  # fmt: skip
"""Mean, s, S and cost: Poisson demand, h = 1, p = 9, K = 64, zero lead time (L = 1 here). Zheng & Federgruen (1991)."""
PAPER = {"holding": 1.0, "backlog": 9.0, "order": 64.0}
EXAMPLES = 10 if jit_disabled() else 60


@pytest.mark.parametrize(("mean", "s", "S", "cost"), ZHENG_FEDERGRUEN)
def test_zheng_and_federgruen_1991(mean: int, s: int, S: int, cost: float) -> None:
    assert long_run_cost(poisson(mean), s, S, **PAPER) == pytest.approx(cost, abs=6e-4)
    assert best_policy(poisson(mean), **PAPER) == (s, S, pytest.approx(cost, abs=6e-4))


def test_example_4_7_of_snyder_and_shen() -> None:
    assert best_policy(poisson(6), holding=1, backlog=4, order=5) == (4, 10, pytest.approx(8.0341116, abs=5e-8))


def chain_cost(demand: np.ndarray, s: int, S: int, holding: float, backlog: float, order: float, lead: int) -> float:
    """Long-run cost by the stationary distribution of the position after ordering."""
    positions = np.arange(s + 1, S + 1)
    moves = np.zeros((len(positions), len(positions)))
    orders = np.zeros(len(positions))
    for i, y in enumerate(positions):
        for d, p in enumerate(demand):
            if y - d <= s:
                moves[i, -1] += p
                orders[i] += p
            else:
                moves[i, i - d] += p
    system = np.vstack([moves.T - np.eye(len(positions)), np.ones(len(positions))])
    share = np.linalg.lstsq(system, np.append(np.zeros(len(positions)), 1.0), rcond=None)[0]
    total = np.array([1.0])
    for _ in range(lead):
        total = np.convolve(total, demand)
    left = positions[:, None] - np.arange(len(total))
    counted = (holding * np.maximum(left, 0) + backlog * np.maximum(-left, 0)) @ total
    return float(share @ (counted + order * orders))


DEMANDS = st.lists(st.integers(0, 9), min_size=2, max_size=8).filter(lambda weights: any(weights[1:]))


@settings(max_examples=EXAMPLES)
@given(DEMANDS, st.integers(-5, 12), st.integers(1, 15), st.integers(1, 3), st.integers(1, 20))
def test_the_recursion_is_the_stationary_cost(weights: list[int], s: int, span: int, lead: int, order: int) -> None:
    demand = np.array(weights) / sum(weights)
    exact = long_run_cost(demand, s, s + span, holding=1.0, backlog=4.0, order=order, lead_time=lead)
    assert exact == pytest.approx(chain_cost(demand, s, s + span, 1.0, 4.0, order, lead), rel=1e-9)


@settings(max_examples=EXAMPLES)
@given(DEMANDS, st.integers(1, 2), st.integers(0, 30), st.floats(0.5, 20))
def test_no_policy_is_cheaper_than_the_best(weights: list[int], lead: int, order: int, backlog: float) -> None:
    demand = np.array(weights) / sum(weights)
    costs = {"holding": 1.0, "backlog": backlog, "order": float(order), "lead_time": lead}
    s, S, best = best_policy(demand, **costs)
    assert long_run_cost(demand, s, S, **costs) == pytest.approx(best, rel=1e-12)
    tried = [(low, high) for low in range(s - 6, s + 7) for high in range(max(low + 1, S - 9), S + 10)]
    assert min(long_run_cost(demand, low, high, **costs) for low, high in tried) >= best - 1e-9


def test_wrong_use_names_the_value() -> None:
    with pytest.raises(ValueError, match="s = 5, S = 5"):
        long_run_cost(poisson(2), 5, 5, **PAPER)
    with pytest.raises(ValueError, match="never positive"):
        best_policy(np.array([1.0, 0.0]), **PAPER)
    with pytest.raises(ValueError, match="costs must be positive"):
        best_policy(poisson(2), holding=0.0, backlog=1.0, order=1.0)

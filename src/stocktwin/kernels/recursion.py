"""Exact long-run cost of (s, S) policies for discrete demand, and the best of them: no simulation.

Demand of a day is independent with probabilities p; unserved demand is backlogged; h and b are charged per unit on the
end-of-day count of stock and backlog, K per order. An order of day t with lead time L arrives on day t + L, so the
count of day t + L depends on the position y after ordering and the demand of L days (L = 1: the next day's demand, the
zero lead time of the papers). The expected cost of that count is G(y) = E[h (y − D)⁺ + b (D − y)⁺], and between two
orders the position falls from S to s in steps of demand, which gives

    c(s, S) = (K + Σ_{j=0}^{S−s−1} m(j) G(S − j)) / M(S − s),   M(j) = Σ_{i<j} m(i),

with m the renewal density of demand: m(0) = 1/(1 − p₀), m(j) = Σ_{k=1}^{j} p_k m(j − k) / (1 − p₀).
Source: Zheng & Federgruen (1991), Finding optimal (s, S) policies is about as simple as evaluating a single policy,
Operations Research 39(4) 654–665.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from stocktwin.kernels.jit import Float64Vector, kernel

Floats = npt.NDArray[np.float64]


@kernel()
def fill_count_costs(pmf: Float64Vector, holding: float, backlog: float, out: Float64Vector) -> None:
    """out[y] = G(y) for y = 0 …, `pmf` being demand over the lead time: G(y + 1) = G(y) + h F(y) − b (1 − F(y))."""
    mean = 0.0
    for k in range(pmf.shape[0]):
        mean += k * pmf[k]
    out[0] = backlog * mean
    below = 0.0
    for y in range(out.shape[0] - 1):
        if y < pmf.shape[0]:
            below += pmf[y]
        out[y + 1] = out[y] + holding * below - backlog * (1.0 - below)


@kernel()
def fill_renewal(pmf: Float64Vector, out: Float64Vector) -> None:
    """out[j] = m(j): expected number of days on which the position is j below the order-up-to level."""
    out[0] = 1.0 / (1.0 - pmf[0])
    for j in range(1, out.shape[0]):
        total = 0.0
        for k in range(1, min(j, pmf.shape[0] - 1) + 1):
            total += pmf[k] * out[j - k]
        out[j] = total * out[0]


@kernel(inline=True)
def _count_cost(y, costs, backlog):  # type: ignore[no-untyped-def]
    """G(y), which is linear below zero."""
    return costs[y] if y >= 0 else costs[0] - backlog * y


@kernel()
def cost_of(s: int, S: int, order: float, backlog: float, costs: Float64Vector, renewal: Float64Vector) -> float:
    """c(s, S)."""
    total, days = order, 0.0
    for j in range(S - s):
        total += renewal[j] * _count_cost(S - j, costs, backlog)
        days += renewal[j]
    return total / days


@kernel()
def fill_best(order: float, backlog: float, costs: Float64Vector, renewal: Float64Vector, out: Float64Vector) -> None:
    """out = s, S and cost of the best policy; nan where `costs` or `renewal` is too short to know.

    The search of Zheng & Federgruen: the best s for S = y*, then every S whose G(S) is not above the best cost so far.
    """
    out[:] = np.nan
    lowest = 0
    while lowest + 1 < costs.shape[0] and costs[lowest + 1] < costs[lowest]:
        lowest += 1
    S, s = lowest, lowest - 1
    best = cost_of(s, S, order, backlog, costs, renewal)
    while best > _count_cost(s, costs, backlog):
        s -= 1
        if S - s > renewal.shape[0]:
            return
        best = cost_of(s, S, order, backlog, costs, renewal)
    tried = S + 1
    while tried < costs.shape[0] and costs[tried] <= best:
        if tried - s > renewal.shape[0]:
            return
        cost = cost_of(s, tried, order, backlog, costs, renewal)
        if cost < best:
            S, best = tried, cost
            while best <= _count_cost(s + 1, costs, backlog) and s + 1 < S:
                s += 1
                best = cost_of(s, S, order, backlog, costs, renewal)
        tried += 1
    if tried < costs.shape[0]:
        out[0], out[1], out[2] = s, S, best


def poisson(mean: float) -> Floats:
    """Probabilities of 0, 1, 2 … of a Poisson demand, as far as they matter.

    >>> poisson(1.0)[:2].round(4).tolist()
    [0.3679, 0.3679]
    """
    values = np.arange(int(mean + 12 * math.sqrt(mean) + 25))
    logs = values * math.log(mean) - mean - np.array([math.lgamma(k + 1.0) for k in values])
    return np.asarray(np.exp(logs))


def long_run_cost(
    demand: Floats, s: int, S: int, *, holding: float, backlog: float, order: float, lead_time: int = 1
) -> float:
    """Expected cost per day of an (s, S) policy in the long run.

    demand: probabilities of 0, 1, 2 … units a day. Raises ValueError when s ≥ S or demand is never positive.

    >>> round(long_run_cost(poisson(10), 6, 40, holding=1, backlog=9, order=64), 3)
    35.022
    """
    if s >= S:
        raise ValueError(f"the reorder point must be below the order-up-to level: s = {s}, S = {S}")
    costs, renewal = _tables(demand, lead_time, holding, backlog, max(S, 0) + 1, S - s)
    return float(cost_of(s, S, order, backlog, costs, renewal))


def best_policy(
    demand: Floats, *, holding: float, backlog: float, order: float, lead_time: int = 1
) -> tuple[int, int, float]:
    """The (s, S) policy of least cost per day in the long run: s, S and the cost.

    >>> s, S, cost = best_policy(poisson(6), holding=1, backlog=4, order=5)
    >>> s, S, round(cost, 7)
    (4, 10, 8.0341116)
    """
    size = 2 * len(demand) * lead_time + 64
    found = np.full(3, np.nan)
    while np.isnan(found[2]):
        costs, renewal = _tables(demand, lead_time, holding, backlog, size, size)
        fill_best(order, backlog, costs, renewal, found)
        size *= 2
    return int(found[0]), int(found[1]), float(found[2])


def _tables(
    demand: Floats, lead_time: int, holding: float, backlog: float, levels: int, steps: int
) -> tuple[Floats, Floats]:
    """G(0) … G(levels − 1) and m(0) … m(steps − 1)."""
    if not demand[1:].any():
        raise ValueError("demand is never positive: nothing is ever ordered")
    if min(holding, backlog) <= 0.0 or lead_time < 1:
        raise ValueError(f"costs must be positive, lead times ≥ 1: {holding}, {backlog}, {lead_time}")
    one_day = np.ascontiguousarray(demand, np.float64)
    over_lead_time = one_day
    for _ in range(lead_time - 1):
        over_lead_time = np.convolve(over_lead_time, one_day)
    costs, renewal = np.empty(levels), np.empty(steps)
    fill_count_costs(over_lead_time, holding, backlog, costs)
    fill_renewal(one_day, renewal)
    return costs, renewal

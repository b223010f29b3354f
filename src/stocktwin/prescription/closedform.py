"""Textbook formulas: a cheap first answer that simulation then checks. Scalars or NumPy arrays, any consistent unit.

Conventions are those of `docs/conventions.md`: costs per period; holding cost [h] and backorder cost [p] are charged on
the count at the end of a period; the protection interval is L − 1 + R periods (lead time [L], review period [R]).
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
FloatsLike: TypeAlias = Floats | float

_STANDARD = NormalDist()
_CDF = np.frompyfunc(lambda z: 0.5 * math.erfc(-z / math.sqrt(2.0)), 1, 1)
_TAIL = np.frompyfunc(lambda z: 0.5 * math.erfc(z / math.sqrt(2.0)), 1, 1)
_QUANTILE = np.frompyfunc(_STANDARD.inv_cdf, 1, 1)
_SMALLEST = 1e-12
"""Probabilities are kept this far from 0 and 1, losses this far from 0: |z| stays below about 7."""


def _floats(value: object) -> Floats:
    return np.asarray(value, np.float64)


def normal_cdf(z: FloatsLike) -> Floats:
    """Standard normal distribution function [Φ(z)]."""
    return _floats(_CDF(_floats(z)))


def normal_density(z: FloatsLike) -> Floats:
    """Standard normal density [φ(z)]."""
    return np.exp(-0.5 * np.square(_floats(z))) / math.sqrt(2.0 * math.pi)


def normal_quantile(probability: FloatsLike) -> Floats:
    """Standard normal quantile [Φ⁻¹]; probabilities are clipped to 1e-12 … 1 − 1e-12.

    >>> round(float(normal_quantile(0.975)), 6)
    1.959964
    """
    return _floats(_QUANTILE(np.clip(_floats(probability), _SMALLEST, 1.0 - _SMALLEST)))


def unit_normal_loss(z: FloatsLike) -> Floats:
    """Expected shortage in standard deviations when stock lies z of them above the mean:
    G(z) = φ(z) − z·(1 − Φ(z)) (Silver, Pyke & Thomas, app. II; Snyder & Shen, eq. C.22).

    >>> round(float(unit_normal_loss(0.0)), 6)
    0.398942
    """
    z = _floats(z)
    return np.maximum(normal_density(z) - z * _floats(_TAIL(z)), 0.0)


def inverse_unit_normal_loss(loss: FloatsLike) -> Floats:
    """The z at which the unit normal loss is `loss` (≥ 0; kept above 1e-12), by Newton's method.

    G is convex and falling and G(z) ≥ −z, so steps from z = −loss rise to the root without passing it.

    >>> round(float(inverse_unit_normal_loss(unit_normal_loss(1.25))), 9)
    1.25
    """
    target = np.maximum(_floats(loss), _SMALLEST)
    z = -target
    for _ in range(60):
        step = (unit_normal_loss(z) - target) / np.maximum(_floats(_TAIL(z)), 1e-300)
        z = z + step
        if np.all(np.abs(step) < 1e-12):
            break
    return z


def expected_shortage(stock: FloatsLike, mean: FloatsLike, sd: FloatsLike) -> Floats:
    """Expected units short when normal demand (mean, sd) meets `stock`: E[(D − stock)⁺] = sd·G((stock − mean)/sd).

    Without spread it is the plain difference.

    >>> float(expected_shortage(5.0, 8.0, 0.0))
    3.0
    """
    stock, mean, sd = np.broadcast_arrays(_floats(stock), _floats(mean), _floats(sd))
    spread = np.where(sd > 0, sd, 1.0)
    return np.where(sd > 0, spread * unit_normal_loss((stock - mean) / spread), np.maximum(mean - stock, 0.0))


def lead_time_demand_variance(
    daily_mean: FloatsLike, daily_variance: FloatsLike, protection_days: FloatsLike, lead_time_variance: FloatsLike
) -> Floats:
    """Variance of demand over a random protection interval [P]: E[P]·σ² + μ²·Var(L) (Silver, Pyke & Thomas, eq. 7.35).

    >>> float(lead_time_demand_variance(10.0, 4.0, 9.0, 2.0))
    236.0
    """
    return _floats(protection_days) * _floats(daily_variance) + np.square(_floats(daily_mean)) * _floats(
        lead_time_variance
    )


def economic_order_quantity(order_cost: FloatsLike, demand: FloatsLike, holding_cost: FloatsLike) -> Floats:
    """Economic order quantity Q = √(2·K·λ/h) (Harris 1913; Snyder & Shen, eq. 3.4).

    Demand [λ] and holding cost [h] are per the same unit of time.

    >>> round(float(economic_order_quantity(8.0, 1300.0, 0.225)), 7)
    304.04678
    """
    return np.sqrt(2.0 * _floats(order_cost) * _floats(demand) / _floats(holding_cost))


def critical_ratio(holding_cost: FloatsLike, shortage_cost: FloatsLike) -> Floats:
    """Newsvendor critical ratio p/(p + h): the probability with which the best stock covers demand (Arrow, Harris &
    Marschak 1951; Snyder & Shen, eq. 4.17). Both costs are per unit and period."""
    shortage = _floats(shortage_cost)
    return shortage / (shortage + _floats(holding_cost))


def newsvendor(holding_cost: float, shortage_cost: float, mean: float, sd: float) -> tuple[float, float]:
    """Best stock S = μ + σ·Φ⁻¹(p/(p + h)) and its expected cost (p + h)·σ·φ(z) under normal demand (Snyder & Shen,
    section 4.3). A base-stock level is the same with mean and sd over the protection interval.

    >>> [round(value, 7) for value in newsvendor(0.18, 0.70, 50.0, 8.0)]
    [56.6039559, 1.9976052]
    """
    z = float(normal_quantile(critical_ratio(holding_cost, shortage_cost)))
    return mean + sd * z, (holding_cost + shortage_cost) * sd * float(normal_density(z))


def lost_sales_ratio(
    holding_cost: FloatsLike, margin: FloatsLike, order_quantity: FloatsLike, daily_mean: FloatsLike
) -> Floats:
    """Best probability of no shortage in a replenishment cycle when a unit short is a sale lost:
    1 − h·Q/(h·Q + p·μ), with the margin lost [p] and the holding cost per unit and day [h] (Silver, Pyke & Thomas,
    section 7.7; Nahmias, section 5.5).

    >>> round(float(lost_sales_ratio(0.01, 5.0, 100.0, 10.0)), 4)
    0.9804
    """
    saved = _floats(margin) * _floats(daily_mean)
    return saved / (saved + _floats(holding_cost) * np.maximum(_floats(order_quantity), 1e-12))


def safety_factor_cycle(target: FloatsLike) -> Floats:
    """Safety factor z for a cycle service level [α]: Φ⁻¹(α).

    >>> round(float(safety_factor_cycle(0.95)), 4)
    1.6449
    """
    return normal_quantile(target)


def safety_factor_fill(target: FloatsLike, order_quantity: FloatsLike, sd: FloatsLike) -> Floats:
    """Safety factor z for a fill rate [β]: G(z) = (1 − β)·Q/σ (Silver, Pyke & Thomas, eq. 7.31).

    `order_quantity` [Q] is the mean size of an order, `sd` [σ] that of demand over the protection interval. The
    shortage that a cycle still starts with is neglected, as in the textbook; it matters where Q is below σ.

    >>> round(float(safety_factor_fill(0.99, 200.0, 100.0)), 3)
    1.663
    """
    sd = np.maximum(_floats(sd), 1e-12)
    return inverse_unit_normal_loss((1.0 - _floats(target)) * _floats(order_quantity) / sd)


def safety_factor_ready(target: FloatsLike, order_quantity: FloatsLike, sd: FloatsLike) -> Floats:
    """Safety factor z for a ready rate: 1 − (σ/Q)·(G(z) − G(z + Q/σ)) = target (Snyder & Shen, section 5.3), solved
    by halving. With target p/(p + h) it is the best (r, Q) reorder point under backlog costs, Q given."""
    target, quantity, sd = np.broadcast_arrays(_floats(target), _floats(order_quantity), _floats(sd))
    sd = np.maximum(sd, 1e-12)
    width = np.maximum(quantity / sd, 1e-6)
    low, high = -width - 8.0, np.full(width.shape, 8.0)
    for _ in range(60):
        middle = 0.5 * (low + high)
        ready = 1.0 - (unit_normal_loss(middle) - unit_normal_loss(middle + width)) / width
        low, high = np.where(ready < target, middle, low), np.where(ready < target, high, middle)
    return _floats(0.5 * (low + high))


def power_approximation(
    order_cost: float, holding_cost: float, shortage_cost: float, mean: float, sd: float, lead_time: float = 0.0
) -> tuple[float, float]:
    """Approximately optimal (s, S) by the revised power approximation (Ehrhardt & Mosier 1984; Snyder & Shen, eqs.
    4.77–4.80), per-period normal demand, `lead_time` in the papers' counting (0: received in the next period). Without
    the paper's cap at the newsvendor level for Q ≤ 1.5·μ, as the textbook has it.

    >>> [round(value, 5) for value in power_approximation(2.5, 0.18, 0.70, 50.0, 8.0)]
    [40.19462, 74.29017]
    """
    lead_mean, lead_sd = (lead_time + 1.0) * mean, math.sqrt(lead_time + 1.0) * sd
    spread = 1.0 + (lead_sd / mean) ** 2
    quantity = 1.30 * mean**0.494 * (order_cost / holding_cost) ** 0.506 * spread**0.116
    z = math.sqrt(quantity * holding_cost / (lead_sd * shortage_cost))
    reorder_point = 0.973 * lead_mean + lead_sd * (0.183 / z + 1.063 - 2.192 * z)
    return reorder_point, reorder_point + quantity

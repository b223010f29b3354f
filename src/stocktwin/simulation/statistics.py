"""Estimates over replications: means with Student intervals, ratios of sums by the jackknife, paired differences."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A figure with its standard error and 95 % interval; nothing but None where it is not defined."""

    mean: float | None
    se: float | None = None
    lo: float | None = None
    hi: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """As JSON."""
        return {"mean": self.mean, "se": self.se, "lo": self.lo, "hi": self.hi}


UNDEFINED = Estimate(None)


def student_quantile(degrees: int, confidence: float = CONFIDENCE) -> float:
    """Half-width of a two-sided Student interval in standard errors (Hill 1970, Algorithm 396).

    >>> round(student_quantile(9), 3), round(student_quantile(199), 3), round(student_quantile(1), 2)
    (2.262, 1.972, 12.71)
    """
    p, n = 1.0 - confidence, float(degrees)
    if degrees == 1:
        return math.cos(p * math.pi / 2) / math.sin(p * math.pi / 2)
    if degrees == 2:
        return math.sqrt(2.0 / (p * (2.0 - p)) - 2.0)
    a = 1.0 / (n - 0.5)
    b = 48.0 / a**2
    c = ((20700.0 * a / b - 98.0) * a - 16.0) * a + 96.36
    d = ((94.5 / (b + c) - 3.0) / b + 1.0) * math.sqrt(a * math.pi / 2) * n
    y = (d * p) ** (2.0 / n)
    if y > 0.05 + a:
        from statistics import NormalDist

        x = NormalDist().inv_cdf(p / 2)
        y = x * x
        if degrees < 5:
            c += 0.3 * (n - 4.5) * (x + 0.6)
        c = (((0.05 * d * x - 5.0) * x - 7.0) * x - 2.0) * x + b + c
        y = (((((0.4 * y + 6.3) * y + 36.0) * y + 94.5) / c - y - 3.0) / b + 1.0) * x
        y = math.expm1(a * y * y)
    else:
        y = ((1.0 / (((n + 6.0) / (n * y) - 0.089 * d - 0.822) * (n + 2.0) * 3.0) + 0.5 / (n + 4.0)) * y - 1.0) * (
            n + 1.0
        ) / (n + 2.0) + 1.0 / y
    return math.sqrt(n * y)


def estimate(values: Floats) -> Estimate:
    """Mean over replications.

    >>> estimate(np.array([1.0, 3.0])).mean
    2.0
    """
    if not len(values) or np.isnan(values).any():
        return UNDEFINED
    mean = float(values.mean())
    if len(values) < 2:
        return Estimate(mean)
    return _interval(mean, float(values.std(ddof=1)) / math.sqrt(len(values)), len(values))


def ratio(above: Floats, below: Floats) -> Estimate:
    """Ratio of sums over replications, its standard error by the jackknife; undefined where the sum below is zero.

    >>> ratio(np.array([9.0, 8.0]), np.array([10.0, 10.0])).mean
    0.85
    """
    left_out = _left_out(above, below)
    if left_out is None:
        return UNDEFINED
    return _jackknife(float(above.sum() / below.sum()), left_out)


def ratio_difference(above: Floats, below: Floats, base_above: Floats, base_below: Floats) -> Estimate:
    """Difference of two ratios of sums over the same replications (the second is the baseline), by the jackknife."""
    mine, base = _left_out(above, below), _left_out(base_above, base_below)
    if mine is None or base is None:
        return UNDEFINED
    return _jackknife(float(above.sum() / below.sum() - base_above.sum() / base_below.sum()), mine - base)


def _left_out(above: Floats, below: Floats) -> Floats | None:
    """The ratio with each replication left out in turn; None where it is not defined."""
    rest = below.sum() - below
    if not len(below) or below.sum() <= 0:
        return None
    if len(below) < 2 or (rest <= 0).any():
        return np.full(len(below), above.sum() / below.sum())
    return np.asarray((above.sum() - above) / rest)


def _jackknife(value: float, left_out: Floats) -> Estimate:
    n = len(left_out)
    if n < 2:
        return Estimate(value)
    spread = float(((left_out - left_out.mean()) ** 2).sum())
    return _interval(value, math.sqrt((n - 1) / n * spread), n)


def _interval(value: float, error: float, replications: int) -> Estimate:
    half = student_quantile(replications - 1) * error
    return Estimate(value, error, value - half, value + half)

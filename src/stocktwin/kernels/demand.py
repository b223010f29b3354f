"""Demand in numbers: count, gamma and normal quantiles, and the weekday moments a forecast is fitted from.

Scalar leaves first (pure functions of scalars), array drivers below. The negative binomial is parametrised by its mean
m and its dispersion φ: variance m(1 + φ), i.e. size r = m/φ and success probability 1/(1 + φ); φ = 0 is Poisson.
Formulas: Abramowitz & Stegun 6.5 and 26.5 (incomplete gamma and beta), Wichura (1988, AS 241) for the normal quantile,
Wilson & Hilferty (1931) for the start of the gamma quantile.
"""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
import numpy.typing as npt

from stocktwin.kernels.jit import Float64Matrix, Float64Vector, Int32Vector, Int64Vector, kernel

Float64Cube = Annotated[npt.NDArray[np.float64], ("float64", 3)]

SHAPE_COUNT = 0
"""Negative binomial with mean m and dispersion φ (Poisson at φ = 0)."""
SHAPE_GAMMA = 1
"""Gamma with mean m and standard deviation given in place of φ."""
SHAPE_NORMAL = 2
"""Normal with mean m and standard deviation given in place of φ, cut at zero."""

LARGE_MEAN = 20_000.0
"""Counts with a larger mean are taken as gamma: the quantile is then off by less than one unit in 20,000."""
WALK_MEAN = 48.0
"""Up to this mean a count quantile is found by adding probabilities from zero."""


@kernel()
def normal_cdf(z: float) -> float:
    """P(Z ≤ z) of a standard normal."""
    return 0.5 * math.erfc(-z * 0.7071067811865476)


@kernel()
def normal_quantile(p: float) -> float:
    """z with P(Z ≤ z) = p, 0 < p < 1 (Acklam's rational start, one Halley step on erfc: relative error below 1e-15)."""
    if p <= 0.0:
        return -math.inf
    if p >= 1.0:
        return math.inf
    q = min(p, 1.0 - p)
    if q > 0.02425:
        s = q - 0.5
        r = s * s
        top = ((((-39.69683028665376 * r + 220.9460984245205) * r - 275.9285104469687) * r + 138.3577518672690) * r
               - 30.66479806614716) * r + 2.506628277459239  # fmt: skip
        low = ((((-54.47609879822406 * r + 161.5858368580409) * r - 155.6989798598866) * r + 66.80131188771972) * r
               - 13.28068155288572) * r + 1.0  # fmt: skip
        z = top * s / low
    else:
        r = math.sqrt(-2.0 * math.log(q))
        top = ((((-0.007784894002430293 * r - 0.3223964580411365) * r - 2.400758277161838) * r - 2.549732539343734)
               * r + 4.374664141464968) * r + 2.938163982698783  # fmt: skip
        low = (((0.007784695709041462 * r + 0.3224671290700398) * r + 2.445134137142996) * r + 3.754408661907416) * r
        z = top / (low + 1.0)
    error = (0.5 * math.erfc(-z * 0.7071067811865476) - q) * 2.5066282746310002 * math.exp(0.5 * z * z)
    z -= error / (1.0 + 0.5 * z * error)
    return -z if p > 0.5 else z


@kernel()
def gamma_cdf(a: float, x: float) -> float:
    """P(a, x): probability that a gamma variable of shape a and scale 1 is at most x."""
    if x <= 0.0:
        return 0.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1.0:
        term = 1.0 / a
        total = term
        n = a
        for _ in range(100_000):
            n += 1.0
            term *= x / n
            total += term
            if term < total * 1e-16:
                break
        return min(front * total, 1.0)
    b = x + 1.0 - a
    c = 1e300
    d = 1.0 / b
    h = d
    for i in range(1, 100_000):
        step = -i * (i - a)
        b += 2.0
        d = step * d + b
        d = 1.0 / (d if abs(d) > 1e-300 else 1e-300)
        c = b + step / c
        c = c if abs(c) > 1e-300 else 1e-300
        h *= d * c
        if abs(d * c - 1.0) < 1e-15:
            break
    return max(1.0 - front * h, 0.0)


@kernel()
def gamma_quantile(p: float, a: float) -> float:
    """x with P(a, x) = p, shape a > 0, scale 1: a close start, then Newton steps kept inside a shrinking bracket."""
    if p <= 0.0:
        return 0.0
    z = normal_quantile(p)
    root = 1.0 - 1.0 / (9.0 * a) + z / (3.0 * math.sqrt(a))
    if a > 1e6:
        return a * root * root * root
    small = math.exp((math.log(p) + math.lgamma(a + 1.0)) / a)
    x = a * root * root * root if root > 0.2 and a > 0.3 else small
    if x < 1e-290:
        return x
    low, high = 0.0, math.inf
    for _ in range(200):
        error = gamma_cdf(a, x) - p
        if error > 0.0:
            high = x
        else:
            low = x
        density = math.exp((a - 1.0) * math.log(x) - x - math.lgamma(a)) if x > 0.0 else 0.0
        new = x - error / density if density > 1e-290 else -1.0
        if abs(error) <= 1e-15 * p:
            return x
        if not low < new < high:
            new = 0.5 * (low + high) if high < math.inf else 2.0 * x + 1.0
        if abs(new - x) <= 1e-13 * x or x < 1e-290:
            return new
        x = new
    return x


@kernel()
def beta_cdf(a: float, b: float, x: float) -> float:
    """I_x(a, b), the regularised incomplete beta function (Lentz's continued fraction)."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    flip = x > (a + 1.0) / (a + b + 2.0)
    if flip:
        a, b, x = b, a, 1.0 - x
    c = 1.0
    d = 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > 1e-300 else 1e-300)
    h = d
    for m in range(1, 100_000):
        step = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        d = 1.0 + step * d
        d = 1.0 / (d if abs(d) > 1e-300 else 1e-300)
        c = 1.0 + step / c
        c = c if abs(c) > 1e-300 else 1e-300
        h *= d * c
        step = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        d = 1.0 + step * d
        d = 1.0 / (d if abs(d) > 1e-300 else 1e-300)
        c = 1.0 + step / c
        c = c if abs(c) > 1e-300 else 1e-300
        h *= d * c
        if abs(d * c - 1.0) < 1e-15:
            break
    part = math.exp(log_front) * h / a
    return 1.0 - part if flip else part


@kernel()
def count_cdf(k: float, m: float, phi: float) -> float:
    """P(X ≤ k) of a negative binomial with mean m and dispersion φ (Poisson when φ < 1e-9)."""
    if k < 0.0:
        return 0.0
    if m <= 0.0:
        return 1.0
    if m > LARGE_MEAN:
        scale = 1.0 + phi
        return gamma_cdf(m / scale, (k + 0.5) / scale)
    k = math.floor(k)
    if phi < 1e-9:
        return 1.0 - gamma_cdf(k + 1.0, m)
    return beta_cdf(m / phi, k + 1.0, 1.0 / (1.0 + phi))


@kernel()
def _walked_quantile(p: float, m: float, phi: float) -> float:
    """Smallest k with P(X ≤ k) ≥ p by adding probabilities from zero: P(k+1)/P(k) = (m + kφ)/((k + 1)(1 + φ))."""
    mass = math.exp(-m) if phi < 1e-9 else math.exp(-(m / phi) * math.log1p(phi))
    total = mass
    k = 0.0
    while total < p and k < 1e7:
        mass *= (m + k * phi) / ((k + 1.0) * (1.0 + phi))
        k += 1.0
        total += mass
        if mass < total * 1e-18 and k > m:
            break
    return k


@kernel()
def count_quantile(p: float, m: float, phi: float) -> float:
    """Smallest whole k ≥ 0 with P(X ≤ k) ≥ p, 0 < p < 1, of a negative binomial with mean m and dispersion φ."""
    if m <= 0.0 or p <= 0.0:
        return 0.0
    if m <= WALK_MEAN and phi <= 1e3 and p < 1.0 - 1e-9:
        return _walked_quantile(p, m, phi)
    scale = 1.0 + phi
    guess = max(math.ceil(scale * gamma_quantile(p, m / scale) - 0.5), 0.0)
    if m > LARGE_MEAN:
        return guess
    step = 1.0
    if count_cdf(guess, m, phi) >= p:
        low, high = -1.0, guess
        while high - step > -1.0 and count_cdf(high - step, m, phi) >= p:
            high -= step
            step *= 2.0
        low = max(high - step, -1.0)
    else:
        low, high = guess, guess + step
        while count_cdf(high, m, phi) < p and step < 1e15:
            low = high
            step *= 2.0
            high += step
    while high - low > 1.0:
        middle = math.floor(0.5 * (low + high))
        if count_cdf(middle, m, phi) >= p:
            high = middle
        else:
            low = middle
    return high


@kernel()
def demand_quantile(shape: int, p: float, m: float, spread: float) -> float:
    """Quantile of one demand distribution: `spread` is φ of a count, the standard deviation of a gamma or normal."""
    if m <= 0.0:
        return 0.0
    if shape == SHAPE_COUNT:
        return count_quantile(p, m, spread)
    if spread <= 0.0:
        return m
    if shape == SHAPE_GAMMA:
        scale = spread * spread / m
        return scale * gamma_quantile(p, m / scale)
    return max(m + spread * normal_quantile(p), 0.0)


@kernel()
def fill_quantiles(shape: Int64Vector, mean: Float64Vector, spread: Float64Vector,
                   probability: Float64Matrix, out: Float64Matrix) -> None:  # fmt: skip
    """out[i, j] = quantile of row i at probability[i, j]."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = demand_quantile(shape[i], probability[i, j], mean[i], spread[i])


@kernel()
def fill_count_cdf(k: Float64Vector, mean: Float64Vector, phi: Float64Vector,
                   out: Float64Vector) -> None:  # fmt: skip
    """out[i] = P(X ≤ k[i]) of a count with mean[i] and φ[i]."""
    for i in range(out.shape[0]):
        out[i] = count_cdf(k[i], mean[i], phi[i])


@kernel()
def fill_weekday_moments(offsets: Int64Vector, days: Int32Vector, quantity: Int64Vector,
                         rows: Int64Vector, weight: Float64Matrix, power: Int64Vector,
                         first_day: int, out: Float64Cube) -> None:  # fmt: skip
    """out[i, k, d] = Σ over days t of series rows[i] that are weekday d: weight[k, t − first_day] · quantityᵖᵒʷᵉʳ⁽ᵏ⁾.

    Days outside the weights count as weight zero, so nothing at or after a forecast's origin can leak in. Power 0
    counts days with demand. Day 0 (1970-01-01) is a Thursday; Monday is weekday 0.
    """
    span = weight.shape[1]
    for i in range(rows.shape[0]):
        for at in range(offsets[rows[i]], offsets[rows[i] + 1]):
            t = days[at] - first_day
            if t < 0 or t >= span or quantity[at] <= 0:
                continue
            weekday = (days[at] + 3) % 7
            q = float(quantity[at])
            for k in range(weight.shape[0]):
                value = weight[k, t]
                if value == 0.0:
                    continue
                if power[k] >= 1:
                    value *= q
                if power[k] == 2:
                    value *= q
                out[i, k, weekday] += value


@kernel()
def fill_group_weekdays(offsets: Int64Vector, days: Int32Vector, quantity: Int64Vector,
                        group: Int32Vector, unit: Float64Vector, first_day: int, last_day: int,
                        total: Float64Matrix, square: Float64Matrix) -> None:  # fmt: skip
    """Adds up quantity·unit and its square per (group, weekday) over first_day … last_day."""
    for i in range(offsets.shape[0] - 1):
        for at in range(offsets[i], offsets[i + 1]):
            if days[at] < first_day or days[at] > last_day or quantity[at] <= 0:
                continue
            weekday = (days[at] + 3) % 7
            q = quantity[at] * unit[i]
            total[group[i], weekday] += q
            square[group[i], weekday] += q * q


def demand_quantiles(shape: npt.ArrayLike, mean: npt.ArrayLike, spread: npt.ArrayLike,
                     probability: npt.ArrayLike) -> npt.NDArray[np.float64]:  # fmt: skip
    """Quantiles of many demand distributions, [n, q]; `probability` is [q] or [n, q], each inside (0, 1).

    >>> demand_quantiles([0, 0], [2.0, 2.0], [0.0, 1.5], [0.5, 0.9]).tolist()
    [[2.0, 4.0], [1.0, 5.0]]
    """
    parts = np.broadcast_arrays(np.asarray(shape, np.int64), *(np.asarray(part, np.float64) for part in (mean, spread)))
    kind, centre, width = (np.array(np.atleast_1d(part), order="C") for part in parts)
    n = len(centre)
    level = np.asarray(probability, np.float64)
    if level.size and not (level.min() > 0 and level.max() < 1):
        raise ValueError(f"probabilities must lie between 0 and 1: {level.min()} … {level.max()}")
    grid = np.array(np.broadcast_to(level, (n, level.shape[-1])), order="C")
    out = np.empty(grid.shape)
    fill_quantiles(kind, centre, width, grid, out)
    return out


def count_cdfs(k: npt.ArrayLike, mean: npt.ArrayLike, phi: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """P(X ≤ k) of many counts, shapes broadcast together.

    >>> round(float(count_cdfs(0, 1.0, 0.0)[0]), 6)
    0.367879
    """
    value, centre, spread = np.broadcast_arrays(*(np.asarray(part, np.float64) for part in (k, mean, phi)))
    out = np.empty(value.size)
    fill_count_cdf(_flat(value), _flat(centre), _flat(spread), out)
    return out.reshape(value.shape) if value.ndim else out


def _flat(value: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.array(value, np.float64).ravel()

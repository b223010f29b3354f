"""Demand drawn by inverting its distribution: exact thresholds with a guide table in front.

A table holds the distribution of one day's demand: `limits[j]` is the largest of the 2³² equally likely uniforms that
gives the j-th value, so the probability of every value is exact to 2⁻³². `guide` says where to start looking, after
which a step or two suffices. The draw is monotone in the uniform, so the same luck means the same thing under another
distribution. Spans of more than `EXACT_SPAN` values are kept in cells that widen with the distance from the lowest
value, like the numbers of a floating point format: the first 256 values have a cell each, later cells hold less than
1 % of their distance, linear inside.

Distributions: counts by mean and variance (negative binomial, Poisson, binomial: the Panjer family), gamma and normal
rounded to whole units and cut at zero; a variance too small for the mean gives the two whole numbers around it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from stocktwin.kernels.demand import (
    SHAPE_COUNT,
    SHAPE_GAMMA,
    count_cdf,
    count_quantile,
    gamma_cdf,
    gamma_quantile,
    normal_cdf,
)
from stocktwin.kernels.jit import (
    Float64Vector,
    Int64Matrix,
    Int64Vector,
    UInt16Vector,
    UInt32Vector,
    kernel,
)

FULL = 4294967296.0
TAIL = 0.25 / FULL
"""Values rarer than this are left out: no uniform would reach them."""
EXACT_SPAN = 4096
OCTAVE = 7
"""Cells of one width: 2⁷, then the width doubles."""
SMALLEST = 1e-280
"""A recursion that starts below this would lose what it adds up."""
LARGEST_RECURSION = 500.0
"""Up to this mean a count's probabilities are added up from zero; beyond, the distribution function is evaluated."""

HEADER = 5
"""Columns of a table's header: lowest value, 1 where each limit is one value (0: widening cells), first limit, first
guide entry, shift of the uniform."""


class DemandTables(NamedTuple):
    """Many distributions in one piece of memory; row i of `header` describes table i."""

    header: Int64Matrix
    limits: UInt32Vector
    guide: UInt16Vector


@kernel(inline=True)
def find(uniform, first, start, shift, limits, guide):  # type: ignore[no-untyped-def]
    """Place of the first limit, from `first` on, that is not below a uniform 0 … 2³² − 1."""
    at = first + np.int64(guide[start + (uniform >> shift)])
    at += np.int64(uniform > np.int64(limits[at]))  # mostly enough, and without a branch
    while uniform > np.int64(limits[at]):
        at += 1
    return at


@kernel(inline=True)
def octave(cell):  # type: ignore[no-untyped-def]
    """Binary logarithm of the number of values in a widening cell."""
    return max((cell >> OCTAVE) - 1, 0)


@kernel(inline=True)
def cell_start(cell):  # type: ignore[no-untyped-def]
    """Distance of the first value of a widening cell from the lowest value: 0 … 255 singly, then 256, 258 …, 512, 516 …

    >>> [cell_start.py_func(cell) for cell in (0, 255, 256, 257, 384, 385)]
    [0, 255, 256, 258, 512, 516]
    """
    doublings = octave(cell)
    return (cell - (doublings << OCTAVE)) << doublings


@kernel(inline=True)
def inside(uniform, at, first, doublings, limits):  # type: ignore[no-untyped-def]
    """Where in a cell of 2^doublings values a uniform falls: 0 … 2^doublings − 1."""
    low = np.int64(limits[at - 1]) + 1 if at > first else 0
    return np.int64(float(uniform - low) / float(np.int64(limits[at]) - low + 1) * float(1 << doublings))


@kernel(inline=True)
def inverse(uniform, n, table, header, limits, guide, out):  # type: ignore[no-untyped-def]
    """out[i] = value of table `table` at uniform[i], for the first n; the division of wide cells keeps its own loop."""
    lowest, width, first, start, shift = (
        header[table, 0], header[table, 1], header[table, 2], header[table, 3], header[table, 4])  # fmt: skip
    if width == 1:
        for i in range(n):
            out[i] = lowest + find(uniform[i], first, start, shift, limits, guide) - first
    else:
        for i in range(n):
            at = find(uniform[i], first, start, shift, limits, guide)
            cell = at - first
            out[i] = lowest + cell_start(cell) + inside(uniform[i], at, first, octave(cell), limits)


@kernel("int64(float64)")
def _limit(probability: float) -> int:
    """The largest uniform below a cumulated probability, −1 when there is none."""
    return np.int64(min(math.ceil(probability * FULL), FULL)) - 1  # type: ignore[return-value]


@kernel()
def _recursion(mean: float, variance: float, out: Int64Vector) -> int:
    """Limits of a count from 0 upwards into `out`; how many values, or −1 when `out` is too short.

    P(k+1) = P(k) (a + b/(k+1)): Panjer's family. Poisson a = 0; negative binomial φ = variance/mean − 1 > 0;
    binomial with the smallest number of trials whose variance is not below the one asked for.
    """
    phi = variance / mean - 1.0
    trials = 0.0
    if phi < -1e-9:
        trials = max(math.ceil(mean / -phi - 1e-9), math.ceil(mean + 1e-9))
        chance = mean / trials
        mass = (1.0 - chance) ** trials
        if mass < SMALLEST:
            return -1
    elif phi < 1e-9:
        mass = math.exp(-mean)
    else:
        mass = math.exp(-(mean / phi) * math.log1p(phi))
    total = mass
    for k in range(out.shape[0]):
        out[k] = _limit(total)
        if (total >= 1.0 - TAIL and k >= mean) or (trials > 0.0 and k >= trials):
            out[k] = _limit(1.0)
            return k + 1
        if trials > 0.0:
            mass *= (trials - k) / (k + 1.0) * chance / (1.0 - chance)
        elif phi < 1e-9:
            mass *= mean / (k + 1.0)
        else:
            mass *= (mean + k * phi) / ((k + 1.0) * (1.0 + phi))
        if mass < 1e-30 and k > mean:
            total = 1.0
        total += mass
    return -1


@kernel()
def _cumulated(shape: int, value: float, mean: float, variance: float) -> float:
    """P(demand ≤ value) of whole units."""
    if shape == SHAPE_GAMMA:
        return gamma_cdf(mean * mean / variance, (value + 0.5) * mean / variance)
    if shape == SHAPE_COUNT and variance > mean * (1.0 - 1e-9):
        return count_cdf(value, mean, max(variance / mean - 1.0, 0.0))
    return normal_cdf((value + 0.5 - mean) / math.sqrt(variance))


@kernel()
def _edge(shape: int, probability: float, mean: float, variance: float) -> float:
    """About where the distribution function reaches a probability."""
    deviation = math.sqrt(variance)
    if shape == SHAPE_GAMMA:
        return gamma_quantile(probability, mean * mean / variance) * variance / mean
    if shape == SHAPE_COUNT and variance > mean * (1.0 - 1e-9):
        return count_quantile(probability, mean, max(variance / mean - 1.0, 0.0))
    return mean + (6.6 if probability > 0.5 else -6.6) * deviation


@kernel()
def limits_of(shape: int, mean: float, variance: float, head: Int64Vector, out: Int64Vector) -> int:
    """The distribution of one day's demand: the first two columns of its header into `head`, limits into `out`.

    Returns the number of limits; `out` must hold `EXACT_SPAN`.
    """
    head[0], head[1] = 0, 1
    if mean <= 0.0:
        out[0] = _limit(1.0)
        return 1
    floor = math.floor(mean)
    rest = mean - floor
    if variance <= rest * (1.0 - rest) + 1e-12:
        head[0] = np.int64(floor)
        out[0], out[1] = _limit(1.0 - rest), _limit(1.0)
        return 2
    if shape == SHAPE_COUNT and mean <= LARGEST_RECURSION:
        count = _recursion(mean, variance, out)
        if count > 0:
            return count
    low = max(math.floor(_edge(shape, TAIL, mean, variance)) - 2.0, 0.0)
    high = math.ceil(_edge(shape, 1.0 - TAIL, mean, variance)) + 2.0
    head[0], head[1] = np.int64(low), np.int64(high - low < EXACT_SPAN)
    cells = 0
    while cells < EXACT_SPAN and low + cells <= high:
        end = cells + 1 if head[1] == 1 else cell_start(cells + 1)
        out[cells] = _limit(_cumulated(shape, low + end - 1.0, mean, variance))
        cells += 1
        if low + end > high:
            break
    out[cells - 1] = _limit(1.0)
    return cells


@kernel()
def count_limits(shape: Int64Vector, mean: Float64Vector, variance: Float64Vector, out: Int64Vector) -> None:
    """out[i] = number of limits of distribution i, so that memory can be laid out."""
    head, scratch = np.empty(2, np.int64), np.empty(EXACT_SPAN, np.int64)
    for i in range(out.shape[0]):
        out[i] = limits_of(shape[i], mean[i], variance[i], head, scratch)


@kernel()
def fill_tables(shape: Int64Vector, mean: Float64Vector, variance: Float64Vector, tables: DemandTables) -> None:
    """Fills tables whose header already holds where each one's limits and guide begin, and its shift."""
    header, limits, guide = tables
    head, scratch = np.empty(2, np.int64), np.empty(EXACT_SPAN, np.int64)
    for i in range(mean.shape[0]):
        count = limits_of(shape[i], mean[i], variance[i], head, scratch)
        header[i, 0], header[i, 1] = head[0], head[1]
        for j in range(count):
            limits[header[i, 2] + j] = max(scratch[j], 0)
        shift = header[i, 4]
        j = 0
        for cell in range(1 << (32 - shift)):
            while scratch[j] < cell << shift:
                j += 1
            guide[header[i, 3] + cell] = j


def demand_tables(shape: Int64Vector, mean: Float64Vector, variance: Float64Vector) -> DemandTables:
    """Tables of many distributions of one day's demand, by shape (`kernels.demand`), mean and variance.

    >>> tables = demand_tables(np.array([0]), np.array([2.0]), np.array([2.0]))
    >>> out = np.empty(3, np.int64); fill_inverse(tables, 0, np.array([0, 2**31, 2**32 - 1]), out); out.tolist()
    [0, 2, 16]
    """
    count = np.empty(len(mean), np.int64)
    count_limits(shape, mean, variance, count)
    bits = np.clip(np.ceil(np.log2(np.maximum(count, 1))).astype(np.int64) + 2, 6, 12)
    bits = np.where(count == 1, 0, bits)
    header = np.zeros((len(mean), HEADER), np.int64)
    header[:, 2] = np.cumsum(count) - count
    header[:, 3] = np.cumsum(1 << bits) - (1 << bits)
    header[:, 4] = 32 - bits
    sizes = int(count.sum()), int((1 << bits).sum())
    tables = DemandTables(header, np.zeros(sizes[0], np.uint32), np.zeros(sizes[1], np.uint16))
    fill_tables(shape, mean, variance, tables)
    return tables


@kernel()
def fill_inverse(tables: DemandTables, table: int, uniform: Int64Vector, out: Int64Vector) -> None:
    """out[n] = value of one table at uniform[n] (0 … 2³² − 1)."""
    header, limits, guide = tables
    inverse(uniform, out.shape[0], table, header, limits, guide, out)


@kernel()
def fill_level_factors(cv: Float64Vector, one: int, out: Int64Matrix) -> None:
    """out[i, k] = gamma quantile (mean 1, variation cv[i]) at (k + ½)/K in fixed point; `one` at cv 0."""
    for i in range(out.shape[0]):
        steps = out.shape[1]
        if cv[i] <= 0.0:
            out[i, :] = one
            continue
        shape = 1.0 / (cv[i] * cv[i])
        total = 0.0
        scratch = np.empty(steps)
        for k in range(steps):
            scratch[k] = gamma_quantile((k + 0.5) / steps, shape) / shape
            total += scratch[k]
        for k in range(steps):
            out[i, k] = np.int64(math.floor(scratch[k] * steps / total * one + 0.5))


def level_factors(cv: Float64Vector, one: int, steps: int = 512) -> Int64Matrix:
    """Equally likely factors of an uncertain level, [n, steps], in fixed point with mean `one`."""
    out = np.empty((len(cv), steps), np.int64)
    fill_level_factors(cv, one, out)
    return out


def moments_of(tables: DemandTables, table: int) -> tuple[float, float]:
    """Mean and variance of what a table draws (a check, not a fast path).

    >>> mean, variance = moments_of(demand_tables(np.array([0]), np.array([3.0]), np.array([6.0])), 0)
    >>> round(mean, 6), round(variance, 5)
    (3.0, 6.0)
    """
    low, single, first = (int(x) for x in tables.header[table, :3])
    last = int(tables.header[table + 1, 2]) if table + 1 < len(tables.header) else len(tables.limits)
    limits = tables.limits[first:last].astype(np.float64) + 1.0
    mass = np.diff(limits, prepend=0.0) / FULL
    cells = np.arange(last - first)
    doublings = np.where(single == 1, 0, np.maximum((cells >> OCTAVE) - 1, 0))
    width = 1 << doublings
    values = low + ((cells - (doublings << OCTAVE)) << doublings) + (width - 1) / 2
    mean = float(mass @ values)
    return mean, float(mass @ ((values - mean) ** 2 + (width**2 - 1) / 12))

"""Fitting demand to histories: weekday shape × weighted level, dispersion, and how wrong the level has been before.

Everything is a weighted sum over the days before the origin, by weekday, so a series costs one pass over its days with
demand and nothing at or after the origin can be seen. `docs/analytics.md` has the mathematics and the sources.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from stocktwin.analytics.censored import Censored, Moments, uncensored, unserved
from stocktwin.kernels.demand import count_cdfs, demand_quantiles, fill_group_weekdays, fill_weekday_moments
from stocktwin.kernels.metrics import coverage, pinball
from stocktwin.tables.history import History

Floats = npt.NDArray[np.float64]
Number = TypeVar("Number", bound=np.generic)

DECAYS = (0.03, 0.10)
"""Smoothing constants of the two exponentially weighted levels that are averaged (fixed before anything was scored)."""
MEMORY_DAYS = 364
INDEX_DAYS = 112
SPREAD_DECAY = 0.015
"""Decay of the window in which mean and variance are measured: an effective 67 days."""
INDEX_PRIOR = 100.0
"""A group's own weekday shape weighs as much as its parent's when it rests on this many equal sales (Kish's size)."""
PRIOR_DAYS = 20.0
"""A series' own dispersion weighs as much as the common fit after this many effective days with demand."""
MINIMUM_DISPERSION = 0.02

RATE_EDGES = (0.1, 0.3, 1.0, 3.0)
"""Rate classes, base units a day: calibration is pooled within a class."""
DEFAULT_LEVEL_CV = (1.25, 0.5, 0.35, 0.25, 0.2)
"""Level uncertainty by rate class where there is too little history to measure it (medians over M5 origins)."""
LEVEL_CV_GRID = (0.0, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0, 1.25, 1.5, 2.0)
LOSS_SLACK = 0.02
"""More pinball loss than this is not paid for a better coverage."""
SCORED = np.array([0.005, 0.025, 0.165, 0.25, 0.5, 0.75, 0.835, 0.975, 0.995])
"""The nine probabilities of the M5 uncertainty competition."""
GRID = np.array([0.005, 0.025, 0.1, 0.165, 0.25, 0.5, 0.75, 0.835, 0.9, 0.975, 0.995])
"""Probabilities at which daily quantiles are calibrated."""

CALIBRATION_SERIES = 12_000
MINIMUM_CLASS = 60
"""Fewer series than this in a rate class: its level uncertainty is the default."""
MINIMUM_HISTORY = 56
"""Days of history before a past origin, for it to count."""
BLOCK = 16_384


@dataclass(frozen=True)
class Panel:
    """Histories with what is pooled: `group` of each series, `parent` of each group, base units per atomic unit."""

    history: History
    group: npt.NDArray[np.int32]
    parent: npt.NDArray[np.int32]
    unit: Floats
    censored: Censored | None = None
    """Days of stock-out."""

    def __len__(self) -> int:
        return len(self.history)


@dataclass(frozen=True)
class OriginFit:
    """What was known on the morning of day `origin`, for the chosen rows."""

    origin: int
    rows: npt.NDArray[np.int64]
    weekday_index: Floats
    """[groups, 7], Monday first, mean 1."""
    level: Floats
    """Mean per day at weekday index 1, atomic units."""
    dispersion: Floats
    """φ: the variance of a day with mean m is m(1 + φ)."""
    rate_class: npt.NDArray[np.int64]
    days: npt.NDArray[np.int64]
    """Days of history before the origin."""

    def means(self, panel: Panel, days: npt.NDArray[np.int64]) -> Floats:
        """[rows, days] of means on those days."""
        shape = self.weekday_index[panel.group[self.rows]]
        return np.asarray(self.level[:, None] * shape[:, (days + 3) % 7])


@dataclass(frozen=True)
class Calibration:
    """How wrong the same method was at earlier origins, by rate class."""

    level_cv: Floats
    """[classes]: relative standard deviation of the level over the horizon."""
    probability: Floats
    """[classes, len(GRID)]: the probability to use for a daily quantile of nominal probability GRID."""
    origins: tuple[int, ...]


def fit_origin(panel: Panel, origin: int, rows: npt.NDArray[np.int64] | None = None) -> OriginFit:
    """Weekday shape, level and dispersion from the days before `origin` (days since 1970-01-01)."""
    chosen = np.arange(len(panel), dtype=np.int64) if rows is None else rows
    index = weekday_index(panel, origin)
    if panel.censored is not None:
        index = _index_behind(panel, panel.censored, origin)
    parts = [_fit_block(panel, origin, block, index) for block in _blocks(chosen)]
    level, mean, ratio, busy = (np.concatenate([part[k] for part in parts]) for k in range(4))
    unit = panel.unit[chosen]
    return OriginFit(
        origin,
        chosen,
        index,
        level,
        _dispersion(mean, ratio, busy, unit),
        np.digitize(mean * unit, RATE_EDGES),
        np.maximum(origin - np.maximum(panel.history.start[chosen], panel.history.first_day), 0).astype(np.int64),
    )


def _index_behind(panel: Panel, censored: Censored, origin: int) -> Floats:
    """The weekday shape with what was not served on empty shelves added, by levels that know no weekdays."""
    mine = censored.of(np.arange(len(panel)), origin - INDEX_DAYS, origin)
    if not len(mine):
        return weekday_index(panel, origin)
    touched = np.unique(mine.row)
    flat = np.ones((len(panel.parent), 7))
    parts = [_fit_block(panel, origin, block, flat) for block in _blocks(touched)]
    level, ratio = (np.concatenate([part[k] for part in parts]) for k in (0, 2))
    at = np.searchsorted(touched, mine.row)
    more = unserved(mine, level[at], np.maximum(ratio - 1.0, MINIMUM_DISPERSION)[at]) * panel.unit[mine.row]
    added = np.zeros((len(panel.parent), 7))
    np.add.at(added, (panel.group[mine.row], (mine.day + 3) % 7), more)
    return weekday_index(panel, origin, added)


def weekday_index(panel: Panel, origin: int, added: Floats | None = None) -> Floats:
    """Weekday shape of each group over the last 16 weeks, shrunk to its parent's, that to everybody's, that to flat.

    `added` is demand per group and weekday that was not served.
    """
    history, groups = panel.history, len(panel.parent)
    total, square = np.zeros((groups, 7)), np.zeros((groups, 7))
    arrays = _writable(history.offsets), _writable(history.days), _writable(history.quantity)
    last = origin - 1
    fill_group_weekdays(
        *arrays, _writable(panel.group), _writable(panel.unit), origin - INDEX_DAYS, last, total, square
    )
    if added is not None:
        total += added
    parents = int(panel.parent.max(initial=-1)) + 1
    above, above_square = np.zeros((parents, 7)), np.zeros((parents, 7))
    np.add.at(above, panel.parent, total)
    np.add.at(above_square, panel.parent, square)
    everybody = _shrunk_shape(total.sum(0), square.sum(0), np.ones(7))
    return _shrunk_shape(total, square, _shrunk_shape(above, above_square, everybody)[panel.parent])


def _shrunk_shape(total: Floats, square: Floats, prior: Floats) -> Floats:
    """A shape with mean 1 from sums per weekday, pulled to `prior` where it rests on few or very unequal sales."""
    amount = total.sum(-1, keepdims=True)
    size = amount * amount / np.maximum(square.sum(-1, keepdims=True), 1e-300)
    own = 7.0 * total / np.maximum(amount, 1e-300)
    return np.asarray((size * own + INDEX_PRIOR * prior) / (size + INDEX_PRIOR))


def _blocks(rows: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.int64]]:
    for begin in range(0, max(len(rows), 1), BLOCK):
        yield rows[begin : begin + BLOCK]


def _weights(origin: int) -> tuple[int, Floats]:
    """First day of the memory and the weight of each of its days: two levels, then the window of the variance."""
    age = np.arange(MEMORY_DAYS - 1, -1, -1, dtype=np.float64)
    decays = (*DECAYS, SPREAD_DECAY)
    return origin - MEMORY_DAYS, np.stack([(1.0 - decay) ** age for decay in decays])


def _fit_block(
    panel: Panel, origin: int, rows: npt.NDArray[np.int64], index: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Level, mean, variance ÷ mean (Pearson) and effective days with demand of some series.

    Level and mean are Σ w·x ÷ Σ w·index: the Poisson likelihood's answer, and sound where a weekday is closed.
    """
    history = panel.history
    first, weight = _weights(origin)
    shape = index[panel.group[rows]]
    seen = _seen_weights(first, weight, np.maximum(history.start[rows], history.first_day))
    sums = np.zeros((len(rows), 5, 7))
    fill_weekday_moments(
        _writable(history.offsets), _writable(history.days), _writable(history.quantity), _writable(rows),
        weight[[0, 1, 2, 2, 2]], np.array([1, 1, 1, 2, 0]), first, sums,
    )  # fmt: skip
    base = np.maximum(np.einsum("rkd,rd->rk", seen, shape), 1e-9)
    level = (sums[:, :2].sum(2) / base[:, :2]).mean(1)
    mean = sums[:, 2].sum(1) / base[:, 2]
    square, cross = sums[:, 3].sum(1), (sums[:, 2] * shape).sum(1)
    spread, exposed = (seen[:, 2] * shape**2).sum(1), base[:, 2]
    if panel.censored is not None:
        mine = panel.censored.of(rows, first, origin)
        found = uncensored(mine, first, weight, shape, Moments(sums[:, :3].sum(2), base[:, :3], square, cross, spread))
        level, mean = found.level[:, :2].mean(1), found.level[:, 2]
        square, cross, spread, exposed = found.square, found.cross, found.spread, found.exposed
    error = square - 2 * mean * cross + mean**2 * spread
    ratio = error / np.maximum(mean * exposed, 1e-9)
    return level, mean, ratio, sums[:, 4].sum(1)


def _seen_weights(first: int, weight: Floats, start: npt.NDArray[np.int32]) -> Floats:
    """[rows, k, 7]: the weight of the days since each series began, by weekday."""
    span = weight.shape[1]
    day = (np.arange(first, first + span) + 3) % 7
    by_weekday = weight[:, :, None] * (day[None, :, None] == np.arange(7))
    tail = np.zeros((span + 1, weight.shape[0], 7))
    tail[:span] = by_weekday[:, ::-1].cumsum(1)[:, ::-1].transpose(1, 0, 2)
    return tail[np.clip(start.astype(np.int64) - first, 0, span)]


def _dispersion(mean: Floats, ratio: Floats, busy: Floats, unit: Floats) -> Floats:
    """φ of each series, shrunk to a fit of log φ on log mean (quadratic; base units, so that scales do not mix)."""
    raw = np.maximum(ratio - 1.0, 0.01) * unit
    log_mean = np.log(np.maximum(mean * unit, 1e-3))
    terms = np.stack([np.ones_like(log_mean), log_mean, log_mean**2], 1)
    trust = busy / (busy + PRIOR_DAYS)
    used = mean * unit > 0.01
    prior = raw
    if used.sum() >= 10:
        weight = np.sqrt(trust[used])[:, None]
        target = np.log(np.maximum(raw[used], MINIMUM_DISPERSION) + 0.05)
        found = np.linalg.lstsq(terms[used] * weight, target * weight[:, 0], rcond=None)[0]
        low, high = log_mean[used].min(), log_mean[used].max()
        inside = np.clip(log_mean, low, high)
        prior = np.exp(np.stack([np.ones_like(inside), inside, inside**2], 1) @ found)
    return np.maximum((trust * raw + (1 - trust) * prior) / unit, MINIMUM_DISPERSION)


def calibrate(panel: Panel, origin: int, horizon: int, origins: int = 3) -> Calibration:
    """How wrong the method was at up to `origins` earlier origins, each `horizon` days apart, all before `origin`.

    A sample of the series is enough: what is measured is pooled by rate class. With too little history for one past
    origin of at least a week, the defaults hold.
    """
    probability = np.tile(GRID, (len(DEFAULT_LEVEL_CV), 1))
    length = origin - panel.history.first_day
    step = min(horizon, length - MINIMUM_HISTORY)
    if step < 7:
        return Calibration(np.array(DEFAULT_LEVEL_CV), probability, ())
    past = [origin - step * (k + 1) for k in range(origins) if length - step * (k + 1) >= MINIMUM_HISTORY]
    rows = _sample(panel, past[0])
    fits = [_old_enough(fit_origin(panel, when, rows)) for when in past]
    cv = _level_cv(panel, fits, step)
    return Calibration(cv, _daily_probability(panel, fits[0], min(step, 28)), tuple(past))


def _sample(panel: Panel, origin: int) -> npt.NDArray[np.int64]:
    """An even sample of the series that had sold something by then."""
    history = panel.history
    first = np.full(len(panel), np.iinfo(np.int32).max, np.int64)
    filled = np.diff(history.offsets) > 0
    first[filled] = history.days[history.offsets[:-1][filled]]
    rows = np.flatnonzero(first < origin - MINIMUM_HISTORY // 2)
    return np.asarray(rows[:: max(1, -(-len(rows) // CALIBRATION_SERIES))], np.int64)


def _old_enough(fit: OriginFit) -> OriginFit:
    keep = (fit.days >= MINIMUM_HISTORY) & (fit.level > 1e-6)
    picked = (fit.rows[keep], fit.weekday_index, fit.level[keep], fit.dispersion[keep])
    return OriginFit(fit.origin, *picked, fit.rate_class[keep], fit.days[keep])


def _level_cv(panel: Panel, fits: list[OriginFit], horizon: int) -> Floats:
    """The level uncertainty of each class that scores the least pinball loss on sums over the horizon."""
    total = np.concatenate([_window_sums(panel, fit, horizon) for fit in fits])
    mean = np.concatenate([fit.means(panel, np.arange(fit.origin, fit.origin + horizon)).sum(1) for fit in fits])
    phi = np.concatenate([fit.dispersion for fit in fits])
    member = np.concatenate([fit.rate_class for fit in fits])
    out = np.array(DEFAULT_LEVEL_CV)
    for number in range(len(out)):
        chosen = np.flatnonzero((member == number) & (mean > 0))
        if len(chosen) >= MINIMUM_CLASS:
            out[number] = _best_cv(total[chosen], mean[chosen], phi[chosen])
    return out


def _best_cv(total: Floats, mean: Floats, phi: Floats) -> float:
    """The least pinball loss decides, but among values hardly worse the first whose 80 % window covered 80 %."""
    losses = np.array([_sum_loss(total, mean, phi, cv) for cv in LEVEL_CV_GRID])
    least = int(np.argmin(losses))
    for at in range(least, len(losses)):
        if losses[at] > losses[least] * (1 + LOSS_SLACK):
            return LEVEL_CV_GRID[at - 1]
        if _sum_coverage(total, mean, phi, LEVEL_CV_GRID[at]) >= 0.8:
            return LEVEL_CV_GRID[at]
    return LEVEL_CV_GRID[-1]


def _sum_coverage(total: Floats, mean: Floats, phi: Floats, cv: float) -> float:
    window = demand_quantiles(0, mean, phi + cv * cv * mean, [0.1, 0.9])
    return coverage(total, window[:, 0], window[:, 1])


def _window_sums(panel: Panel, fit: OriginFit, horizon: int) -> Floats:
    dense = panel.history.dense(fit.rows, fit.origin, fit.origin + horizon - 1)
    return np.asarray(dense.sum(1, dtype=np.float64))


def _sum_loss(total: Floats, mean: Floats, phi: Floats, cv: float) -> float:
    """Mean pinball loss of horizon sums, each divided by its own noise so that fast movers do not decide alone."""
    quantile = demand_quantiles(0, mean, phi + cv * cv * mean, SCORED)
    scale = np.sqrt(mean * (1 + phi))
    return float((pinball(total[:, None], quantile, SCORED) / scale[:, None]).mean())


def _daily_probability(panel: Panel, fit: OriginFit, horizon: int) -> Floats:
    """Where the days after a past origin fell in their forecast distributions: the quantiles of those positions.

    The position of a count is spread evenly between P(X < x) and P(X ≤ x) (randomised probability integral transform,
    with a low-discrepancy sequence in place of luck); few values are pulled to the nominal probability.
    """
    days = np.arange(fit.origin, fit.origin + horizon)
    out = np.tile(GRID, (len(DEFAULT_LEVEL_CV), 1))
    actual = panel.history.dense(fit.rows, fit.origin, fit.origin + horizon - 1).astype(np.float64)
    means = np.maximum(fit.means(panel, days), 1e-4)
    for number in range(len(out)):
        chosen = np.flatnonzero(fit.rate_class == number)
        if len(chosen) < MINIMUM_CLASS:
            continue
        phi = fit.dispersion[chosen, None]
        below, upto = (count_cdfs(actual[chosen] - k, means[chosen], phi) for k in (1, 0))
        between = (np.arange(below.size) * 0.6180339887498949 % 1.0).reshape(below.shape)
        found = np.quantile(below + between * (upto - below), GRID)
        weight = below.size / (below.size + 2_000)
        out[number] = np.clip(weight * found + (1 - weight) * GRID, 1e-6, 1 - 1e-6)
    return np.maximum.accumulate(out, axis=1)


def _writable(array: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """The array as kernels want it: contiguous and writable (they never write to it)."""
    return np.require(array, requirements=["C", "W"])

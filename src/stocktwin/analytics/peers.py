"""The simple forecasts every other one must beat, all series at once. Rows are series, columns days; means only.

A series that has not begun yet is skipped until its first day, given as a column.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Starts = npt.NDArray[np.int64]

WINDOW = 28
ALPHA = 0.1
"""Smoothing constant of Croston and his followers (0.1 to 0.2 in the literature)."""
TSB_ALPHA, TSB_BETA = 0.1, 0.02
SEASON = 7


def seasonal_naive(past: Floats, start: Starts, horizon: int) -> Floats:
    """Last week again."""
    return np.asarray(past[:, -SEASON:][:, np.arange(horizon) % SEASON], np.float64)


def moving_average(past: Floats, start: Starts, horizon: int) -> Floats:
    """Mean of the last four weeks (of the days since the series began)."""
    seen = np.arange(past.shape[1])[-WINDOW:][None, :] >= start[:, None]
    mean = np.where(seen, past[:, -WINDOW:], 0).sum(1) / np.maximum(seen.sum(1), 1)
    return _flat(mean, horizon)


def croston(past: Floats, start: Starts, horizon: int) -> Floats:
    """Mean size ÷ mean interval of demands, both smoothed at each demand (Croston 1972)."""
    size, interval = _sizes_and_intervals(past, start)
    return _flat(size / interval, horizon)


def sba(past: Floats, start: Starts, horizon: int) -> Floats:
    """Croston less its bias: × (1 − α/2) (Syntetos & Boylan 2005, Int. J. Forecasting 21)."""
    return np.asarray(croston(past, start, horizon) * (1 - ALPHA / 2))


def tsb(past: Floats, start: Starts, horizon: int) -> Floats:
    """Smoothed probability of a demand, every day, × smoothed size (Teunter, Syntetos & Babai 2011, EJOR 214)."""
    size, chance = np.zeros(len(past)), np.zeros(len(past))
    known = np.zeros(len(past), bool)
    for day in range(past.shape[1]):
        sold = past[:, day]
        hit, alive = sold > 0, day >= start
        first = hit & ~known
        size = np.where(first, sold, np.where(hit, size + TSB_ALPHA * (sold - size), size))
        begun = np.maximum(day - start + 1, 1)
        chance = np.where(
            first, 1.0 / begun, np.where(alive & known, chance + TSB_BETA * (hit - chance), chance)
        )  # fmt: skip
        known |= hit
    return _flat(size * chance, horizon)


PEERS: dict[str, Callable[[Floats, Starts, int], Floats]] = {
    "seasonal_naive": seasonal_naive,
    "moving_average": moving_average,
    "croston": croston,
    "sba": sba,
    "tsb": tsb,
}


def _sizes_and_intervals(past: Floats, start: Starts) -> tuple[Floats, Floats]:
    """Croston's two averages; a series without demand has size 0 and interval 1."""
    n = len(past)
    size, interval, since = np.zeros(n), np.ones(n), np.zeros(n)
    known = np.zeros(n, bool)
    for day in range(past.shape[1]):
        sold = past[:, day]
        since = np.where(day >= start, since + 1, since)
        hit = sold > 0
        first, again = hit & ~known, hit & known
        size = np.where(first, sold, np.where(again, size + ALPHA * (sold - size), size))
        interval = np.where(first, since, np.where(again, interval + ALPHA * (since - interval), interval))
        since = np.where(hit, 0.0, since)
        known |= hit
    return size, np.maximum(interval, 1.0)


def _flat(mean: Floats, horizon: int) -> Floats:
    return np.repeat(np.asarray(mean, np.float64)[:, None], horizon, axis=1)

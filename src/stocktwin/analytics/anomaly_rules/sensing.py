"""How far a reading may be off while nothing is wrong, learned from what its instrument said before.

A scale or a sensor in a bin scatters about the level: how much, the steps between its successive differences from the
record tell, since a fault in the record shifts all readings after it alike. A reader of tags only misses some: how
many, the share of its readings that miss none tells.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from stocktwin.analytics.anomaly_rules.model import Thresholds

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

STEP_SHARE: Final = 0.9
STEP_DEVIATIONS: Final = 1.645 * math.sqrt(2)
"""The 90 % quantile of |difference of two readings| is so many standard deviations of one (normal distribution)."""
MOST_MISSED: Final = 0.1
"""A reader that misses more than this share of the tags does not tell levels."""
RARE: Final = 1e-4
"""Chance of more missed tags than are put down to missing."""


def tolerances(method: npt.NDArray[np.object_], system: Ints, series: Ints, off: Ints, record: Ints,
               limits: Thresholds) -> Floats:  # fmt: skip
    """Largest difference from the record that is the instrument's own, per claim, atomic units; 0 for counts.

    At least `sensed_tolerance` of the record and one unit, for what an instrument's own history does not show (drift).
    Claims stand in time order of each series.
    """
    known = np.maximum(record, 0)
    out = np.where(method == "cycle_count", 0.0, limits.sensed_tolerance * known + 1)
    weighed = np.flatnonzero(method == "weight")
    scatter = limits.sensed_deviations * noise(series[weighed], off[weighed], limits.sensed_sample)
    out[weighed] = np.maximum(out[weighed], scatter)
    for code in np.unique(system[method == "rfid"]):
        read = np.flatnonzero((method == "rfid") & (system == code))
        rate = missed_share(known[read], off[read], limits.sensed_sample)
        short = read[off[read] < -1]
        out[short] = np.maximum(out[short], [most_missed(rate * level) for level in known[short].tolist()])
    return out


def noise(series: Ints, off: Ints, sample: int) -> Floats:
    """Standard deviation of each reading's series, from the 90 % quantile of the steps between successive differences;
    0 where there are fewer steps than `sample`.

    >>> off = np.array([0, 3, -2, 1, 0, 2])
    >>> noise(np.zeros(6, np.int64), off, sample=5).round(2).tolist()[0], noise(np.arange(6), off, sample=5).tolist()[0]
    (1.29, 0.0)
    """
    same = series[1:] == series[:-1]
    step, owner = np.abs(np.diff(off))[same], series[1:][same]
    order = np.lexsort((step, owner))
    owners, first, many = np.unique(owner[order], return_index=True, return_counts=True)
    at = first + np.floor(STEP_SHARE * (many - 1)).astype(np.int64)
    found = np.where(many >= sample, step[order][at] / STEP_DEVIATIONS, 0.0) if len(owners) else np.zeros(0)
    place = np.searchsorted(owners, series)
    known = (place < len(owners)) & (np.append(owners, -1)[place] == series)
    return np.where(known, np.append(found, 0.0)[place], 0.0)


def missed_share(record: Ints, off: Ints, sample: int) -> float:
    """Share of the tags that a reader misses: the λ at which as many of its readings would miss none as did,
    Σ exp(−λ·record) = number of exact readings; 0 for fewer readings than `sample`.

    >>> missed_share(np.full(100, 10), np.repeat([0, -1], [90, 10]), sample=20).__round__(4)
    0.0105
    """
    level = record[record > 0]
    exact = int((off[record > 0] == 0).sum())
    if len(level) < sample:
        return 0.0
    low, high = 0.0, MOST_MISSED
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if np.exp(-middle * level).sum() > exact else (low, middle)
    return low


def most_missed(expected: float) -> int:
    """The number of tags that is exceeded with a chance of `RARE` only where so many are missed on average (Poisson).

    >>> most_missed(0.0), most_missed(0.05), most_missed(0.4), most_missed(3.0)
    (0, 2, 4, 11)
    """
    number, chance = 0, math.exp(-expected)
    covered = chance
    while 1 - covered > RARE and number < 10 * (expected + 1):
        number += 1
        chance *= expected / number
        covered += chance
    return number

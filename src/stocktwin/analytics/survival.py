"""Distributions of whole days as tables at even probabilities: Kaplan–Meier with an honest tail, gamma, conditional."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from stocktwin.kernels.demand import SHAPE_GAMMA, demand_quantiles

Floats = npt.NDArray[np.float64]
Days = npt.NDArray[np.int32]

LONGEST_DAYS = 3_650
OVERRUN = 0.25
"""Past everything seen, what is still to wait is exponential with this share of the mean lead time as its mean."""


def probabilities(cells: int) -> Floats:
    """(k + ½)/cells: where a table's entries stand.

    >>> probabilities(2).tolist()
    [0.25, 0.75]
    """
    return (np.arange(cells) + 0.5) / cells


def kaplan_meier(days: Floats, done: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Distinct days of arrival and the share that had arrived by then; `done` is False where the line is still open.

    Kaplan & Meier (1958): at each arrival day the surviving share is multiplied by 1 − arrivals ÷ still waiting; a line
    open at that same age was still waiting.

    >>> [part.tolist() for part in kaplan_meier(np.array([1.0, 2.0, 2.0, 4.0]), np.array([True, True, False, True]))]
    [[1.0, 2.0, 4.0], [0.25, 0.5, 1.0]]
    """
    if not done.any():
        return np.zeros(0), np.zeros(0)
    when, arrivals = np.unique(days[done], return_counts=True)
    waiting = len(days) - np.searchsorted(np.sort(days), when, side="left")
    return when, np.asarray(1.0 - np.cumprod(1.0 - arrivals / waiting), np.float64)


def kaplan_meier_table(days: Floats, done: npt.NDArray[np.bool_], cells: int) -> Days:
    """The Kaplan–Meier distribution as a table of whole days, rounded up, at least 1.

    Where lines are open beyond the last arrival the estimate does not reach 1: the rest arrives exponentially after the
    last arrival, at the rate of arrivals per day waited of the whole pool.
    """
    when, share = kaplan_meier(days, done)
    p = probabilities(cells)
    at = np.searchsorted(share, p - 1e-12)
    inside = at < len(when)
    out = np.empty(cells)
    out[inside] = when[at[inside]]
    if not inside.all():
        wait = max(float(days.sum()) / max(int(done.sum()), 1), 1.0)
        left = 1.0 - (share[-1] if len(share) else 0.0)
        start = when[-1] if len(when) else 0.0
        out[~inside] = start - wait * np.log((1.0 - p[~inside]) / left)
    return whole_days(out)


def gamma_table(mean: float, sd: float | None, cells: int) -> Days:
    """A gamma distribution as a table of whole days; without a standard deviation, the mean itself.

    >>> set(gamma_table(6.0, None, 8).tolist()), gamma_table(6.0, 2.0, 4).tolist()
    ({6}, [4, 6, 7, 9])
    """
    if not sd or mean <= 0:
        return whole_days(np.full(cells, mean))
    return whole_days(demand_quantiles(SHAPE_GAMMA, mean, sd, probabilities(cells))[0])


def whole_days(days: Floats) -> Days:
    """Rounded up (a part of a day is a day), between 1 day and ten years, non-decreasing.

    >>> whole_days(np.array([0.0, 2.2])).tolist()
    [1, 3]
    """
    rounded = np.ceil(np.asarray(days, np.float64) - 1e-9)
    return np.maximum.accumulate(np.clip(rounded, 1, LONGEST_DAYS)).astype(np.int32)


def conditional_days(table: Days, age: float, probability: float) -> float:
    """Days from ordering within which a line arrives with this probability, given that it is `age` days old and open.

    >>> conditional_days(np.array([2, 4, 6, 8], np.int32), 4.0, 0.5)
    6.0
    """
    still = table[np.searchsorted(table, age, side="right") :]
    if len(still):
        return float(still[min(math.ceil(probability * len(still)) - 1, len(still) - 1)])
    return age - OVERRUN * max(float(table.mean()), 1.0) * math.log(1.0 - probability)

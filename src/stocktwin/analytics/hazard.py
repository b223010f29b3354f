"""How long things take, pooled partially over nested and crossed groups, with what is still open counted as such.

For every group of a level the daily hazard (share of those still waiting at the start of day t that arrive on it) is
pulled towards its parent's: h = (d + k · h_parent) ÷ (n + k), with d arrivals on day t and n still waiting, both
weighted by age so that what was ordered a year ago counts half. Levels are applied one after the other, coarse to fine,
and need not be nested; the first parent is everybody's hazard, smoothed over a week. An open line was waiting up to its
age and then leaves: it is right-censored, never dropped.

The estimate of one level is the posterior mean of a beta-Stacy process (Walker & Muliere 1997, Annals of Statistics 25)
centred at the parent, with precision k ÷ survivors; with k = 0 it is Kaplan & Meier (1958).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DAYS = 730
"""Longest wait that is told apart; beyond it the tail is exponential."""
STRENGTH = 20.0
"""k: a parent's hazard weighs as much as this many still waiting."""
HALF_LIFE_DAYS = 365.0
SMOOTHED = 7
LEAST_HAZARD, MOST_HAZARD = 5e-4, 0.9999
LEAST_WAITING, TAIL_DAYS = 2.0, 60
BLOCK = 256
"""Distinct queries worked on at a time."""


@dataclass(frozen=True)
class Waits:
    """What has been seen: n waits with F coded factors each."""

    factors: Ints
    """[n, F] codes ≥ 0; −1 where not known."""
    days: Floats
    """[n] how long it took, or how long it has waited so far."""
    done: npt.NDArray[np.bool_]
    weight: Floats
    """[n] `recency` of when it began."""

    def __len__(self) -> int:
        return len(self.days)

    def slots(self) -> Ints:
        """[n] day of arrival (a part of a day is a day), or the last whole day it was still waiting."""
        days = np.where(self.done, np.ceil(self.days - 1e-9), np.floor(self.days + 1e-9))
        return np.clip(days, 0, DAYS).astype(np.int64)


def recency(age_days: npt.ArrayLike, half_life: float = HALF_LIFE_DAYS) -> Floats:
    """Weight of a wait that began so many days ago.

    >>> recency([0.0, 365.0]).tolist()
    [1.0, 0.5]
    """
    return np.asarray(0.5 ** (np.maximum(np.asarray(age_days, np.float64), 0.0) / half_life))


def pooled_cdf(seen: Waits, wanted: Ints, levels: tuple[tuple[int, ...], ...], strength: float = STRENGTH) -> Floats:
    """[m, DAYS + 1] probability that a wait with these factors is over by the end of day t.

    `wanted` is [m, F]; a level is the factors that make up its groups. A query whose factor is −1 skips the levels that
    need it.
    """
    slot = seen.slots()
    base = _base(slot, seen)
    out = np.empty((len(wanted), DAYS + 1))
    groups = [_groups(seen.factors, wanted, level) for level in levels]
    for begin in range(0, len(wanted), BLOCK):
        block = slice(begin, begin + BLOCK)
        hazard = np.tile(base, (len(out[block]), 1))
        for of_seen, of_wanted in groups:
            _shrink(hazard, of_seen, of_wanted[block], slot, seen, strength)
        out[block] = 1.0 - np.cumprod(1.0 - np.clip(hazard, 0.0, MOST_HAZARD), axis=1)
    return out


def _base(slot: Ints, seen: Waits) -> Floats:
    """Everybody's hazard, averaged over a week around each day (mirrored at the ends).

    Where hardly anything was still waiting, the hazard of the last 60 days that can be told goes on.
    """
    arrivals = np.bincount(slot[seen.done], seen.weight[seen.done], DAYS + 1)
    waiting = np.bincount(slot, seen.weight, DAYS + 1)[::-1].cumsum()[::-1]
    raw = (arrivals + 1e-6) / (waiting + 1e-3)
    half = SMOOTHED // 2
    padded = np.concatenate([raw[:half][::-1], raw, raw[-half:][::-1]])
    base = np.clip(np.convolve(padded, np.ones(SMOOTHED) / SMOOTHED, "valid"), LEAST_HAZARD, MOST_HAZARD)
    told = int(np.searchsorted(-waiting, -LEAST_WAITING, side="right"))
    late = slice(max(told - TAIL_DAYS, 0), told)
    if told:
        base[told:] = max(arrivals[late].sum() / max(waiting[late].sum(), 1e-9), 1.0 / 180.0)
    return np.asarray(base)


def _groups(seen: Ints, wanted: Ints, level: tuple[int, ...]) -> tuple[Ints, Ints]:
    """Group codes of what was seen and of what is wanted on a level; −1 where a factor is not known."""
    both = np.concatenate([seen[:, level], wanted[:, level]])
    code = np.unique(both, axis=0, return_inverse=True)[1].ravel().astype(np.int64)
    code[(both < 0).any(axis=1)] = -1
    return code[: len(seen)], code[len(seen) :]


def _shrink(hazard: Floats, of_seen: Ints, of_wanted: Ints, slot: Ints, seen: Waits, strength: float) -> None:
    """Pulls each query's hazard from its parent's to that of its group, where its group was ever seen."""
    asked = np.unique(of_wanted[of_wanted >= 0])
    if not len(asked):
        return
    place = np.full(max(int(of_seen.max(initial=-1)), int(asked[-1])) + 2, -1, np.int64)  # −1 looks at the last
    place[asked] = np.arange(len(asked))
    at = place[of_seen]
    mine = at >= 0
    cell = at[mine] * (DAYS + 1) + slot[mine]
    size = len(asked) * (DAYS + 1)
    weight = seen.weight[mine]
    arrivals = np.bincount(cell, weight * seen.done[mine], size).reshape(-1, DAYS + 1)
    waiting = np.bincount(cell, weight, size).reshape(-1, DAYS + 1)[:, ::-1].cumsum(axis=1)[:, ::-1]
    known = of_wanted >= 0
    row = place[of_wanted[known]]
    hazard[known] = (arrivals[row] + strength * hazard[known]) / (waiting[row] + strength)


def remaining_quantiles(cdf: Floats, age: Floats, probabilities: npt.ArrayLike) -> Floats:
    """[m, q] days from the beginning within which each wait is over, given that it is `age` days old and still open.

    Where the age has outlived the distribution, or a quantile lies beyond `DAYS`, the rest is exponential with the mean
    hazard of the last days known.
    """
    p = np.atleast_1d(np.asarray(probabilities, np.float64))
    whole = np.clip(np.floor(age + 1e-9), 0, DAYS).astype(np.int64)
    row = np.arange(len(cdf))
    gone = np.where(age > 0, cdf[row, whole], 0.0)
    target = gone[:, None] + p[None, :] * (1.0 - gone[:, None])
    out = np.empty(target.shape)
    for k in range(len(p)):
        out[:, k] = (cdf < target[:, k, None] - 1e-12).sum(axis=1)
    beyond = out > DAYS
    if beyond.any():
        rate = _tail_rate(cdf)[:, None]
        start = np.maximum(np.floor(age), DAYS)[:, None]
        left = np.where(age[:, None] > DAYS, 1.0, (1.0 - cdf[:, -1:]) / np.maximum(1.0 - gone[:, None], 1e-12))
        tail = start - np.log(np.maximum((1.0 - p[None, :]), 1e-12) / np.maximum(left, 1e-12)) / rate
        out[beyond] = np.maximum(tail, start)[beyond]
    return np.maximum(out, np.where(age > 0, np.floor(age) + 1.0, 1.0)[:, None])


def remaining_mean(cdf: Floats, age: Floats) -> Floats:
    """[m] mean days from the beginning, given the age: age + Σ survivors from there on, the tail exponential."""
    whole = np.clip(np.floor(age + 1e-9), 0, DAYS).astype(np.int64)
    survive = 1.0 - cdf
    later = survive[:, ::-1].cumsum(axis=1)[:, ::-1] + (survive[:, -1] / _tail_rate(cdf))[:, None]
    row = np.arange(len(cdf))
    alive = np.where(age > 0, survive[row, whole], 1.0)
    start = np.where(age > 0, np.maximum(whole, np.floor(age)), 0.0)
    from_here = np.where(age > DAYS, 1.0 / _tail_rate(cdf), later[row, whole] / np.maximum(alive, 1e-12))
    return np.asarray(start + from_here)


def _tail_rate(cdf: Floats) -> Floats:
    """[m] hazard a day beyond `DAYS`: the mean of the last 90 days known, never below 1 in 180."""
    begin = np.maximum(1.0 - cdf[:, DAYS - 90], 1e-12)
    end = np.maximum(1.0 - cdf[:, -1], 1e-12)
    return np.asarray(np.clip(-np.log(end / begin) / 90.0, 1.0 / 180.0, 1.0))

"""What customers ask for, day by day: rates with weekday, season, growth, stage of life, promotions, illness, weather
and the mood of the region, then counts by class.

Nothing here depends on a decision of the firm, so two worlds of one seed see the same customers.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from stocktwin.world.catalogue import DYING, ERRATIC, LUMPY, NEW, SEASONAL, Catalogue
from stocktwin.world.circumstances import Circumstances
from stocktwin.world.design import Design
from stocktwin.world.draws import Draws
from stocktwin.world.goods import FAMILIES
from stocktwin.world.noise import scattered

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

WEEKDAYS: Final = (1.18, 1.16, 1.12, 1.10, 1.04, 0.75, 0.65)
"""Monday first; sums to 7."""
FIRST_WEEKDAY: Final = 2
"""2025-01-01 is a Wednesday."""
RAMP_DAYS: Final = 45
HALF_LIFE: Final = 60
LARGE: Final = 40.0
"""Mean from which a count is drawn as a normal variate."""
YEAR: Final = 365.0


def weekday(day: int) -> int:
    """Weekday of a day of the world (Monday = 0).

    >>> weekday(0), weekday(5)
    (2, 0)
    """
    return (day + FIRST_WEEKDAY) % 7


def demand_rate(design: Design, around: Circumstances, day: int) -> Floats:
    """Expected quanta (occasions where intermittent or lumpy) of each item-location on a day, given the circumstances,
    but not the mood of the day."""
    items = design.items
    family = items.family
    lift = 1 + items.response * (around.signals.lift(day)[family] - 1)
    of_item = items.rate * _season(items, day) * life(items, day) * lift * WEEKDAYS[weekday(day)]
    shape = len(items), len(design.network.dcs)
    of_place = _shifted(design, day, (design.share * np.exp(design.log_growth * (day / YEAR))).reshape(shape))
    rate = of_item[:, None] * of_place * around.signals.outside(day)[family]
    return np.asarray(_scripted(design, around, day, rate)).reshape(-1)


def demand_of(design: Design, luck: Draws, around: Circumstances, day: int) -> Ints:
    """What is asked for on a day, atomic units per item-location."""
    rate = demand_rate(design, around, day) * np.exp(around.signals.mood[day])[design.dc]
    quanta = np.empty(len(design), np.int64)
    quanta[design.slow_rows] = _occasions(design, luck, day, rate[design.slow_rows])
    quanta[design.fast_rows] = _counts(design, luck, day, rate[design.fast_rows])
    return np.asarray(quanta * design.quantum)


def _shifted(design: Design, day: int, share: Floats) -> Floats:
    """Large customers that have moved take their part of the demand with them; `share` is [item, DC]."""
    at = np.flatnonzero(design.shift_day <= day)
    moved = share[at, design.shift_from[at]] * design.shift_part[at]
    share[at, design.shift_from[at]] -= moved
    share[at, design.shift_to[at]] += moved
    return share


def life(items: Catalogue, day: int) -> Floats:
    """Where items are in their lives: a new one is asked for from its day on, and after `RAMP_DAYS` half as often as it
    will be in the end (logistic); a dying one half as often after each `HALF_LIFE` past its day."""
    age = day - items.turn
    new = np.where(age >= 0, 1 / (1 + np.exp(-(age - RAMP_DAYS).clip(-600, 600) / (RAMP_DAYS / 3))), 0.0)
    dying = 0.5 ** (age.clip(0) / HALF_LIFE)
    return np.where(items.demand_class == NEW, new, np.where(items.demand_class == DYING, dying, 1.0))


def _season(items: Catalogue, day: int) -> Floats:
    wave = 1 + items.amplitude * np.cos(2 * np.pi * (day - items.season_peak) / YEAR)
    return np.where(items.demand_class == SEASONAL, wave, 1.0)


def _scripted(design: Design, around: Circumstances, day: int, rate: Floats) -> Floats:
    """Scripted surges and slumps; `rate` is [item, DC]."""
    items, network = design.items, design.network
    for one in around.script.of("demand_scale"):
        if one.acts(day):
            where = np.array([one.item in (None, name) for name in items.item_id])
            where &= np.array([one.category in (None, family.category) for family in FAMILIES])[items.family]
            there = [one.location in (None, dc.location_id) and one.region in (None, dc.region) for dc in network.dcs]
            rate = np.where(where[:, None] & np.array(there), rate * one.factor, rate)
    return rate


def _counts(design: Design, luck: Draws, day: int, rate: Floats) -> Ints:
    """Negative binomial by gamma-mixed Poisson: CV² of the mixing 1/9, for erratic items 1/1.2. Each item-location has
    numbers of its own, so that a surge at one changes nothing at another."""
    shape = np.where(design.items.demand_class[design.item[design.fast_rows]] == ERRATIC, 1.2, 9.0)
    mean = rate * luck.stream("level", day).standard_gamma(shape) / shape
    return poisson(mean, luck.uniform("count", len(rate), day))


def poisson(mean: Floats, u: Floats) -> Ints:
    """The Poisson variate at quantile `u`, by inversion; from a mean of `LARGE` on by the normal distribution with the
    skewness of the Poisson (Cornish and Fisher), to within a unit or two.

    >>> poisson(np.array([0.5, 2.0, 2.0]), np.array([0.6, 0.13, 0.5])).tolist()
    [0, 0, 2]
    """
    large = mean >= LARGE
    out = np.zeros(len(mean), np.int64)
    z = normal_quantile(u[large])
    out[large] = np.rint(mean[large] + np.sqrt(mean[large]) * z + (z**2 - 1) / 6).clip(0).astype(np.int64)
    at = np.flatnonzero(~large & (mean > 0))
    left, chance, k = u[at] - np.exp(-mean[at]), np.exp(-mean[at]), 0
    while len(at):
        on = (left >= 0) & (k < 4 * LARGE)
        at, left, chance, k = at[on], left[on], chance[on], k + 1
        out[at] = k
        chance = chance * mean[at] / k
        left = left - chance
    return out


def normal_quantile(u: Floats) -> Floats:
    """Standard normal quantile by Hastings' rational approximation (Abramowitz and Stegun 26.2.23), to 4.5e-4.

    >>> normal_quantile(np.array([0.1, 0.975])).round(2).tolist()
    [-1.28, 1.96]
    """
    tail = np.clip(np.minimum(u, 1 - u), 1e-12, 0.5)
    t = np.sqrt(-2 * np.log(tail))
    top = 2.515517 + t * (0.802853 + t * 0.010328)
    z = t - top / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)))
    return np.asarray(np.where(u < 0.5, -z, z))


def _occasions(design: Design, luck: Draws, day: int, rate: Floats) -> Ints:
    """At most one occasion a day; its size is 1 + Poisson(2) where intermittent, 1 + a wide negative binomial of mean 8
    where lumpy."""
    happens = np.flatnonzero(luck.uniform("occasion", len(rate), day) < 1 - np.exp(-rate))
    mean = np.full(len(rate), 2.0)
    lumpy = design.items.demand_class[design.item[design.slow_rows]] == LUMPY
    mean[lumpy] = luck.stream("lump", day).standard_gamma(0.7, int(lumpy.sum())) * (8 / 0.7)
    quanta = np.zeros(len(rate), np.int64)
    quanta[happens] = 1 + poisson(mean[happens], scattered(luck, "size", day, happens))
    return quanta

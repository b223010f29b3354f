"""What customers ask for, day by day: rates with weekday, season, growth and regional shocks, then counts by class.

Nothing here depends on a decision of the firm, so two worlds of one seed see the same customers.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from stocktwin.world.catalogue import ERRATIC, INTERMITTENT, LUMPY, SEASONAL, Catalogue
from stocktwin.world.design import Design
from stocktwin.world.draws import Draws

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

WEEKDAYS: Final = (1.18, 1.16, 1.12, 1.10, 1.04, 0.75, 0.65)
"""Monday first; sums to 7."""
FIRST_WEEKDAY: Final = 2
"""2025-01-01 is a Wednesday."""
SHOCK_SD: Final = 0.07
"""Standard deviation of the log of what a whole region asks for on one day."""
YEAR: Final = 365.0


def weekday(day: int) -> int:
    """Weekday of a day of the world (Monday = 0).

    >>> weekday(0), weekday(5)
    (2, 0)
    """
    return (day + FIRST_WEEKDAY) % 7


def demand_rate(design: Design, day: int) -> Floats:
    """Expected quanta (occasions where intermittent or lumpy) of each item-location on a day, without shocks."""
    items = design.items
    growth = design.growth ** (day / YEAR)
    return np.asarray(
        items.rate[design.item] * design.share * growth * _season(items, day)[design.item] * WEEKDAYS[weekday(day)]
    )


def demand_of(design: Design, luck: Draws, day: int) -> Ints:
    """What is asked for on a day, atomic units per item-location."""
    network = design.network
    shock = np.exp(SHOCK_SD * luck.shared.stream("regional shock", day).standard_normal(len(network.regions)))
    rate = demand_rate(design, day) * shock[network.region][design.dc]
    kind = design.items.demand_class[design.item]
    quanta = np.where(
        np.isin(kind, (INTERMITTENT, LUMPY)), _occasions(luck, day, rate, kind), _counts(luck, day, rate, kind)
    )
    return np.asarray(quanta * design.quantum)


def _season(items: Catalogue, day: int) -> Floats:
    wave = 1 + items.amplitude * np.cos(2 * np.pi * (day - items.season_peak) / YEAR)
    return np.where(items.demand_class == SEASONAL, wave, 1.0)


def _counts(luck: Draws, day: int, rate: Floats, kind: Ints) -> Ints:
    """Negative binomial by gamma-mixed Poisson: CV² of the mixing 1/9, for erratic items 1/1.2."""
    shape = np.where(kind == ERRATIC, 1.2, 9.0)
    mixed = luck.stream("level", day).standard_gamma(shape) / shape
    return luck.stream("count", day).poisson(rate * mixed)


def _occasions(luck: Draws, day: int, rate: Floats, kind: Ints) -> Ints:
    """At most one occasion a day; its size is 1 + Poisson(2) where intermittent, 1 + a wide negative binomial of mean 8
    where lumpy."""
    happens = luck.uniform("occasion", len(rate), day) < 1 - np.exp(-rate)
    wide = luck.stream("lump", day).standard_gamma(0.7, len(rate)) * (8 / 0.7)
    size = 1 + luck.stream("size", day).poisson(np.where(kind == LUMPY, wide, 2.0))
    return np.where(happens, size, 0)

"""What drives demand and lead times from outside: weather, epidemics, promotions, congested ports, moods of a region.

The first four are published and can be read by anyone; the moods cannot. All series are daily and do not depend on how
long the world lives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Final

import numpy as np
import numpy.typing as npt

from stocktwin.world.draws import Draws
from stocktwin.world.goods import FAMILIES
from stocktwin.world.places import Place
from stocktwin.world.regional import correlated

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

YEAR: Final = 365

INFLUENZA: Final = {"RSP": 1.3, "DGN": 1.1, "GLV": 0.7, "DIS": 0.4, "SYR": 0.2, "INF": 0.15}
"""Family → how much more is asked for at an incidence of `TYPICAL_PEAK`: 1.0 is twice as much."""
TYPICAL_PEAK: Final = 300.0
"""Cases per 100,000 inhabitants and week at the peak of a usual winter."""
QUIET: Final = 5.0
WAVE_DAYS: Final = 16.0
OUTBREAK: Final = 0.25
"""Chance that a region has an outbreak outside the season, in a year."""

HEAT: Final = {"FLT": 0.025, "INF": 0.012, "ELC": 0.012}
"""Family → additional demand per degree above `WARM`."""
COLD: Final = {"LUB": 0.015, "DIS": -0.005, "FST": -0.015, "TLS": -0.010}
"""Family → additional demand per degree below `FROST`; building sites rest."""
WARM, FROST = 22.0, 0.0

PROMOTED: Final = ("WND", "GLV", "LAB", "FST", "BRG", "ELC", "FLT", "TLS")
PROMOTIONS: Final = 3
"""Of a promoted family, a year."""
PROMOTION_DAYS: Final = (6, 15)
DISCOUNT: Final = (0.10, 0.25)
LIFT: Final = 4.0
"""Additional demand per unit of discount: 20 % off sells 80 % more."""
ECHO, ECHO_DAYS = 0.8, 10
"""Demand that stays away per unit of discount, for some days after: people have bought ahead."""

CONGESTION_SD: Final = 0.10
NO_SEASON: Final = (0, -1, 1.0)
MOOD_SD, NATIONAL_SD = 0.07, 0.03


@dataclass(frozen=True)
class Series:
    """One published series: `values[day]`, for a category, a region or a location."""

    name: str
    values: Floats
    category: str | None = None
    region: str | None = None
    location: str | None = None


@dataclass(frozen=True)
class Signals:
    """The series of a network, by day."""

    regions: tuple[str, ...]
    region_of: Ints
    """Region of each DC."""
    ports: tuple[str, ...]
    temperature: Floats
    """[day, region]: daily mean, °C."""
    influenza: Floats
    """[day, region]: cases per 100,000 inhabitants and week."""
    discount: Floats
    """[day, family]: part of the price that is off."""
    congestion: Floats
    """[day, port]: how much longer everything takes, 1 = usual."""
    mood: Floats
    """[day, DC]: log of what a whole DC is asked for more than usual. Not published."""

    def lift(self, day: int) -> Floats:
        """Factor of demand of each family due to promotions, for an item that responds as usual."""
        before = self.discount[max(0, day - ECHO_DAYS) : day]
        echo = before.max(axis=0, initial=0.0) if len(before) else np.zeros(len(FAMILIES))
        now = self.discount[day]
        return np.where(now > 0, 1 + LIFT * now, 1 - ECHO * echo)

    def outside(self, day: int) -> Floats:
        """[family, DC]: factor of demand due to weather and influenza."""
        ill = (self.influenza[day] - QUIET).clip(0) / TYPICAL_PEAK
        warm, cold = (self.temperature[day] - WARM).clip(0), (FROST - self.temperature[day]).clip(0)
        effect = np.outer(_by_family(INFLUENZA), ill) + np.outer(_by_family(HEAT), warm)
        factor = (1 + effect + np.outer(_by_family(COLD), cold)).clip(0.2)
        return np.asarray(factor[:, self.region_of])

    def published(self, days: int) -> list[Series]:
        """All that can be read by anyone after so many days."""
        weather = [(n, s[:days]) for n, s in (("temperature", self.temperature), ("influenza", self.influenza))]
        by_region = [Series(n, s[:, r], region=name) for n, s in weather for r, name in enumerate(self.regions)]
        families = [f for f, family in enumerate(FAMILIES) if family.prefix in PROMOTED]
        offers = [Series("promotion", self.discount[:days, f], category=FAMILIES[f].category) for f in families]
        queues = [Series("congestion", self.congestion[:days, p], location=name) for p, name in enumerate(self.ports)]
        return by_region + offers + queues


def make_signals(luck: Draws, dcs: Sequence[Place], ports: Sequence[Place], days: int) -> Signals:
    """The series of the first `days` days of a network with these DCs and ports. `luck` is that of the whole world."""
    regions = tuple(dict.fromkeys(dc.region for dc in dcs))
    region_of = np.array([regions.index(dc.region) for dc in dcs], np.int64)
    centres = [_centre([dc for dc in dcs if dc.region == region]) for region in regions]
    return Signals(
        regions=regions,
        region_of=region_of,
        ports=tuple(port.location_id for port in ports),
        temperature=_temperature(luck, centres, days),
        influenza=_influenza(luck, centres, days),
        discount=_discounts(luck, days),
        congestion=_congestion(luck, ports, days),
        mood=_mood(luck, dcs, days),
    )


def _by_family(effect: dict[str, float]) -> Floats:
    return np.array([effect.get(family.prefix, 0.0) for family in FAMILIES])


def _centre(places: Sequence[Place]) -> SimpleNamespace:
    latitude, longitude = (
        sum(getattr(place, axis) for place in places) / len(places) for axis in ("latitude", "longitude")
    )
    return SimpleNamespace(latitude=latitude, longitude=longitude)


def _temperature(luck: Draws, centres: Sequence[SimpleNamespace], days: int) -> Floats:
    """A warm year is a cosine with its peak in mid-July; both its mean and its swing are read off the latitude (North
    American lowlands, rounded). Weather comes and goes within days and over a thousand kilometres."""
    north = np.array([centre.latitude for centre in centres]) - 33.7
    wave = np.cos(2 * np.pi * (np.arange(days)[:, None] - 198) / YEAR)
    weather = 3.5 * correlated(luck, "temperature", centres, days, memory=0.75, reach_km=1000)
    return np.asarray(np.round(17 - 0.75 * north + (9.5 + 0.55 * north.clip(-12)) * wave + weather, 1))


def _influenza(luck: Draws, centres: Sequence[SimpleNamespace], days: int) -> Floats:
    """A wave each winter, peaking around late January, earlier or later and stronger or weaker by season and region;
    now and then an outbreak outside the season."""
    day = np.arange(days)[:, None]
    level = np.full((days, len(centres)), QUIET)
    for season in range(days // YEAR + 2):
        draws = luck.stream("influenza", season)
        start, strength = draws.standard_normal(), draws.standard_normal()
        own = draws.standard_normal((3, len(centres)))
        chance = draws.random((2, len(centres)))
        size = TYPICAL_PEAK * np.exp(0.35 * strength + 0.2 * own[1])
        level += size * _wave(day, YEAR * season + 26 + 10 * start + 6 * own[0])
        size = np.where(chance[0] < OUTBREAK, 0.5 * TYPICAL_PEAK * np.exp(0.3 * own[2]), 0.0)
        level += size * _wave(day, YEAR * season + 100 + 200 * chance[1])
    return np.round(level, 1)


def _wave(day: Ints, peak: Floats) -> Floats:
    """The course of an epidemic (Kermack and McKendrick's squared hyperbolic secant), cut off after four months."""
    away = np.abs(day - peak)
    return np.where(away < 120, np.cosh(np.minimum(away, 120) / WAVE_DAYS) ** -2.0, 0.0)


def _discounts(luck: Draws, days: int) -> Floats:
    """The promotions of each family, one in each third of the year, for a week or two."""
    discount = np.zeros((days, len(FAMILIES)))
    for year in range(days // YEAR + 1):
        draws = luck.stream("promotion", year).random((len(FAMILIES), PROMOTIONS, 3))
        for family, number in np.ndindex(draws.shape[:2]):
            when, length, size = draws[family, number]
            first = year * YEAR + int((number + when) * (YEAR - PROMOTION_DAYS[1]) / PROMOTIONS)
            last = first + PROMOTION_DAYS[0] + int(length * (PROMOTION_DAYS[1] - PROMOTION_DAYS[0]))
            if FAMILIES[family].prefix in PROMOTED:
                discount[first:last, family] = round(DISCOUNT[0] + size * (DISCOUNT[1] - DISCOUNT[0]), 2)
    return discount


def _congestion(luck: Draws, ports: Sequence[Place], days: int) -> Floats:
    """Queues that build up and dissolve over weeks, on top of the season of each coast."""
    queues = np.exp(CONGESTION_SD * correlated(luck, "congestion", ports, days, memory=0.95, reach_km=1500))
    of_year = np.arange(days) % YEAR
    for k, port in enumerate(ports):
        first, last, slow = port.season or NO_SEASON
        queues[:, k] *= np.where((of_year >= first) & (of_year <= last), slow, 1.0)
    return np.asarray(np.round(queues, 3))


def _mood(luck: Draws, dcs: Sequence[Place], days: int) -> Floats:
    near = correlated(luck, "regional shock", dcs, days, memory=0.5, reach_km=800)
    everywhere = np.array([luck.stream("national shock", day).standard_normal() for day in range(days)])
    return np.asarray(MOOD_SD * near + NATIONAL_SD * everywhere[:, None])

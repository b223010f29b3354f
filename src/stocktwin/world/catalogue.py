"""The items of the world: what they are, how they are asked for, what they cost, how they are packed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stocktwin.world.draws import Draws
from stocktwin.world.goods import FAMILIES, UNIT_SHARE, Family

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

CLASSES: Final = ("smooth", "erratic", "intermittent", "lumpy", "seasonal", "trending", "new", "dying")
SMOOTH, ERRATIC, INTERMITTENT, LUMPY, SEASONAL, TRENDING, NEW, DYING = range(len(CLASSES))
CLASS_SHARES: Final = (0.18, 0.08, 0.36, 0.19, 0.08, 0.05, 0.03, 0.03)

RATE_MEDIAN: Final = (36.0, 60.0, 0.70, 0.55, 36.0, 36.0, 30.0, 30.0)
"""Median of an item's national rate by class: quanta, or occasions where intermittent or lumpy, a day."""
RATE_SPREAD: Final = (0.60, 0.60, 0.45, 0.45, 0.50, 0.50, 0.50, 0.50)
SIZE_MEAN: Final = (1.0, 1.0, 3.0, 9.0, 1.0, 1.0, 1.0, 1.0)
"""Mean quanta asked for on an occasion."""

LAUNCH: Final = (-60, 270)
PHASE_OUT: Final = (-60, 180)
"""First and last day on which a new item comes and a dying one begins to go."""
SHELF_LIVES: Final = (180, 365, 730, 1095)
SHELF_LIFE_SHARES: Final = (0.1, 0.25, 0.4, 0.25)

CRITICALITIES: Final = ("critical", "standard", "low")
CASES: Final = (6, 10, 12, 24, 50)
CASE_SHARES: Final = (0.1, 0.1, 0.5, 0.2, 0.1)


@dataclass(frozen=True)
class Catalogue:
    """Items as columns. Quantities are atomic; a *quantum* is the smallest quantity that is ever asked for."""

    item_id: tuple[str, ...]
    description: tuple[str, ...]
    family: Ints
    """Row of `goods.FAMILIES`."""
    demand_class: Ints
    scale: Ints
    quantum: Ints
    case: Ints
    """Base units in a case (a drum, a canister)."""
    cases_per_pallet: Ints
    rate: Floats
    """National demand at the start: quanta a day, occasions a day where intermittent or lumpy."""
    size: Floats
    """Mean quanta asked for on an occasion (1 where demand is not intermittent or lumpy)."""
    cost: Floats
    price: Floats
    volume: Floats
    weight: Floats
    shelf_life: Ints
    """Days, 0 = does not expire."""
    criticality: Ints
    season_peak: Ints
    """Day of the year of the peak; only items of class seasonal have one that matters."""
    amplitude: Floats
    turn: Ints
    """Day on which a new item comes to market or a dying one begins to go; without meaning for the others."""
    response: Floats
    """How strongly demand responds to a promotion of the family: 1 = as usual, 0 where the item is critical."""

    def __len__(self) -> int:
        return len(self.item_id)

    @property
    def unit(self) -> list[str]:
        """Base unit of each item."""
        return [FAMILIES[f].unit for f in self.family]

    @property
    def case_atoms(self) -> Ints:
        """Atomic units in a case."""
        return self.case * 10**self.scale

    @property
    def daily(self) -> Floats:
        """National demand at the start, atomic units a day."""
        return self.rate * self.size * self.quantum

    @property
    def atom_cost(self) -> Floats:
        """Cost of one atomic unit."""
        return np.asarray(self.cost / 10.0**self.scale)


def make_catalogue(luck: Draws, n_items: int, first: int = 0, pace: float = 1.0) -> Catalogue:
    """`n_items` items, spread over the families, demand classes drawn by their shares. `first` items come before them
    in the whole catalogue; they are asked for `pace` times as often as usual."""
    family = _families(n_items)
    demand_class = _shuffled(luck, "class", n_items, CLASS_SHARES)
    measured = np.array([f.unit != "each" for f in FAMILIES])[family]
    spread = luck.stream("rate").standard_normal(n_items)
    rate = pace * np.take(RATE_MEDIAN, demand_class) * np.exp(np.take(RATE_SPREAD, demand_class) * spread)
    size = np.take(SIZE_MEAN, demand_class)
    cost = _costs(luck, family, rate * size)
    medical = np.array([f.medical for f in FAMILIES])[family]
    criticality = _criticality(luck, medical)
    names = _names(family, first)
    peak = np.array([f.season or 190 for f in FAMILIES])[family]
    return Catalogue(
        item_id=names[0],
        description=names[1],
        family=family,
        demand_class=demand_class,
        scale=np.where(measured, 3, 0),
        quantum=np.where(measured, 500, 1),
        case=np.where(measured, 25, np.take(CASES, _shuffled(luck, "case", n_items, CASE_SHARES))),
        cases_per_pallet=np.take((24, 40, 48), luck.stream("pallet").integers(0, 3, n_items)),
        rate=rate,
        size=size,
        cost=cost,
        price=np.round(cost * (1.25 + 0.6 * luck.uniform("margin", n_items)), 4),
        volume=_sizes(luck, "volume", -7.5, n_items).round(6),
        weight=np.where(measured, 1.0, _sizes(luck, "weight", -1.8, n_items).round(3)),
        shelf_life=np.where(medical, np.take(SHELF_LIVES, _drawn(luck, "shelf", n_items, SHELF_LIFE_SHARES)), 0),
        criticality=criticality,
        season_peak=(peak + luck.stream("peak").integers(-20, 21, n_items)) % 365,
        amplitude=0.4 + 0.4 * luck.uniform("amplitude", n_items),
        turn=_turns(luck, demand_class),
        response=np.where(criticality == 0, 0.0, 0.4 + 1.2 * luck.uniform("response", n_items)),
    )


def _families(n: int) -> Ints:
    """Family of each item, in the order of the catalogue."""
    few = [f.unit != "each" for f in FAMILIES]
    counts = [max(1, int(UNIT_SHARE * n)) if rare else 0 for rare in few]
    rest = [i for i, rare in enumerate(few) if not rare]
    for k in range(n - sum(counts)):
        counts[rest[k % len(rest)]] += 1
    return np.repeat(np.arange(len(FAMILIES)), counts)[:n]


def _shuffled(luck: Draws, cause: str, n: int, shares: tuple[float, ...]) -> Ints:
    """Labels 0 … k−1 in exactly their shares (up to rounding), in random order."""
    edges = np.round(np.cumsum(shares) * n).astype(np.int64)
    labels = np.searchsorted(edges, np.arange(n), side="right").clip(0, len(shares) - 1)
    return np.asarray(luck.stream(cause).permutation(labels))


def _drawn(luck: Draws, cause: str, n: int, shares: tuple[float, ...]) -> Ints:
    """Labels 0 … k−1, each drawn with its share as its chance."""
    return np.searchsorted(np.cumsum(shares[:-1]), luck.uniform(cause, n), side="right").astype(np.int64)


def _turns(luck: Draws, demand_class: Ints) -> Ints:
    low, high = np.where((demand_class == DYING)[:, None], PHASE_OUT, LAUNCH).T
    return np.asarray(low + (high - low) * luck.uniform("turn", len(demand_class))).astype(np.int64)


def _costs(luck: Draws, family: Ints, volume: Floats) -> Floats:
    """Heavy-tailed: log-normal around the family's median, and what moves fast is cheap."""
    median = np.array([f.cost for f in FAMILIES])[family]
    noise = np.exp(0.9 * luck.stream("cost").standard_normal(len(family)))
    return np.asarray(np.round(np.maximum(0.05, median * noise * (volume / 5.0) ** -0.25), 4))


def _sizes(luck: Draws, cause: str, log_median: float, n: int) -> Floats:
    """Log-normal sizes (m³, kg) of a base unit."""
    return np.asarray(np.exp(log_median + luck.stream(cause).standard_normal(n)))


def _criticality(luck: Draws, medical: npt.NDArray[np.bool_]) -> Ints:
    u = luck.uniform("criticality", len(medical))
    critical = u < np.where(medical, 0.30, 0.08)
    return np.where(critical, 0, np.where(u < 0.75, 1, 2))


def _names(family: Ints, first: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    ids, texts = [], []
    seen: dict[int, int] = {}
    for code in family.tolist():
        number = seen.get(code, first)
        seen[code] = number + 1
        ids.append(f"{FAMILIES[code].prefix}-{number + 1:05d}")
        texts.append(_describe(FAMILIES[code], number))
    return tuple(ids), tuple(texts)


def _describe(family: Family, number: int) -> str:
    """The number-th article of a family; noun changes fastest, past all combinations a model number is added."""
    rest, noun = divmod(number, len(family.nouns))
    rest, variant = divmod(rest, len(family.variants))
    model, size = divmod(rest, len(family.sizes))
    text = f"{family.nouns[noun]}, {family.variants[variant]}, {family.sizes[size]}"
    return f"{text}, model {model + 1}" if model else text


def gtin13(number: int) -> str:
    """A GS1 number in the range for internal use (prefix 20), with its check digit.

    >>> gtin13(1)
    '2000000000015'
    """
    body = f"20{number:010d}"
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(body))
    return body + str(-total % 10)

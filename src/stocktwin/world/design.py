"""What the firm planned before the year began: sources, policies with human errors, opening stock; and what it did not
plan: how demand will grow or shrink in each region.

Row of every array: item × number of DCs + DC.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stocktwin.world.catalogue import DYING, INTERMITTENT, LUMPY, NEW, TRENDING, Catalogue
from stocktwin.world.draws import Draws
from stocktwin.world.goods import FAMILIES
from stocktwin.world.network import Network
from stocktwin.world.records import NEVER

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

SAFETY_FACTOR: Final = (2.05, 1.64, 1.28)
"""Standard normal quantile planned for, by criticality: 98 %, 95 %, 90 %."""
SERVICE_TARGET: Final = (0.98, 0.95, 0.90)
OVERSEAS_REVIEW_DAYS: Final = 7
ORDER_COST: Final = (45.0, 120.0)
"""Of an order line: domestic, overseas."""
HOLDING_RATE: Final = 0.20
BOLD: Final = 0.5
"""Standard deviation of the log of what the planner expects of a new item; of others 0.15."""
LAUNCH_STOCK: Final = 20
"""Items that come later than this day have no opening stock."""
CLEARANCE: Final = 150
"""Days past its turn after which nobody orders a dying item any more."""
SHIFTS: Final = 0.35
"""How often a year a large customer of an item moves from one DC's region to another's."""
SHIFT_PART: Final = (0.6, 0.9)
"""Part of the DC's demand that goes with him."""
CLASS_A: Final = 0.25
GENEROUS, CARELESS = 0.07, 0.08
"""Shares of the settings that are far too high and far too low."""


@dataclass(frozen=True)
class Design:
    """The plan as columns over item-locations, quantities atomic."""

    network: Network
    items: Catalogue
    item: Ints
    dc: Ints
    share: Floats
    """This DC's part of the item's national demand at the start."""
    growth: Floats
    """Demand after a year ÷ demand at the start: what nobody planned."""
    supplier: Ints
    alternative: Ints
    """Second source, −1 where there is none."""
    review_days: Ints
    base_stock: Flags
    """Base stock where true, else (s, S)."""
    reorder_point: Ints
    order_up_to: Ints
    multiple: Ints
    planned: Floats
    """Daily demand the planner believed in."""
    opening: Ints
    ordered_from: Ints
    """First day on which an item-location is reviewed: in time before a new item comes to market."""
    ordered_until: Ints
    """First day on which nobody orders it any more."""
    shift_day: Ints
    """Of each item: the day on which a large customer moves,"""
    shift_from: Ints
    """the DC that he leaves,"""
    shift_to: Ints
    """the one that serves him then,"""
    shift_part: Floats
    """and the part of the demand of the first that goes with him."""
    first_item: int = 0
    """Items of the blocks before this one."""
    group: str = ""
    """Mark of the buyer group in documents, where there are several."""

    def __len__(self) -> int:
        return len(self.item)

    @property
    def quantum(self) -> Ints:
        """Smallest quantity asked for."""
        return self.items.quantum[self.item]

    @cached_property
    def shelf_life(self) -> Ints:
        """Days, of each item-location; 0 where goods do not expire and no lots are kept."""
        return self.items.shelf_life[self.item]

    @cached_property
    def cared(self) -> Flags:
        """Item-locations of class A."""
        return cared_for(self.items)[self.item]

    @cached_property
    def is_new(self) -> Flags:
        """Item-locations of items that come to market during the year."""
        return np.asarray((self.items.demand_class == NEW)[self.item])

    @cached_property
    def slow_rows(self) -> Ints:
        """Item-locations whose demand comes in occasions."""
        return np.flatnonzero(np.isin(self.items.demand_class, (INTERMITTENT, LUMPY))[self.item])

    @cached_property
    def fast_rows(self) -> Ints:
        """The others."""
        return np.flatnonzero(~np.isin(self.items.demand_class, (INTERMITTENT, LUMPY))[self.item])

    @cached_property
    def log_growth(self) -> Floats:
        """Logarithm of the growth."""
        return np.log(self.growth)

    @cached_property
    def shelf_texts(self) -> tuple[str, ...]:
        """Each item-location's number in the whole world, for documents."""
        first = self.first_item * len(self.network.dcs)
        return tuple(f"{first + row:06d}" for row in range(len(self)))

    @cached_property
    def dc_ids(self) -> tuple[str, ...]:
        """Location id of each DC."""
        return tuple(dc.location_id for dc in self.network.dcs)


def make_design(luck: Draws, items: Catalogue, network: Network, first_item: int = 0, group: str = "") -> Design:
    """Plans the network for the catalogue of one block."""
    dcs = len(network.dcs)
    item = np.repeat(np.arange(len(items)), dcs)
    dc = np.tile(np.arange(dcs), len(items))
    n = len(item)
    share = _shares(luck, network, len(items))
    supplier = _suppliers(luck, network, len(items))[item]
    overseas = network.overseas[supplier]
    error = np.where(items.demand_class == NEW, BOLD, 0.15)[item]
    planned = items.daily[item] * share * np.exp(error * luck.stream("planner").standard_normal(n))
    review = np.where(overseas, OVERSEAS_REVIEW_DAYS, 1)
    slow = np.isin(items.demand_class, (INTERMITTENT, LUMPY))[item]
    base_stock = slow & (luck.uniform("base stock", n) < 0.35)
    review = np.where(base_stock, OVERSEAS_REVIEW_DAYS, review)
    multiple = _multiples(items, item, planned)
    s, S = _settings(luck, network, items, item, dc, supplier, review, planned, multiple)
    low = np.where(base_stock, 0.6 * s, s)
    opening = low + luck.uniform("opening", n) * (np.where(base_stock, s, S) - low)
    quantum = items.quantum[item]
    opening = np.ceil(opening / quantum).astype(np.int64) * quantum
    new, dying = ((items.demand_class == kind)[item] for kind in (NEW, DYING))
    lead = np.ceil(network.supply_times.mean[supplier, dc] + review).astype(np.int64)
    return Design(
        network=network,
        items=items,
        item=item,
        dc=dc,
        share=share,
        growth=_growth(luck, network, items, item, dc),
        supplier=supplier,
        alternative=np.where(
            overseas & (luck.uniform("alternative", len(items)) < 0.3)[item],
            network.domestic[item % len(network.domestic)],
            -1,
        ),
        review_days=review,
        base_stock=base_stock,
        reorder_point=s,
        order_up_to=np.where(base_stock, s, S),
        multiple=multiple,
        planned=planned,
        opening=np.where(new & (items.turn[item] > LAUNCH_STOCK), 0, opening),
        ordered_from=np.where(new, items.turn[item] - lead, 0),
        ordered_until=np.where(dying, items.turn[item] + CLEARANCE, NEVER),
        **_shifts(luck, network, len(items)),
        first_item=first_item,
        group=group,
    )


def _shares(luck: Draws, network: Network, n_items: int) -> Floats:
    raw = network.shares * np.exp(0.25 * luck.stream("share").standard_normal((n_items, len(network.dcs))))
    return np.asarray((raw / raw.sum(axis=1, keepdims=True)).reshape(-1))


def _suppliers(luck: Draws, network: Network, n: int) -> Ints:
    return np.searchsorted(network.supplier_edges, luck.uniform("supplier", n)).astype(np.int64)


def _growth(luck: Draws, network: Network, items: Catalogue, item: Ints, dc: Ints) -> Floats:
    """Regional growth by category and DC (log-normal, shared by the category), on top an item's own trend."""
    shocks = luck.shared.stream("regional growth").standard_normal((len(FAMILIES), len(network.dcs)))
    regional = np.exp(0.30 * shocks)
    own = np.where(luck.uniform("trend", len(items)) < 0.55, 1.9, 0.4)
    own = np.where(items.demand_class == TRENDING, own, 1.0)
    return np.asarray(np.clip(regional[items.family[item], dc] * own[item], 0.25, 3.0))


def _shifts(luck: Draws, network: Network, n_items: int) -> dict[str, Any]:
    """Moving customers: they leave by the DCs' weights, and settle anywhere else."""
    u = luck.stream("shift").random((4, n_items))
    leave = np.searchsorted(np.cumsum(network.shares / network.shares.sum())[:-1], u[1])
    dcs = len(network.dcs)
    settle = (leave + 1 + (u[2] * (dcs - 1)).astype(np.int64)) % dcs
    low, high = SHIFT_PART
    day = (-np.log1p(-u[0]) / SHIFTS * 365).astype(np.int64)
    return {"shift_day": day, "shift_from": leave, "shift_to": settle, "shift_part": low + (high - low) * u[3]}


def _multiples(items: Catalogue, item: Ints, planned: Floats) -> Ints:
    """Cases where a month of demand fills a few of them, else single quanta."""
    case = items.case_atoms[item]
    return np.where(planned * 30 >= 3 * case, case, items.quantum[item])


def _settings(
    luck: Draws, network: Network, items: Catalogue, item: Ints, dc: Ints, supplier: Ints, review: Ints,
    planned: Floats, multiple: Ints,
) -> tuple[Ints, Ints]:  # fmt: skip
    """(s, S): demand over lead time and review plus z standard deviations, a lot by the square-root formula between one
    and six weeks; then the human factor."""
    mean, sd = network.supply_times.mean[supplier, dc], network.supply_times.sd[supplier, dc]
    span = mean + review
    variance = span * _daily_variance(items, item, planned) + (planned * sd) ** 2
    z = np.take(SAFETY_FACTOR, items.criticality[item])
    s = (planned * span + z * np.sqrt(variance)) * _human(luck, cared_for(items)[item])
    fixed = np.take(ORDER_COST, network.overseas[supplier])
    lot = np.sqrt(2 * fixed * planned * 365 / (HOLDING_RATE * items.atom_cost[item]))
    lot = np.maximum(np.clip(lot, 7 * planned, 42 * planned), multiple)
    quantum = items.quantum[item]
    low = np.ceil(s / quantum).astype(np.int64) * quantum
    return low, low + np.ceil(lot / multiple).astype(np.int64) * multiple


def _daily_variance(items: Catalogue, item: Ints, planned: Floats) -> Floats:
    """The planner's rule of thumb: a day's variance is its mean times what is asked for at once, and a tenth of its
    square; in class A he is more careful."""
    batch = items.quantum[item] * items.size[item]
    careful = np.where(cared_for(items)[item], 2.5, 1.0)
    return np.asarray(careful * (1.5 * batch * planned + 0.1 * planned**2))


def cared_for(items: Catalogue) -> Flags:
    """Class A: the quarter of the items that most money is turned over with."""
    turnover = items.daily * items.atom_cost
    return np.asarray(turnover >= np.quantile(turnover, 1 - CLASS_A))


def _human(luck: Draws, cared: Flags) -> Floats:
    """Most settings are a little off, some are far too high or too low; but not where much money is turned over."""
    n = len(cared)
    u, v = luck.uniform("human", n), luck.uniform("human size", n)
    usual = np.exp(np.where(cared, 0.08, 0.15) * luck.stream("human noise").standard_normal(n))
    factor = np.where(u < GENEROUS, 1.8 + 1.2 * v, usual)
    factor = np.where(u > 1 - CARELESS, 0.35 + 0.3 * v, factor)
    return np.where(cared, usual, factor)


def active_sources(design: Design) -> tuple[Ints, Ints, Ints]:
    """(item-location, supplier, priority) of every source: the first ones, then the second ones."""
    second = np.flatnonzero(design.alternative >= 0)
    row = np.r_[np.arange(len(design)), second]
    return row, np.r_[design.supplier, design.alternative[second]], np.repeat([1, 2], [len(design), len(second)])

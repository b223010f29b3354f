"""The sweep: item by item, every replication lives its days in a network of item-locations that supply each other.

A *group* is what one item needs to live: item-locations whose source is another one of the group, or unlimited. Groups
share nothing but what was drawn beforehand into arrays that all of them read (lead times of a lane, closed suppliers
and ports, shocks), so the result is the same for any shards. An item-location with an unlimited source is a group of
its own. State and outputs are integers; money is reduced outside. Day t is period t of the simulation; r is a
replication. The steps of a day stand in `steps.py`, what a source ships to its own places in `dispatch.py`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from stocktwin.kernels.dispatch import serve_places
from stocktwin.kernels.jit import (
    Int32Cube,
    Int32Matrix,
    Int32Vector,
    Int64Cube,
    Int64Matrix,
    Int64Vector,
    UInt16Vector,
    UInt32Vector,
    UInt64Vector,
    borrow,
    kernel,
)
from stocktwin.kernels.period import counts_in_transit
from stocktwin.kernels.policies import is_review
from stocktwin.kernels.state import (
    BACKLOG,
    COUNTED,
    FIELDS,
    IN_TRANSIT,
    LANES,
    LEVEL,
    LOWEST,
    NEVER,
    ON_HAND,
    ON_ORDER,
    SCRATCH,
    SIZE,
    UNIT_COLUMNS,
)
from stocktwin.kernels.steps import (
    draw_demand,
    live,
    lose_arrivals,
    lose_stock,
    note,
    place_orders,
    reopen,
    shut_doors,
)
from stocktwin.kernels.streams import DEMAND, draw, high32, stream_key
from stocktwin.kernels.streams import LEVEL as LEVEL_STREAM

COLUMN: Final = {name: at for at, name in enumerate(UNIT_COLUMNS)}
DAY_COLUMNS: Final = ("demand", "served", "lost", "on_hand", "backlog", "received")
"""What is added up for every day over item-locations and replications."""
TRACE_COLUMNS: Final = ("on_hand", "backlog", "received", "demand", "ordered")
PROPORTIONAL: Final = 0
PRIORITY: Final = 1
FIRST_COME: Final = 2
NARROW: Final = 2**31 - 1
"""Figures that stay below this can be kept in 32 bits."""
__all__ = ["LANES", "NEVER", "UNIT_COLUMNS"]


class Lines(NamedTuple):
    """One row per item-location. Quantities in atomic units."""

    key: UInt64Vector
    """Stable hash of (item id, location id): its random streams."""
    on_hand: Int64Vector
    backlog: Int64Vector
    policy: Int64Cube
    """[row, 2, 3]: reorder point s, order-up-to S, order quantity Q (0 = none), before and from `change_day`."""
    change_day: Int64Vector
    """Day from which the second policy holds."""
    review_days: Int64Vector
    moq: Int64Vector
    multiple: Int64Vector
    lost: Int64Vector
    """1 where demand that cannot be served is lost, 0 where it is backlogged. What own places ask for always waits."""
    table: Int64Cube
    """[row, 2, 7]: demand table per weekday (Monday = 0), outside and inside the days of changed variability."""
    level: Int64Matrix
    """[row, 2]: row of `Demand.levels`, outside and inside those days."""
    factor: Int64Vector
    """Row of `Demand.factors`, −1 where demand has no factor."""
    route: Int64Vector
    """Route orders take, −1 where nothing can be ordered."""
    first_open: Int64Vector
    """Row r's open order lines are first_open[r] … first_open[r + 1] − 1 of `OpenLines`."""
    loss: Int64Vector
    """Row of `Losses`, −1 where nothing is destroyed."""


class Network(NamedTuple):
    """Who supplies whom. Entries first[g] … first[g + 1] − 1 are group g, every place before its source."""

    first: Int64Vector
    member: Int64Vector
    """Row of `Lines`."""
    parent: Int64Vector
    """Position of its source in the group, −1 where the source is unlimited."""
    allocation: Int64Vector
    """How it shares out what it has among its own places when they ask for more: `PROPORTIONAL` to what each is owed,
    `PRIORITY` (in the order of the group) or `FIRST_COME` (oldest order day first, then in the order of the group); −1
    where it supplies none."""


class OpenLines(NamedTuple):
    """Orders that were open on day 0: quantity, and per replication the day they leave and the day they arrive."""

    quantity: Int64Vector
    leaves: Int32Matrix
    arrives: Int32Matrix


class Demand(NamedTuple):
    """Distributions of a day's demand (`kernels.inverse.DemandTables`) and what multiplies it, in fixed point."""

    header: Int64Matrix
    limits: UInt32Vector
    guide: UInt16Vector
    levels: Int64Matrix
    """[k, 512]: equally likely factors of the level of a whole replication."""
    factors: Int64Cube
    """[k, day, 1 or replications]: shared shocks and demand scenarios."""


class Calendar(NamedTuple):
    """The days of the simulation."""

    first_day: int
    """Days since 1970-01-01 of day 0."""
    days: int
    warmup: int
    """Days that are lived but not counted."""
    slots: int
    """Days ahead for which arrivals are kept: a power of two, more than any order can take."""
    changed: Int64Vector
    """[day]: 1 on days of changed variability, else 0."""


class Transit(NamedTuple):
    """[route, day, replication]; the last three have no routes at all where none ever differs."""

    leaves: Int32Cube
    """Days until an order of that day leaves its source. A source of our own ships on days with 0 only."""
    arrives: Int32Cube
    """Days until it arrives (≥ 1): from the day of ordering, or of shipping where the source is our own."""
    shut: Int32Cube
    """1 while the destination is closed, which neither receives nor serves."""
    quiet: Int32Cube
    """1 on days on which nothing is ordered."""
    direct: Int32Cube
    """1 on days on which a place whose source is our own orders from an unlimited one instead."""


class Losses(NamedTuple):
    """[k, day, replication] share that is destroyed, in 16-bit fixed point: of the stock at the start of the day, of
    what arrives on it."""

    stock: Int64Cube
    arrivals: Int64Cube


def alone(rows: int) -> Network:
    """Every row a group of its own, with an unlimited source."""
    none = np.full(rows, -1, np.int64)
    return Network(np.arange(rows + 1, dtype=np.int64), np.arange(rows, dtype=np.int64), none, none)


def unharmed() -> Losses:
    """Nothing is destroyed."""
    return Losses(np.zeros((0, 1, 1), np.int64), np.zeros((0, 1, 1), np.int64))


def sweep(lines: Lines, network: Network, opened: OpenLines, demand: Demand, transit: Transit, losses: Losses,
          calendar: Calendar, seed: int, units: Int64Cube, days: Int64Matrix, trace: Int64Cube,
          *, wide: bool = True) -> None:  # fmt: skip
    """Lives every group of `lines` in every replication.

    units[row, UNIT_COLUMNS, r] is written, days[day, DAY_COLUMNS] added to; trace[TRACE_COLUMNS, day, r] of the last
    row is written unless it is empty. Not `wide`: in 32 bits, twice as fast, where no figure can exceed `NARROW`.
    """
    most = int(np.diff(network.first).max(initial=1))
    queued = most * calendar.days if (network.allocation == FIRST_COME).any() else 0
    cells = most * FIELDS + most * calendar.slots + SCRATCH + queued
    words = np.zeros((most + 2) * LANES + 1, np.uint64)
    listed = np.zeros((2, most * LANES + 1), np.int64)
    common = (lines, network, opened, demand, transit, losses, calendar, seed, units, days, trace, words, listed)
    if wide:
        _sweep_wide(*common, np.zeros(cells * LANES, np.int64))
    else:
        _sweep_narrow(*common, np.zeros(cells * LANES, np.int32))


@kernel()
def _sweep_wide(lines: Lines, network: Network, opened: OpenLines, demand: Demand, transit: Transit, losses: Losses,
                calendar: Calendar, seed: int, units: Int64Cube, days: Int64Matrix, trace: Int64Cube,
                words: UInt64Vector, listed: Int64Matrix, memory: Int64Vector) -> None:  # fmt: skip
    """With a state of 64 bits."""
    _sweep(borrow(lines), borrow(network), borrow(opened), borrow(demand), borrow(transit), borrow(losses),
           borrow(calendar), seed, borrow(units), borrow(days), borrow(trace), borrow(words), borrow(listed),
           borrow(memory))  # fmt: skip


@kernel()
def _sweep_narrow(lines: Lines, network: Network, opened: OpenLines, demand: Demand, transit: Transit, losses: Losses,
                  calendar: Calendar, seed: int, units: Int64Cube, days: Int64Matrix, trace: Int64Cube,
                  words: UInt64Vector, listed: Int64Matrix, memory: Int32Vector) -> None:  # fmt: skip
    """With a state of 32 bits."""
    _sweep(borrow(lines), borrow(network), borrow(opened), borrow(demand), borrow(transit), borrow(losses),
           borrow(calendar), seed, borrow(units), borrow(days), borrow(trace), borrow(words), borrow(listed),
           borrow(memory))  # fmt: skip


@kernel(inline=True)
def _sweep(lines, network, opened, demand, transit, losses, calendar, seed, units, days, trace, words, listed, memory):  # type: ignore[no-untyped-def]
    most = (words.shape[0] - 1) // LANES - 2
    keys, uniform, chosen = words[: most * LANES], words[most * LANES : (most + 1) * LANES], words[(most + 1) * LANES :]
    first_due, first_queue = (SCRATCH + most * FIELDS) * LANES, (SCRATCH + most * (FIELDS + calendar.slots)) * LANES
    scratch, state = memory[: SCRATCH * LANES], memory[SCRATCH * LANES : first_due]
    due, queue = memory[first_due:first_queue], memory[first_queue:]
    replications, last = units.shape[2], units.shape[0] - 1
    for g in range(network.first.shape[0] - 1):
        first = network.first[g]
        size = network.first[g + 1] - first
        for r in range(0, replications, LANES):
            n = min(LANES, replications - r)
            state[: size * SIZE] = 0
            due[: size * calendar.slots * LANES] = 0
            queue[:] = 0
            for k in range(size):
                _begin(state, due, keys, k, n, network.member[first + k], r, lines, opened, calendar, seed)
            for t in range(calendar.days):
                listed[0, 0] = 0
                for k in range(size):
                    row = network.member[first + k]
                    traced = trace.shape[0] > 0 and row == last
                    _day(state, due, queue, scratch, keys, uniform, chosen, listed, n, k, row, r, t, first, lines,
                         network, demand, transit, losses, calendar, days, trace, traced)  # fmt: skip
            for k in range(size):
                _finish(state, k, n, r, calendar, units[network.member[first + k]])


@kernel(inline=True)
def _begin(state, due, keys, k, n, row, r, lines, opened, calendar, seed):  # type: ignore[no-untyped-def]
    """Sets one place to the state of day 0 in replications r … r + n − 1."""
    of = state.dtype.type
    b = np.uint64(k * SIZE)
    for u in range(np.uint64(n)):
        keys[np.uint64(k * LANES) + u] = stream_key(np.uint64(seed), lines.key[row], r + np.int64(u), DEMAND)
        luck = draw(stream_key(np.uint64(seed), lines.key[row], r + np.int64(u), LEVEL_STREAM), 0)
        state[b + LEVEL + u] = of(high32(luck) >> 23)
        state[b + ON_HAND + u], state[b + BACKLOG + u] = of(lines.on_hand[row]), of(lines.backlog[row])
    for line in range(lines.first_open[row], lines.first_open[row + 1]):
        quantity = opened.quantity[line]
        for u in range(np.uint64(n)):
            arrives = np.int64(opened.arrives[line, r + u])
            state[b + ON_ORDER + u] += of(quantity)
            if arrives < calendar.days:
                due[(k * calendar.slots + (arrives & (calendar.slots - 1))) * LANES + np.int64(u)] += of(quantity)
            leaves = np.int64(opened.leaves[line, r + u])
            counts = counts_in_transit(leaves, arrives, calendar.warmup, calendar.days)  # type: ignore[arg-type]
            state[b + IN_TRANSIT + u] += of(quantity * counts)


@kernel(inline=True)
def _day(  # type: ignore[no-untyped-def]
    state, due, queue, scratch, keys, uniform, chosen, listed, n, k, row, r, t, first, lines, network, demand, transit,
    losses, calendar, days, trace, traced,
):  # fmt: skip
    """One day of one place: receive, serve, count; its own places are served between; review and order."""
    mask, route = calendar.slots - 1, lines.route[row]
    draw_demand(state, scratch, keys, uniform, k, n, row, r, t, lines, demand, calendar)
    if lines.loss[row] >= 0:
        lose_stock(state, k, n, r, t, lines.loss[row], losses, calendar)
    shut = transit.shut.shape[0] > 0 and route >= 0
    if shut:
        shut_doors(state, due, scratch, k, n, r, t, route, transit.shut, calendar)
    if lines.loss[row] >= 0:
        lose_arrivals(state, due, k, n, r, t, lines.loss[row], losses, calendar)
    live(state, due, scratch, k, n, t, lines.lost[row], calendar, days)
    if network.allocation[first + k] >= 0:
        serve_places(state, due, queue, scratch, listed, k, n, r, t, first, lines, network, transit, calendar, days)
    if shut:
        reopen(state, scratch, k, n, t, calendar, days)
    if traced:
        note(state, due, scratch, k, n, r, t, calendar, trace)
    for u in range(np.uint64(n)):
        due[np.uint64((k * calendar.slots + (t & mask)) * LANES) + u] = 0
    if route >= 0 and is_review(calendar.first_day + t, lines.review_days[row]):
        place_orders(state, due, queue, scratch, chosen, listed, k, n, row, r, t, network.parent[first + k], lines,
                     transit, calendar, trace, traced)  # fmt: skip


@kernel(inline=True)
def _finish(state, k, n, r, calendar, out):  # type: ignore[no-untyped-def]
    """Writes what was counted, in the order of `UNIT_COLUMNS`."""
    for column in range(len(COUNTED)):
        at = np.uint64(k * SIZE) + COUNTED[column]
        for u in range(np.uint64(n)):
            out[column, r + u] = state[at + u]
    if calendar.warmup >= calendar.days:
        for u in range(np.uint64(n)):
            out[LOWEST_COLUMN, r + u] = NEVER


LOWEST_COLUMN: Final = COUNTED.index(LOWEST)
assert FIELDS * LANES == SIZE

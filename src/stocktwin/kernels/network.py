"""The item-by-item sweep: every (item-location, replication) lives its days on its own, from one unlimited supplier.

What couples item-locations (lead times of a lane, closed suppliers and ports, shocks) is drawn beforehand into arrays
that all of them read, so the sweep itself is independent per item-location and the result is the same for any shards.
State and outputs are integers; money is reduced outside. Day t is period t of the simulation; r is a replication.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from stocktwin.kernels.inverse import inverse
from stocktwin.kernels.jit import (
    Int32Cube,
    Int32Matrix,
    Int64Cube,
    Int64Matrix,
    Int64Vector,
    UInt16Vector,
    UInt32Vector,
    UInt64Vector,
    kernel,
)
from stocktwin.kernels.period import counts_in_transit, scale_demand, served
from stocktwin.kernels.policies import is_review, order_quantity
from stocktwin.kernels.streams import DEMAND, LEVEL, draw, high32, low16, stream_key

UNIT_COLUMNS: Final = (
    "demand", "served", "lost", "backlog_days", "on_hand_days", "in_transit_days", "orders", "ordered", "received",
    "cycles", "cycles_short", "ready_days", "on_hand_end", "backlog_end", "on_order_end", "lowest",
)  # fmt: skip
"""What is counted per item-location and replication, over the days from warm-up on; `*_days` are sums over counts,
`*_end` the state after the last day, `lowest` the least on hand at a count."""
COLUMN: Final = {name: at for at, name in enumerate(UNIT_COLUMNS)}
DAY_COLUMNS: Final = ("demand", "served", "lost", "on_hand", "backlog", "received")
"""What is added up for every day over item-locations and replications."""
LANES: Final = 256
"""Replications that are lived side by side."""
NEVER: Final = 9223372036854775807
TRACE_COLUMNS: Final = ("on_hand", "backlog", "received", "demand", "ordered")


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
    """1 where demand that cannot be served is lost, 0 where it is backlogged."""
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
    """[route, day of ordering, replication]: days until the order leaves its source, and until it arrives (≥ 1)."""

    leaves: Int32Cube
    arrives: Int32Cube
    shut: Int32Cube
    """[route or nothing, day, replication]: 1 while the destination is closed, which neither receives nor serves."""


class Block(NamedTuple):
    """What a block of replications carries through the days: one array each, so that the loops over them vectorise."""

    keys: UInt64Vector
    level: Int64Vector
    uniform: Int64Vector
    rounding: Int64Vector
    demand: Int64Vector
    on_hand: Int64Vector
    backlog: Int64Vector
    on_order: Int64Vector
    short: Int64Vector
    chosen: Int64Vector
    asked: Int64Vector
    supplied: Int64Vector
    missed: Int64Vector
    kept: Int64Vector
    """On hand behind closed doors; `floor` is the least on hand at the counts before."""
    floor: Int64Vector
    backlog_days: Int64Vector
    on_hand_days: Int64Vector
    in_transit: Int64Vector
    orders: Int64Vector
    ordered: Int64Vector
    received: Int64Vector
    cycles: Int64Vector
    cycles_short: Int64Vector
    ready: Int64Vector
    lowest: Int64Vector


@kernel(inline=True)
def _new_block():  # type: ignore[no-untyped-def]
    n = LANES
    return Block(
        np.zeros(n, np.uint64), np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64),
        np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64),
        np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64),
        np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64),
        np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64),
        np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64),
        np.zeros(n, np.int64),
    )  # fmt: skip


@kernel()
def sweep(lines: Lines, opened: OpenLines, demand: Demand, transit: Transit, calendar: Calendar, seed: int,
          units: Int64Cube, days: Int64Matrix, trace: Int64Cube) -> None:  # fmt: skip
    """Lives every row of `lines` in every replication.

    units[row, UNIT_COLUMNS, r] is written, days[day, DAY_COLUMNS] added to; trace[TRACE_COLUMNS, day, r] of the last
    row is written unless it is empty.
    """
    replications = units.shape[2]
    due = np.zeros((calendar.slots, LANES), np.int64)
    block = _new_block()
    for row in range(units.shape[0]):
        for r in range(0, replications, LANES):
            n = min(LANES, replications - r)
            _begin(block, due, n, row, r, lines, opened, calendar, seed)
            s, S, Q = lines.policy[row, 0, 0], lines.policy[row, 0, 1], lines.policy[row, 0, 2]
            for t in range(calendar.days):
                if t == lines.change_day[row]:
                    s, S, Q = lines.policy[row, 1, 0], lines.policy[row, 1, 1], lines.policy[row, 1, 2]
                _draw_demand(block, n, row, r, t, lines, demand, calendar)
                shut = transit.shut.shape[0] > 0 and lines.route[row] >= 0
                if shut:
                    _shut(block, due, n, r, t, lines.route[row], transit.shut, calendar)
                _live(block, due, n, t, lines.lost[row], calendar, days)
                if shut:
                    _reopen(block, n, t, calendar, days)
                if trace.shape[0] > 0:
                    _note(block, due, n, r, t, calendar, trace)
                for at in range(n):
                    due[t & (calendar.slots - 1), at] = 0
                if lines.route[row] >= 0 and is_review(calendar.first_day + t, lines.review_days[row]):
                    _order(block, due, n, row, r, t, s, S, Q, lines, transit, calendar, trace)
            _finish(block, n, r, units[row])


@kernel(inline=True)
def _begin(block, due, n, row, r, lines, opened, calendar, seed):  # type: ignore[no-untyped-def]
    """Sets the block to the state of day 0 in replications r … r + n − 1."""
    for at in range(n):
        block.keys[at] = stream_key(np.uint64(seed), lines.key[row], r + at, DEMAND)
        luck = draw(stream_key(np.uint64(seed), lines.key[row], r + at, LEVEL), 0)
        block.level[at] = high32(luck) >> 23
        block.on_hand[at], block.backlog[at], block.on_order[at] = lines.on_hand[row], lines.backlog[row], 0
        block.short[at], block.lowest[at] = 0, NEVER
    for sums in (
        block.asked, block.supplied, block.missed, block.backlog_days, block.on_hand_days, block.in_transit,
        block.orders, block.ordered, block.received, block.cycles, block.cycles_short, block.ready,
    ):  # fmt: skip
        sums[:] = 0
    due[:] = 0
    for k in range(lines.first_open[row], lines.first_open[row + 1]):
        for at in range(n):
            arrives = opened.arrives[k, r + at]
            block.on_order[at] += opened.quantity[k]
            if arrives < calendar.days:
                due[arrives & (calendar.slots - 1), at] += opened.quantity[k]
            counts = counts_in_transit(opened.leaves[k, r + at], arrives, calendar.warmup, calendar.days)
            block.in_transit[at] += opened.quantity[k] * counts


@kernel(inline=True)
def _draw_demand(block, n, row, r, t, lines, demand, calendar):  # type: ignore[no-untyped-def]
    """Today's demand: hash, look up (the only step that does not vectorise), scale."""
    keys, uniform, rounding, out = block.keys, block.uniform, block.rounding, block.demand
    inside = calendar.changed[t]
    table = lines.table[row, inside, (calendar.first_day + t + 3) % 7]
    header, limits, guide = demand.header, demand.limits, demand.guide
    for at in range(n):
        bits = draw(keys[at], t)
        uniform[at], rounding[at] = high32(bits), low16(bits)
    inverse(uniform, n, table, header, limits, guide, out)
    level, factor = lines.level[row, inside], lines.factor[row]
    if level > 0 or factor >= 0:
        shared = demand.factors.shape[2] == 1
        for at in range(n):
            scale = demand.levels[level, block.level[at]]
            if factor >= 0:
                scale = (scale * demand.factors[factor, t, 0 if shared else r + at]) >> 16
            out[at] = scale_demand(out[at], scale, rounding[at])


@kernel(inline=True)
def _shut(block, due, n, r, t, route, shut, calendar):  # type: ignore[no-untyped-def]
    """Closed: what arrives waits until tomorrow, what is on hand is out of reach today."""
    today, tomorrow = due[t & (calendar.slots - 1)], due[(t + 1) & (calendar.slots - 1)]
    counted = np.int64(t >= calendar.warmup)
    for at in range(n):
        closed = np.int64(shut[route, t, r + at])
        waits = today[at] * closed
        tomorrow[at] += waits
        today[at] -= waits
        block.in_transit[at] += waits * counted
        block.kept[at], block.floor[at] = block.on_hand[at] * closed, block.lowest[at]
        block.on_hand[at] -= block.kept[at]


@kernel(inline=True)
def _reopen(block, n, t, calendar, days):  # type: ignore[no-untyped-def]
    """Puts back what was out of reach, and counts it: it was on hand."""
    counted = np.int64(t >= calendar.warmup)
    stock = np.int64(0)
    for at in range(n):
        kept = block.kept[at]
        block.on_hand_days[at] += kept * counted
        block.ready[at] += np.int64(kept > 0) * counted
        block.on_hand[at] += kept
        if kept > 0 and counted:
            block.lowest[at] = min(block.floor[at], block.on_hand[at])
        stock += kept
    days[t, 3] += stock


@kernel(inline=True)
def _live(block, due, n, t, lost, calendar, days):  # type: ignore[no-untyped-def]
    """Receive, serve backlog, serve demand, count. One pass without branches over the replications."""
    counted = np.int64(t >= calendar.warmup)
    kept = 1 - lost
    today = due[t & (calendar.slots - 1)]
    asked = supplied = missed = stock = owed = got = 0
    for at in range(n):
        arrived, wanted = today[at], block.demand[at]
        on_hand = block.on_hand[at] + arrived
        caught_up = served(block.backlog[at], on_hand)
        given = served(wanted, on_hand - caught_up)
        unserved = wanted - given
        on_hand -= caught_up + given
        backlog = block.backlog[at] - caught_up + unserved * kept
        block.on_hand[at], block.backlog[at] = on_hand, backlog
        block.on_order[at] -= arrived
        ends = np.int64(arrived > 0)
        block.cycles[at] += ends * counted
        block.cycles_short[at] += ends * block.short[at] * counted
        block.short[at] = (block.short[at] * (1 - ends)) | np.int64(unserved > 0) | np.int64(backlog > 0)
        block.asked[at] += wanted * counted
        block.supplied[at] += given * counted
        block.missed[at] += unserved * lost * counted
        block.backlog_days[at] += backlog * counted
        block.on_hand_days[at] += on_hand * counted
        block.received[at] += arrived * counted
        block.ready[at] += np.int64(on_hand > 0) * counted
        block.lowest[at] = min(block.lowest[at], on_hand)
        asked += wanted
        supplied += given
        missed += unserved * lost
        stock += on_hand
        owed += backlog
        got += arrived
    if t < calendar.warmup:
        block.lowest[:n] = NEVER
    add_day(days, t, asked, supplied, missed, stock, owed, got)


@kernel(inline=True)
def add_day(days, t, asked, supplied, missed, stock, owed, got):  # type: ignore[no-untyped-def]
    """Adds a day's totals, in the order of `DAY_COLUMNS`."""
    days[t, 0] += asked
    days[t, 1] += supplied
    days[t, 2] += missed
    days[t, 3] += stock
    days[t, 4] += owed
    days[t, 5] += got


@kernel(inline=True)
def _order(block, due, n, row, r, t, s, S, Q, lines, transit, calendar, trace):  # type: ignore[no-untyped-def]
    """Reviews every replication and places the orders; those due to order are gathered first, without a branch."""
    chosen, route, counted = block.chosen, lines.route[row], np.int64(t >= calendar.warmup)
    waiting = np.int64(0)
    for at in range(n):
        chosen[waiting] = at
        waiting += np.int64(block.on_hand[at] + block.on_order[at] - block.backlog[at] <= s)
    for k in range(waiting):
        at = chosen[k]
        position = block.on_hand[at] + block.on_order[at] - block.backlog[at]
        quantity = order_quantity(position, s, S, Q, lines.moq[row], lines.multiple[row])
        if quantity > 0:
            leaves = t + np.int64(transit.leaves[route, t, r + at])
            arrives = t + np.int64(transit.arrives[route, t, r + at])
            due[arrives & (calendar.slots - 1), at] += quantity
            block.on_order[at] += quantity
            block.in_transit[at] += quantity * counts_in_transit(leaves, arrives, calendar.warmup, calendar.days)
            block.orders[at] += counted
            block.ordered[at] += quantity * counted
            if trace.shape[0] > 0:
                trace[4, t, r + at] = quantity


@kernel(inline=True)
def _note(block, due, n, r, t, calendar, trace):  # type: ignore[no-untyped-def]
    """Writes down one day of every replication."""
    for at in range(n):
        trace[0, t, r + at], trace[1, t, r + at] = block.on_hand[at], block.backlog[at]
        trace[2, t, r + at], trace[3, t, r + at] = due[t & (calendar.slots - 1), at], block.demand[at]
        trace[4, t, r + at] = 0


@kernel(inline=True)
def _finish(block, n, r, out):  # type: ignore[no-untyped-def]
    """Writes what was counted, in the order of `UNIT_COLUMNS`."""
    columns = (block.asked, block.supplied, block.missed, block.backlog_days, block.on_hand_days, block.in_transit,
               block.orders, block.ordered, block.received, block.cycles, block.cycles_short, block.ready,
               block.on_hand, block.backlog, block.on_order, block.lowest)  # fmt: skip
    for column in range(len(columns)):
        for at in range(n):
            out[column, r + at] = columns[column][at]

"""The semantics of the simulation, one event after another: slow, plain Python, exact integers, written for reading.

`kernels.network.sweep` must agree with `live` on every figure (tests/kernels/test_network.py). Nothing is shared with
the kernels but the layout of the arrays: random numbers, demand look-up, policies and the order of a day are written
again from their definitions. One day of one item-location:

    receive → serve backlog, then today's demand, then our own places → count → review → order

A place that is supplied by another one of ours lives before it, so its order of today can leave today.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from stocktwin.kernels.network import (
    DAY_COLUMNS,
    FIRST_COME,
    NEVER,
    PRIORITY,
    UNIT_COLUMNS,
    Calendar,
    Demand,
    Lines,
    Losses,
    Network,
    OpenLines,
    Transit,
)

Ints = npt.NDArray[np.int64]

_MASK = 2**64 - 1
_GOLDEN = 0x9E3779B97F4A7C15
_PURPOSE_DEMAND, _PURPOSE_LEVEL = 1, 2


def splitmix(x: int) -> int:
    """The finaliser of SplitMix64 (Steele, Lea & Flood 2014).

    >>> hex(splitmix(0x9E3779B97F4A7C15))
    '0xe220a8397b1dcdaf'
    """
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & _MASK
    return x ^ (x >> 31)


def stream(seed: int, thing: int, replication: int, purpose: int) -> int:
    """Key of a random stream."""
    place = splitmix(splitmix((seed + purpose * _GOLDEN) & _MASK) ^ thing)
    return splitmix((place + (replication + 1) * _GOLDEN) & _MASK)


def number(key: int, n: int) -> int:
    """The n-th 64 random bits of a stream."""
    return splitmix((key + (n + 1) * _GOLDEN) & _MASK)


def demand_at(demand: Demand, table: int, uniform: int) -> int:
    """The demand of a table at a uniform 0 … 2³² − 1: the first value whose limit is not below it."""
    lowest, single, first = (int(x) for x in demand.header[table, :3])
    later = [int(row[2]) for row in demand.header if row[2] > first]
    limits = [int(x) for x in demand.limits[first : min(later, default=len(demand.limits))]]
    cell = bisect_left(limits, uniform)
    if single:
        return lowest + cell
    doublings = max(cell // 128 - 1, 0)
    below = limits[cell - 1] + 1 if cell else 0
    width: int = 1 << doublings
    step = (uniform - below) / (limits[cell] - below + 1) * width
    return lowest + (cell - 128 * doublings) * width + int(step)


def days_on_the_way(leaves: int, arrives: int, calendar: Calendar) -> int:
    """Counts of days from warm-up on at which goods are between source and shelf."""
    return sum(leaves < t < arrives for t in range(calendar.warmup, calendar.days))


@dataclass
class Shelf:
    """One item-location in one replication."""

    on_hand: int
    backlog: int
    on_order: int = 0
    due: Counter[int] = field(default_factory=Counter)
    """Day → units that arrive on it."""
    short: bool = False
    """Whether someone has gone without since the last receipt."""
    tally: Counter[str] = field(default_factory=Counter)
    today: Counter[str] = field(default_factory=Counter)
    lowest: int = NEVER
    owed: dict[int, list[list[int]]] = field(default_factory=dict)
    """Row of a place it supplies → [day of the order, units not shipped yet], oldest first."""
    requested: int = 0
    """Units that its own places asked for today."""

    @property
    def owes(self) -> int:
        """Units that its own places have ordered and not been sent."""
        return sum(units for orders in self.owed.values() for _, units in orders)

    @property
    def position(self) -> int:
        """On hand + on order − backlog, its customers' and its own places'."""
        return self.on_hand + self.on_order - self.backlog - self.owes


@dataclass(frozen=True)
class Instance:
    """What a run is given."""

    lines: Lines
    network: Network
    opened: OpenLines
    demand: Demand
    transit: Transit
    losses: Losses
    calendar: Calendar
    seed: int


def live(instance: Instance, replications: int) -> tuple[Ints, Ints]:
    """Lives every group of item-locations in every replication.

    Returns units[row, UNIT_COLUMNS, r] and days[day, DAY_COLUMNS] (summed over rows and replications) in atomic units.
    """
    lines, network, calendar = instance.lines, instance.network, instance.calendar
    units = np.zeros((len(lines.key), len(UNIT_COLUMNS), replications), np.int64)
    days: list[Counter[str]] = [Counter() for _ in range(calendar.days)]
    for start, end in zip(network.first[:-1].tolist(), network.first[1:].tolist(), strict=True):
        rows = network.member[start:end].tolist()
        source = [rows[at] if at >= 0 else -1 for at in network.parent[start:end].tolist()]
        for r in range(replications):
            shelves = {row: _shelf_at_day_0(lines, instance.opened, calendar, row, r) for row in rows}
            for t in range(calendar.days):
                for row, supplier, mode in zip(rows, source, network.allocation[start:end].tolist(), strict=True):
                    own = [one for one, by in zip(rows, source, strict=True) if by == row]
                    _live_a_day(instance, shelves, row, supplier, own, mode, r, t, days[t])
            for row in rows:
                shelf = shelves[row]
                ends = {"on_hand_end": shelf.on_hand, "backlog_end": shelf.backlog, "on_order_end": shelf.on_order,
                        "lowest": shelf.lowest, "owed_end": shelf.owes}  # fmt: skip
                units[row, :, r] = [ends.get(name, shelf.tally[name]) for name in UNIT_COLUMNS]
    return units, np.array([[day[name] for name in DAY_COLUMNS] for day in days], np.int64).reshape(-1, 6)


def _live_a_day(
    instance: Instance, shelves: dict[int, Shelf], row: int, supplier: int, own: list[int], mode: int, r: int, t: int,
    day: Counter[str],
) -> None:  # fmt: skip
    lines, transit, calendar = instance.lines, instance.transit, instance.calendar
    shelf, route, loss = shelves[row], int(lines.route[row]), int(lines.loss[row])
    wanted = _demand_of(lines, instance.demand, calendar, instance.seed, row, r, t)
    shut = len(transit.shut) > 0 and route >= 0 and transit.shut[route, t, r] == 1
    if loss >= 0:
        _destroy(shelf, shelf.on_hand * int(instance.losses.stock[loss, t, r]) // 65536, t, calendar)
    _serve(shelf, wanted, bool(lines.lost[row]), shut, t, calendar,
           int(instance.losses.arrivals[loss, t, r]) if loss >= 0 else 0)  # fmt: skip
    if own and not shut:
        _send_to_own_places(instance, shelves, row, own, mode, r, t)
    _count(shelf, t, calendar, day)
    _replenish(shelves, instance, row, supplier, r, t)


def _shelf_at_day_0(lines: Lines, opened: OpenLines, calendar: Calendar, row: int, r: int) -> Shelf:
    shelf = Shelf(int(lines.on_hand[row]), int(lines.backlog[row]))
    for line in range(lines.first_open[row], lines.first_open[row + 1]):
        _put_on_the_way(
            shelf, int(opened.quantity[line]), int(opened.leaves[line, r]), int(opened.arrives[line, r]), calendar
        )
    return shelf


def _put_on_the_way(shelf: Shelf, quantity: int, leaves: int, arrives: int, calendar: Calendar) -> None:
    shelf.on_order += quantity
    shelf.due[arrives] += quantity
    shelf.tally["in_transit_days"] += quantity * days_on_the_way(leaves, arrives, calendar)


def _demand_of(lines: Lines, demand: Demand, calendar: Calendar, seed: int, row: int, r: int, t: int) -> int:
    """Today's demand: drawn, multiplied by the replication's level and by the shared factor, rounded at random."""
    key = int(lines.key[row])
    bits = number(stream(seed, key, r, _PURPOSE_DEMAND), t)
    changed = int(calendar.changed[t])
    weekday = (calendar.first_day + t + 3) % 7
    drawn = demand_at(demand, int(lines.table[row, changed, weekday]), bits >> 32)
    cell = number(stream(seed, key, r, _PURPOSE_LEVEL), 0) >> 55
    scale = int(demand.levels[lines.level[row, changed], cell])
    factor = int(lines.factor[row])
    if factor >= 0:
        shared = demand.factors.shape[2] == 1
        scale = scale * int(demand.factors[factor, t, 0 if shared else r]) // 65536
    return (drawn * scale + bits % 65536) // 65536


def _destroy(shelf: Shelf, gone: int, t: int, calendar: Calendar) -> None:
    shelf.on_hand -= gone
    shelf.tally["destroyed"] += gone if t >= calendar.warmup else 0


def _serve(shelf: Shelf, wanted: int, lost: bool, shut: bool, t: int, calendar: Calendar, share_lost: int) -> None:
    """Receive, serve backlog, serve demand; a closed place does none of it, and what arrives comes back tomorrow."""
    arrived = shelf.due.pop(t, 0)
    if shut:
        shelf.due[t + 1] += arrived
        shelf.tally["in_transit_days"] += arrived if t >= calendar.warmup else 0
        arrived = 0
    shelf.on_hand += arrived
    shelf.on_order -= arrived
    gone = arrived * share_lost // 65536
    _destroy(shelf, gone, t, calendar)
    arrived -= gone
    within_reach = 0 if shut else shelf.on_hand
    caught_up = min(shelf.backlog, within_reach)
    given = min(wanted, within_reach - caught_up)
    missed = wanted - given
    shelf.on_hand -= caught_up + given
    shelf.backlog += (0 if lost else missed) - caught_up
    ends_a_cycle, was_short = arrived > 0, shelf.short
    shelf.short = (was_short and not ends_a_cycle) or missed > 0 or shelf.backlog > 0
    shelf.today = Counter(demand=wanted, served=given, lost=missed if lost else 0, received=arrived,
                          cycles=int(ends_a_cycle), cycles_short=int(ends_a_cycle and was_short))  # fmt: skip


def _count(shelf: Shelf, t: int, calendar: Calendar, day: Counter[str]) -> None:
    """What the day is remembered by."""
    shelf.short = shelf.short or shelf.owes > 0
    shelf.requested = 0
    day.update(on_hand=shelf.on_hand, backlog=shelf.backlog,
               **{name: shelf.today[name] for name in ("demand", "served", "lost", "received")})  # fmt: skip
    if t < calendar.warmup:
        return
    shelf.lowest = min(shelf.lowest, shelf.on_hand)
    shelf.tally.update(shelf.today)
    shelf.tally.update(backlog_days=shelf.backlog, on_hand_days=shelf.on_hand, ready_days=int(shelf.on_hand > 0),
                       owed_days=shelf.owes)  # fmt: skip


def _send_to_own_places(
    instance: Instance, shelves: dict[int, Shelf], row: int, own: list[int], mode: int, r: int, t: int
) -> None:
    """Ships what the places it supplies have ordered, as far as stock goes."""
    shelf, transit = shelves[row], instance.transit
    older = shelf.owes - shelf.requested
    open_ways = [one for one in own if _ships(instance, one, r, t)]
    wanted = {one: sum(units for _, units in shelf.owed.get(one, [])) for one in open_ways}
    shipped = 0
    for one, quantity in _parts(shelf, wanted, mode).items():
        left = quantity
        for order in shelf.owed.get(one, []):
            taken = min(order[1], left)
            order[1] -= taken
            left -= taken
        shelf.on_hand -= quantity
        shipped += quantity
        arrives = t + int(transit.arrives[instance.lines.route[one], t, r])
        shelves[one].due[arrives] += quantity
        shelves[one].tally["in_transit_days"] += quantity * days_on_the_way(t - 1, arrives, instance.calendar)
    if t >= instance.calendar.warmup:
        shelf.tally.update(shipped=shipped, shipped_at_once=max(shipped - older, 0))


def _ships(instance: Instance, row: int, r: int, t: int) -> bool:
    """Whether the source of a place ships to it today."""
    transit, route = instance.transit, int(instance.lines.route[row])
    away = len(transit.direct) > 0 and transit.direct[route, t, r] == 1
    return bool(transit.leaves[route, t, r] == 0) and not away


def _parts(shelf: Shelf, wanted: dict[int, int], mode: int) -> dict[int, int]:
    """Place → units it gets today."""
    total, left = sum(wanted.values()), shelf.on_hand
    if total <= left:
        return wanted
    if mode == FIRST_COME:
        orders = sorted(
            (day, at, one, units) for at, one in enumerate(wanted) for day, units in shelf.owed.get(one, [])
        )
        parts = dict.fromkeys(wanted, 0)
        for _, _, one, units in orders:
            taken = min(units, left)
            parts[one] += taken
            left -= taken
        return parts
    parts, before = {}, 0
    for one, units in wanted.items():
        if mode == PRIORITY:
            parts[one] = min(units, left)
            left -= parts[one]
        else:
            parts[one] = shelf.on_hand * (before + units) // total - shelf.on_hand * before // total
        before += units
    return parts


def _replenish(shelves: dict[int, Shelf], instance: Instance, row: int, supplier: int, r: int, t: int) -> None:
    """Review, and order if the inventory position is at or below the reorder point."""
    lines, transit, calendar, shelf = instance.lines, instance.transit, instance.calendar, shelves[row]
    route, review = int(lines.route[row]), int(lines.review_days[row])
    due_for_review = review <= 1 or (calendar.first_day + t + 3) % review == 0
    if route < 0 or not due_for_review or (len(transit.quiet) > 0 and transit.quiet[route, t, r] == 1):
        return
    s, S, Q = (int(x) for x in lines.policy[row, 1 if 0 <= lines.change_day[row] <= t else 0])
    quantity = order_of(shelf.position, s, S, Q, int(lines.moq[row]), int(lines.multiple[row]))
    if quantity == 0:
        return
    if t >= calendar.warmup:
        shelf.tally.update(orders=1, ordered=quantity)
    if supplier >= 0 and not (len(transit.direct) > 0 and transit.direct[route, t, r] == 1):
        shelf.on_order += quantity
        shelves[supplier].owed.setdefault(row, []).append([t, quantity])
        shelves[supplier].requested += quantity
        shelves[supplier].tally["requested"] += quantity if t >= calendar.warmup else 0
        return
    leaves, arrives = t + int(transit.leaves[route, t, r]), t + int(transit.arrives[route, t, r])
    _put_on_the_way(shelf, quantity, leaves, arrives, calendar)


def order_of(position: int, s: int, S: int, Q: int, moq: int, multiple: int) -> int:
    """Units a policy orders: nothing above s; up to S, or as many lots of Q as lift the position above s.

    >>> order_of(4, 4, 10, 0, 0, 1), order_of(5, 4, 10, 0, 0, 1), order_of(-3, 4, 0, 5, 0, 1)
    (6, 0, 10)
    >>> order_of(4, 4, 9, 0, 8, 6)
    12
    """
    quantity = 0
    if position > s:
        return 0
    if Q > 0:
        while position + quantity <= s:
            quantity += Q
    elif position < S:
        quantity = S - position
    if quantity == 0:
        return 0
    quantity = max(quantity, moq)
    while quantity % multiple:
        quantity += 1
    return quantity

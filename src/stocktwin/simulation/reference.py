"""The semantics of the simulation, one event after another: slow, plain Python, exact integers, written for reading.

`kernels.network.sweep` must agree with `live` on every figure (tests/kernels/test_network.py). Nothing is shared with
the kernels but the layout of the arrays: random numbers, demand look-up, policies and the order of a day are written
again from their definitions. One day of one item-location:

    receive → serve backlog, then today's demand → count → review → order
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from stocktwin.kernels.network import DAY_COLUMNS, NEVER, UNIT_COLUMNS, Calendar, Demand, Lines, OpenLines, Transit

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
    lowest: int = NEVER

    @property
    def position(self) -> int:
        """On hand + on order − backlog."""
        return self.on_hand + self.on_order - self.backlog


def live(
    lines: Lines, opened: OpenLines, demand: Demand, transit: Transit, calendar: Calendar, seed: int, replications: int
) -> tuple[Ints, Ints]:
    """Lives every item-location in every replication.

    Returns units[row, UNIT_COLUMNS, r] and days[day, DAY_COLUMNS] (summed over rows and replications) in atomic units.
    """
    rows = len(lines.key)
    units = np.zeros((rows, len(UNIT_COLUMNS), replications), np.int64)
    days: list[Counter[str]] = [Counter() for _ in range(calendar.days)]
    for row in range(rows):
        for r in range(replications):
            shelf = _shelf_at_day_0(lines, opened, calendar, row, r)
            for t in range(calendar.days):
                wanted = _demand_of(lines, demand, calendar, seed, row, r, t)
                route = int(lines.route[row])
                shut = len(transit.shut) > 0 and route >= 0 and transit.shut[route, t, r] == 1
                _serve(shelf, wanted, bool(lines.lost[row]), shut, t, calendar, days[t])
                _replenish(shelf, lines, transit, calendar, row, r, t)
            ends = {"on_hand_end": shelf.on_hand, "backlog_end": shelf.backlog, "on_order_end": shelf.on_order,
                    "lowest": shelf.lowest}  # fmt: skip
            units[row, :, r] = [ends.get(name, shelf.tally[name]) for name in UNIT_COLUMNS]
    return units, np.array([[day[name] for name in DAY_COLUMNS] for day in days], np.int64).reshape(-1, 6)


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


def _serve(shelf: Shelf, wanted: int, lost: bool, shut: bool, t: int, calendar: Calendar, day: Counter[str]) -> None:
    """Receive, serve backlog, serve demand, count; a closed place only counts, and what arrives comes back tomorrow."""
    arrived = shelf.due.pop(t, 0)
    if shut:
        shelf.due[t + 1] += arrived
        shelf.tally["in_transit_days"] += arrived if t >= calendar.warmup else 0
        arrived = 0
    shelf.on_hand += arrived
    shelf.on_order -= arrived
    within_reach = 0 if shut else shelf.on_hand
    caught_up = min(shelf.backlog, within_reach)
    given = min(wanted, within_reach - caught_up)
    missed = wanted - given
    shelf.on_hand -= caught_up + given
    shelf.backlog += (0 if lost else missed) - caught_up
    ends_a_cycle, was_short = arrived > 0, shelf.short
    shelf.short = (was_short and not ends_a_cycle) or missed > 0 or shelf.backlog > 0
    day.update(demand=wanted, served=given, lost=missed if lost else 0, on_hand=shelf.on_hand, backlog=shelf.backlog,
               received=arrived)  # fmt: skip
    if t < calendar.warmup:
        return
    shelf.lowest = min(shelf.lowest, shelf.on_hand)
    shelf.tally.update(
        demand=wanted, served=given, lost=missed if lost else 0, backlog_days=shelf.backlog,
        on_hand_days=shelf.on_hand, received=arrived, cycles=int(ends_a_cycle),
        cycles_short=int(ends_a_cycle and was_short), ready_days=int(shelf.on_hand > 0))  # fmt: skip


def _replenish(shelf: Shelf, lines: Lines, transit: Transit, calendar: Calendar, row: int, r: int, t: int) -> None:
    """Review, and order if the inventory position is at or below the reorder point."""
    route, review = int(lines.route[row]), int(lines.review_days[row])
    due_for_review = review <= 1 or (calendar.first_day + t + 3) % review == 0
    if route < 0 or not due_for_review:
        return
    s, S, Q = (int(x) for x in lines.policy[row, 1 if 0 <= lines.change_day[row] <= t else 0])
    quantity = order_of(shelf.position, s, S, Q, int(lines.moq[row]), int(lines.multiple[row]))
    if quantity == 0:
        return
    leaves, arrives = t + int(transit.leaves[route, t, r]), t + int(transit.arrives[route, t, r])
    _put_on_the_way(shelf, quantity, leaves, arrives, calendar)
    if t >= calendar.warmup:
        shelf.tally.update(orders=1, ordered=quantity)


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

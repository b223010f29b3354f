"""True stock at the end of days, worked out again from what happened. It is stated shelf by shelf: so each name and
each level stands in the files once for all the days it lasts, and a year takes little memory while it is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stocktwin.world.encoding import ROW_GROUP
from stocktwin.world.lots import NO_LOT
from stocktwin.world.records import EFFECT, Balances, Events, columns, stacked, taken

Ints = npt.NDArray[np.int64]


class Steps(NamedTuple):
    """Stock by item-location and lot, in this order: `level` at the end of the days from `since` to before `until`."""

    row: Ints
    lot: Ints
    since: Ints
    until: Ints
    level: Ints


def stated_days(days: int, every: int) -> Ints:
    """Every so many days, and the last.

    >>> stated_days(10, 4).tolist()
    [3, 7, 9]
    """
    return np.union1d(np.arange(every - 1, days, every), [days - 1])


def balances_of(events: Events, shelves: int, stated: Ints) -> Iterator[Balances]:
    """Unrestricted stock of every item-location (there are so many `shelves`) at the end of the stated days, of which
    the last is the world's last: one row per lot that is there, one of 0 where there is none. By item-location, lot and
    day, in pieces of about `ROW_GROUP` rows."""
    steps = levels(events, int(stated[-1]) + 1)
    wide = max(1, ROW_GROUP // len(stated))
    for first in range(0, shelves, wide):
        last = min(first + wide, shelves)
        low, high = np.searchsorted(steps.row, [first, last])
        yield _piece(Steps(*(column[low:high] for column in steps)), first, last, stated)


def levels(events: Events, days: int) -> Steps:
    """What the events of so many days make of each item-location and lot."""
    order = np.lexsort((events.day, events.lot, events.row))
    row, lot, day = events.row[order], events.lot[order], events.day[order]
    first = np.flatnonzero(_new(row) | _new(lot) | _new(day))
    row, lot, day = row[first], lot[first], day[first]
    change = np.add.reduceat((EFFECT[events.kind] * events.quantity)[order], first) if len(first) else first
    begins = _new(row) | _new(lot)
    total = np.cumsum(change)
    base = (total - change)[begins][np.cumsum(begins) - 1]
    until = np.where(np.append(begins, True)[1:], days, np.append(day, days)[1:])
    return Steps(row, lot, day, until, total - base)


def _new(column: Ints) -> npt.NDArray[np.bool_]:
    """Where a column differs from the row before."""
    return np.append(np.ones(min(1, len(column)), bool), np.diff(column) != 0)


def _piece(steps: Steps, first: int, last: int, stated: Ints) -> Balances:
    """The item-locations from `first` to the one before `last`."""
    low, high = np.searchsorted(stated, steps.since), np.searchsorted(stated, steps.until)
    times = np.where(steps.level != 0, high - low, 0)
    step = np.repeat(np.arange(len(times)), times)
    night = np.arange(len(step)) + (low - np.cumsum(times) + times)[step]
    row = steps.row[step]
    there = columns(Balances, len(step), day=stated[night], row=row, lot=steps.lot[step], quantity=steps.level[step])
    bare = np.ones((last - first, len(stated)), bool)
    bare[row - first, night] = False
    nothing, when = np.nonzero(bare)
    empty = columns(Balances, len(when), day=stated[when], row=nothing + first, lot=NO_LOT, quantity=0)
    whole = stacked(Balances, [there, empty])
    return taken(whole, np.lexsort((whole.day, whole.lot, whole.row)))

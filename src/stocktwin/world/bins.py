"""Bins: where in a DC goods lie, which the warehouse alone knows. It puts away what has come in, and now and then moves
part of a shelf to a better place. Neither changes what is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stocktwin.world.clock import SECOND, Clock
from stocktwin.world.demand import weekday
from stocktwin.world.design import Design
from stocktwin.world.draws import Draws
from stocktwin.world.encoding import Columns, chosen, where
from stocktwin.world.lots import NO_LOT
from stocktwin.world.noise import scattered
from stocktwin.world.postings import PUT_AWAY, Postings
from stocktwin.world.records import Event, Events, Reality, columns
from stocktwin.world.stock_paths import SPAN, StockPaths

Ints = npt.NDArray[np.int64]

RESLOTS: Final = 1.0
"""Moves to another bin of an item-location without lots, in a year of working days (judgement)."""
SHARE: Final = (0.2, 0.6)
"""Part of the shelf that is moved."""
HOURS: Final = (4.0, 4.8)
"""Local time of it: before the gates open."""
AISLES, BAYS, LEVELS, DOCKS = 40, 30, 5, 6
"""Of a DC."""


def reslottings(reality: Reality, design: Design, luck: Draws, clock: Clock) -> Events:
    """Moves of part of a shelf to another bin, on working days of DCs that are open."""
    days = [day for day in range(1, reality.days) if weekday(day) < 5]
    found = [luck.rare("re-slotting", len(design), RESLOTS / 260, day) for day in days]
    row = np.concatenate([rows for rows, _ in found] or [np.zeros(0, np.int64)])
    day = np.repeat(np.array(days, np.int64), [len(rows) for rows, _ in found])
    u = np.concatenate([parts for _, parts in found] or [np.zeros(0)])
    second = ((HOURS[0] + (HOURS[1] - HOURS[0]) * scattered(luck, "time re-slotting", day, row)) * 3600).astype(
        np.int64
    )
    events, dcs = reality.events, len(design.network.dcs)
    sold = np.unique(events.day[events.kind == Event.SALE] * dcs + design.dc[events.row[events.kind == Event.SALE]])
    paths = StockPaths.of(events, clock.instant(events.day, events.second, design.dc[events.row]), row)
    there = paths.at(row, clock.instant(day, second, design.dc[row])) if len(row) else row
    quantum = design.quantum[row]
    quantity = np.floor((SHARE[0] + (SHARE[1] - SHARE[0]) * u) * there / quantum).astype(np.int64) * quantum
    some = (quantity > 0) & (design.shelf_life[row] == 0) & np.isin(day * dcs + design.dc[row], sold)
    return columns(
        Events, int(some.sum()), day=day[some], second=second[some], kind=int(Event.RESLOT), row=row[some],
        quantity=quantity[some], line=-1, ref_day=day[some], lot=NO_LOT, part=0,
    )  # fmt: skip


@dataclass(frozen=True)
class Bins:
    """Which bin each item-location has at any time: another one after each move of it."""

    luck: Draws
    key: Ints
    """Item-location and second of each move, ascending. What is left of a second's number when it is divided by `SPAN`
    rises until 2038."""

    @classmethod
    def of(cls, luck: Draws, events: Events, when_us: Ints) -> Bins:
        """The bins after the moves among some events at these instants."""
        moved = events.kind == Event.RESLOT
        return cls(luck, np.sort(events.row[moved] * SPAN + when_us[moved] // SECOND % SPAN))

    def at(self, row: Ints, when_us: Ints) -> Ints:
        """How often each item-location has been moved before an instant."""
        first = np.searchsorted(self.key, row * SPAN)
        return np.asarray(np.searchsorted(self.key, row * SPAN + when_us // SECOND % SPAN) - first)

    def names(self, row: Ints, moves: Ints) -> pa.Array:
        """`A07-12-3`: aisle, bay, level."""
        place = np.floor(AISLES * BAYS * LEVELS * scattered(self.luck, "bin", row, moves)).astype(np.int64)
        every = [f"A{a + 1:02d}-{b + 1:02d}-{c + 1}" for a in range(AISLES) for b in range(BAYS) for c in range(LEVELS)]
        return chosen(every, place)


def is_bin_move(postings: Postings, events: Events) -> npt.NDArray[np.bool_]:
    """Which postings only move goods from bin to bin."""
    return np.asarray((postings.role == PUT_AWAY) | (events.kind[postings.event] == Event.RESLOT))


def with_bins(told: Columns, bins: Bins, moves: Postings, when_us: Ints) -> Columns:
    """The movements of some bin moves, with the bins that goods left and went to: from the dock, or from one to the
    next. `when_us` is when they came in or were moved, by the right clock."""
    put = moves.role == PUT_AWAY
    row, before = moves.row, bins.at(moves.row, when_us)
    dock = np.floor(DOCKS * scattered(bins.luck, "dock", moves.event)).astype(np.int64)
    docks = chosen([f"DOCK-{k + 1}" for k in range(DOCKS)], dock)
    return told | {
        "from_bin": where(put, docks, bins.names(row, before)),
        "to_bin": bins.names(row, np.where(put, before, before + 1)),
    }

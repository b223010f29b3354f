"""What has left the shelves unseen and is still in the books, until a count, a chance or the goods themselves tell.

Sparse: a list of quantities, however many item-locations there are.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from stocktwin.world.records import NEVER, Event, Events, Vanished, columns, stacked, taken

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass
class Missing:
    """Open quantities, and the closed ones for the record."""

    size: int
    """Number of item-locations."""
    hidden: Ints = field(init=False)
    """Atomic units that the books still have, per item-location."""
    open: Vanished = field(init=False)
    notice: Ints = field(init=False)
    """Day on which each open quantity comes to light without a count (NEVER where it does not)."""
    closed: list[Vanished] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hidden = np.zeros(self.size, np.int64)
        self.open = stacked(Vanished, [])
        self.notice = np.zeros(0, np.int64)

    def add(self, events: Events, notice: Ints | int = NEVER) -> None:
        """Takes what has just vanished."""
        if not len(events.row):
            return
        fresh = columns(
            Vanished, len(events.row), kind=events.kind, row=events.row, lot=events.lot, quantity=events.quantity,
            since=events.day, end=NEVER, how=-1, ref_day=-1,
        )  # fmt: skip
        self.open = stacked(Vanished, [self.open, fresh])
        self.notice = np.concatenate([self.notice, np.broadcast_to(notice, (len(events.row),))])
        np.add.at(self.hidden, events.row, events.quantity)

    def noticed(self, day: int, *kinds: Event) -> Flags:
        """Which open quantities of some kinds come to light by this day."""
        return (self.notice <= day) & np.isin(self.open.kind, kinds)

    def at(self, rows: Ints) -> Flags:
        """Which open quantities belong to some item-locations."""
        mine = np.zeros(self.size, bool)
        mine[rows] = True
        return mine[self.open.row]

    def close(self, which: Flags, *, end: Ints | int, how: int, ref_day: Ints | int) -> Vanished:
        """Closes open quantities; returns them."""
        done = taken(self.open, which)
        if not len(done.row):
            return done
        size = (len(done.row),)
        done = replace(
            done, end=np.broadcast_to(np.asarray(end, np.int64), size), how=np.full(size, how),
            ref_day=np.broadcast_to(np.asarray(ref_day, np.int64), size),
        )  # fmt: skip
        self.closed.append(done)
        np.subtract.at(self.hidden, done.row, done.quantity)
        self.open, self.notice = taken(self.open, ~which), self.notice[~which]
        return done

    def record(self) -> Vanished:
        """Everything that ever vanished, in the order of closing, the open quantities last."""
        return stacked(Vanished, [*self.closed, self.open])

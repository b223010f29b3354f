"""Puts columns of a few items in place of their old ones. Rows are sorted by item, so each item is one run of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stocktwin.ledger.pairs import Ints, ints
from stocktwin.ledger.snapshot_query import ORDER_KEY, Part, first_day, in_order
from stocktwin.tables.history import History

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class Runs:
    """Where the runs of some items lie in an old column and in a new one that holds nothing else."""

    old: tuple[Ints, Ints]
    """First and one past the last place of each run."""
    new: tuple[Ints, Ints]

    @classmethod
    def of(cls, old: npt.NDArray[np.int32], new: npt.NDArray[np.int32], items: Ints) -> Runs:
        """Runs of some items, sorted, in two sorted columns of items."""

        def bounds(column: npt.NDArray[np.int32]) -> tuple[Ints, Ints]:
            low, high = (np.searchsorted(column, items, side) for side in ("left", "right"))
            return low.astype(np.int64), high.astype(np.int64)

        return cls(bounds(old), bounds(new))

    def within(self, old: Ints, new: Ints) -> Runs:
        """The same runs in ragged columns with these offsets."""
        return Runs((old[self.old[0]], old[self.old[1]]), (new[self.new[0]], new[self.new[1]]))

    def put(self, old: npt.NDArray[Scalar], new: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """The old column with the new runs.

        >>> runs = Runs.of(np.array([1, 1, 2, 4], np.int32), np.array([2, 3, 3], np.int32), np.array([2, 3]))
        >>> runs.put(np.array([10, 11, 20, 40]), np.array([21, 30, 31])).tolist()
        [10, 11, 21, 30, 31, 40]
        """
        pieces, at = [], 0
        for low, high, first, last in zip(*self.old, *self.new, strict=True):
            pieces += [old[at:low], new[first:last]]
            at = high
        return np.concatenate([*pieces, old[at:]])


def splice(old: Part, new: Part, items: Ints, *, arrived: bool = True) -> Part:
    """The old part with the columns of some items (sorted rows of the snapshot's items) as they are now. Tables and
    histories in which nothing changed are the old objects, and so are lead times unless something `arrived`."""
    runs = Runs.of(old.item, new.item, items)
    return Part(
        item=runs.put(old.item, new.item),
        location=runs.put(old.location, new.location),
        on_hand=runs.put(old.on_hand, new.on_hand),
        anchored=runs.put(old.anchored, new.anchored),
        in_transit=runs.put(old.in_transit, new.in_transit),
        sales=_history(old.sales, new.sales, runs),
        open_orders=_table(old.open_orders, new.open_orders, items, ORDER_KEY),
        lead_times=_table(old.lead_times, new.lead_times, items) if arrived else old.lead_times,
    )


def _history(old: History, new: History, runs: Runs) -> History:
    counts = runs.put(np.diff(old.offsets), np.diff(new.offsets))
    start = runs.put(old.start, new.start)
    inside = runs.within(old.offsets, new.offsets)
    days, quantity = inside.put(old.days, new.days), inside.put(old.quantity, new.quantity)
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    made = History(first_day(start, old.last_day), old.last_day, offsets, days, quantity, start)
    return old if _same(old, made) else made


def _same(old: History, new: History) -> bool:
    pairs = ((getattr(old, name), getattr(new, name)) for name in ("offsets", "start", "days", "quantity"))
    return all(np.array_equal(one, other) for one, other in pairs)


def _table(old: pa.Table, new: pa.Table, items: Ints, columns: tuple[str, ...] = ()) -> pa.Table:
    touched = np.isin(ints(old.column("item")), items)
    if old.filter(pa.array(touched)).equals(new):
        return old
    rest = old.filter(pc.invert(pa.array(touched)))
    return in_order(pa.concat_tables([rest, new]), columns)

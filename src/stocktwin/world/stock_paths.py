"""True stock of some shelves at any instant: what a sensor in front of them would see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stocktwin.world.clock import SECOND
from stocktwin.world.records import EFFECT, Events

Ints = npt.NDArray[np.int64]

SPAN: Final = 2**30
"""More seconds than any world lasts (34 years)."""


@dataclass(frozen=True)
class StockPaths:
    """Unrestricted stock of the chosen item-locations as steps at whole seconds: `level[k]` from `when[k]` on, until
    the shelf's next."""

    shelf: Ints
    """Chosen rows, ascending."""
    first: Ints
    """Where each shelf's steps begin, and one past the last."""
    when: Ints
    level: Ints

    @classmethod
    def of(cls, events: Events, when: Ints, rows: Ints) -> StockPaths:
        """The paths of some item-locations; `when` is the instant of each event."""
        shelf = np.unique(rows)
        mine = np.flatnonzero(np.isin(events.row, shelf) & (EFFECT[events.kind] != 0))
        mine = mine[np.lexsort((when[mine], events.row[mine]))]
        change = EFFECT[events.kind[mine]] * events.quantity[mine]
        first = np.searchsorted(events.row[mine], np.append(shelf, np.iinfo(np.int64).max))
        total = np.concatenate([[0], np.cumsum(change)])
        level = total[1:] - np.repeat(total[first[:-1]], np.diff(first))
        return cls(shelf, first, when[mine], level)

    def at(self, rows: Ints, moment: Ints) -> Ints:
        """Level of each row just after its moment; 0 before anything happened there.

        >>> paths = StockPaths(np.array([7]), np.array([0, 2]), np.array([10, 20]) * SECOND, np.array([5, 3]))
        >>> paths.at(np.array([7, 7, 7]), np.array([9, 10, 25]) * SECOND).tolist()
        [0, 5, 3]
        """
        owner = np.repeat(np.arange(len(self.shelf)), np.diff(self.first))
        at = np.searchsorted(self.shelf, rows)
        origin = int(min(self.when.min(initial=np.iinfo(np.int64).max), moment.min(initial=np.iinfo(np.int64).max)))
        key, asked = (who * SPAN + (when - origin) // SECOND for who, when in ((owner, self.when), (at, moment)))
        step = np.searchsorted(key, asked, side="right") - 1
        return np.where(step >= self.first[at], np.append(self.level, 0)[step], 0)

"""Ragged histories: flat values and offsets, one run of days per item-location; days without a value are zero."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class History:
    """Daily quantities of n series over the days `first_day … last_day` (inclusive, days since 1970-01-01).

    Series i holds `days[offsets[i]:offsets[i+1]]` (strictly increasing) and `quantity` at the same places, in atomic
    units. `start[i]` is the first day on which the series existed (its item-location was first seen); zeros before it
    are absence, zeros after it are days without demand.
    """

    first_day: int
    last_day: int
    offsets: npt.NDArray[np.int64]
    days: npt.NDArray[np.int32]
    quantity: npt.NDArray[np.int64]
    start: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def series(self, row: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Days and quantities of one series (views)."""
        span = slice(self.offsets[row], self.offsets[row + 1])
        return self.days[span], self.quantity[span]

    def dense(self, rows: npt.NDArray[np.int64] | slice, first_day: int, last_day: int) -> npt.NDArray[np.float32]:
        """Matrix (rows × days) of quantities on `first_day … last_day`, zero where nothing happened.

        >>> one = np.array([0, 2]); h = History(0, 9, one, np.array([1, 3], np.int32), np.array([5, 7]), one[:1])
        >>> h.dense(slice(None), 0, 3).tolist()
        [[0.0, 5.0, 0.0, 7.0]]
        """
        chosen = np.arange(len(self))[rows]
        out = np.zeros((len(chosen), last_day - first_day + 1), np.float32)
        begin, end = self.offsets[chosen], self.offsets[chosen + 1]
        counts = end - begin
        row = np.repeat(np.arange(len(chosen)), counts)
        at = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(begin, counts)
        day = self.days[at] - first_day
        inside = (day >= 0) & (day < out.shape[1])
        out[row[inside], day[inside]] = self.quantity[at[inside]]
        return out


def history_from_rows(
    n: int,
    row: npt.NDArray[np.int64],
    day: npt.NDArray[np.int32],
    quantity: npt.NDArray[np.int64],
    start: npt.NDArray[np.int32],
    first_day: int,
    last_day: int,
) -> History:
    """A `History` from (series row, day, quantity) triples in any order; triples of one series and day are added."""
    order = np.lexsort((day, row))
    row, day, quantity = row[order], day[order], quantity[order]
    if len(row):
        new = np.ones(len(row), bool)
        new[1:] = (row[1:] != row[:-1]) | (day[1:] != day[:-1])
        first = np.flatnonzero(new)
        row, day, quantity = row[first], day[first], np.add.reduceat(quantity, first)
    offsets = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(row, minlength=n), out=offsets[1:])
    return History(first_day, last_day, offsets, day.astype(np.int32), quantity.astype(np.int64), start)

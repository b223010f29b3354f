"""Lots on the shelves: which batches an item-location holds, and first expired, first out.

A lot is a number, so that columns of lots are columns of integers: the day it was made and who made it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NO_LOT: Final = -1
MAKERS: Final = 64
"""More suppliers than any network has."""
EPOCH: Final = 4096
"""Days before day 0 from which lots can be told apart."""
EMPTY: Final = 2**62
"""Code of a free slot: behind every lot."""
FIRST_SLOTS: Final = 4


def lot_code(made_day: Ints, supplier: Ints) -> Ints:
    """Lots of one item in the order in which they expire.

    >>> int(lot_code(np.array([5]), np.array([2]))[0])
    262466
    """
    return np.asarray((made_day + EPOCH) * MAKERS + supplier)


def made_day(lot: Ints) -> Ints:
    """Day on which a lot was made."""
    return np.asarray(lot // MAKERS - EPOCH)


def maker(lot: Ints) -> Ints:
    """Supplier who made a lot."""
    return np.asarray(lot % MAKERS)


class Pieces(NamedTuple):
    """What a quantity consists of: `of` is the place of the request, `part` 0, 1, 2 … within it, oldest lot first."""

    of: Ints
    part: Ints
    lot: Ints
    quantity: Ints


@dataclass
class Lots:
    """Quantities by lot of the lot-controlled item-locations. Lots of a row stand oldest first; a lot that is used up
    keeps its slot, at quantity 0, until the next delivery."""

    index: Ints
    """Row of `code` and `quantity` of each item-location, −1 where lots are not kept."""
    shelf_life: Ints
    """Days, of each row of `code`."""
    rows: Ints
    """Item-location of each row of `code`."""
    code: Ints
    quantity: Ints

    @classmethod
    def empty(cls, shelf_life: Ints) -> Lots:
        """No stock; item-locations with a shelf life of 0 keep no lots."""
        rows = np.flatnonzero(shelf_life > 0)
        index = np.full(len(shelf_life), -1, np.int64)
        index[rows] = np.arange(len(rows))
        shape = (len(rows), FIRST_SLOTS)
        return cls(index, shelf_life[rows], rows, np.full(shape, EMPTY, np.int64), np.zeros(shape, np.int64))

    def kept(self, rows: Ints) -> Flags:
        """Which of these item-locations keep lots."""
        return np.asarray(self.index[rows] >= 0)

    def take(self, rows: Ints, quantity: Ints) -> Pieces:
        """Takes what expires first; all keep lots and have that much. One that comes twice is served twice."""
        shelf, at = self.index[rows], np.arange(len(rows))
        if (shelf[1:] > shelf[:-1]).all():
            return _pieces(self._take_once(shelf, at, quantity))
        found: list[tuple[Ints, Ints, Ints]] = []
        while len(at):
            _, first = np.unique(shelf[at], return_index=True)
            found += self._take_once(shelf[at[first]], at[first], quantity[at[first]])
            at = np.delete(at, first)
        return _pieces(found)

    def _take_once(self, shelf: Ints, of: Ints, quantity: Ints) -> list[tuple[Ints, Ints, Ints]]:
        at, left = np.arange(len(shelf)), quantity.copy()
        found: list[tuple[Ints, Ints, Ints]] = []
        for slot in range(self.code.shape[1]):
            at = at[left[at] > 0]
            if not len(at):
                break
            part = np.minimum(left[at], self.quantity[shelf[at], slot])
            self.quantity[shelf[at], slot] -= part
            left[at] -= part
            some = part > 0
            found.append((of[at[some]], self.code[shelf[at[some]], slot], part[some]))
        return found

    def put(self, rows: Ints, lot: Ints, quantity: Ints) -> None:
        """Adds goods of a lot; an item-location may come more than once."""
        shelf = self.index[rows]
        while len(shelf):
            _, first = np.unique(shelf, return_index=True)
            self._put_once(shelf[first], lot[first], quantity[first])
            shelf, lot, quantity = (np.delete(column, first) for column in (shelf, lot, quantity))

    def _put_once(self, shelf: Ints, lot: Ints, quantity: Ints) -> None:
        codes, amounts = self.code[shelf], self.quantity[shelf]
        there = codes == lot[:, None]
        codes = np.where((amounts == 0) & ~there, EMPTY, codes)
        known = there.any(axis=1)
        if (~known & (codes != EMPTY).all(axis=1)).any():
            self._widen()
            return self._put_once(shelf, lot, quantity)
        slot = np.where(known, there.argmax(axis=1), (codes == EMPTY).argmax(axis=1))
        each = np.arange(len(shelf))
        codes[each, slot] = lot
        amounts[each, slot] += quantity
        order = codes.argsort(axis=1, kind="stable")
        self.code[shelf] = np.take_along_axis(codes, order, axis=1)
        self.quantity[shelf] = np.take_along_axis(amounts, order, axis=1)
        return None

    def _widen(self) -> None:
        more = self.code.shape
        self.code = np.concatenate([self.code, np.full(more, EMPTY, np.int64)], axis=1)
        self.quantity = np.concatenate([self.quantity, np.zeros(more, np.int64)], axis=1)

    def expire(self, day: int) -> tuple[Ints, Ints, Ints]:
        """Takes away what expires on or before a day: item-locations, lots, quantities."""
        past = (day - self.shelf_life + EPOCH + 1) * MAKERS
        shelf, slot = np.nonzero((self.code < past[:, None]) & (self.quantity > 0))
        gone = self.quantity[shelf, slot]
        self.quantity[shelf, slot] = 0
        return self.rows[shelf], self.code[shelf, slot], gone

    def on(self, rows: Ints) -> Pieces:
        """What lies on these shelves, lot by lot, oldest first; all keep lots."""
        shelf = self.index[rows]
        of, slot = np.nonzero(self.quantity[shelf] > 0)
        return Pieces(of, ranks(of), self.code[shelf[of], slot], self.quantity[shelf[of], slot])


def _pieces(found: list[tuple[Ints, Ints, Ints]]) -> Pieces:
    none = np.zeros(0, np.int64)
    of, lot, quantity = (np.concatenate(column) for column in zip(*found, strict=True)) if found else (none,) * 3
    order = np.argsort(of, kind="stable")
    return Pieces(of[order], ranks(of[order]), lot[order], quantity[order])


def ranks(of: Ints) -> Ints:
    """0, 1, 2 … within each run of equal numbers."""
    first = np.flatnonzero(np.r_[True, of[1:] != of[:-1]]) if len(of) else of
    return np.asarray(np.arange(len(of)) - np.repeat(first, np.diff(np.r_[first, len(of)])), np.int64)

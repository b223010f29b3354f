"""What people and interfaces get wrong when they post: twice, not at all, in the wrong pack, with two digits swapped.

A fault belongs to one posting of one system. The first count of the item-location afterwards brings it to light; then
the posting is reversed, or made at last.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from stocktwin.world.design import Design
from stocktwin.world.draws import Draws
from stocktwin.world.records import EFFECT, Counts, Event, Events

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

NEVER: Final = 2**40


class Cause(IntEnum):
    """Causes of a difference between the record and the truth, as the labels name them."""

    theft = 0
    unexplained_loss = 1
    duplicate_post = 2
    missing_post = 3
    pack_factor = 4
    digit_swap = 5
    bulk_theft = 6
    damage = 7
    misplacement = 8


ERP, WMS = 0, 1
SYSTEMS: Final = ("erp", "wms")

RATES: Final = (
    (ERP, Event.SALE, Cause.missing_post, 0.0002),
    (ERP, Event.SALE, Cause.duplicate_post, 0.0002),
    (WMS, Event.RECEIPT, Cause.missing_post, 0.002),
    (WMS, Event.RECEIPT, Cause.duplicate_post, 0.002),
    (WMS, Event.RECEIPT, Cause.pack_factor, 0.0008),
    (WMS, Event.RECEIPT, Cause.digit_swap, 0.0025),
)
"""Chance of each fault per posting. They lie where the posting system is the authority, so they reach the record."""


@dataclass(frozen=True)
class PostingFaults:
    """One row per fault: the event (row of the reported events), what was posted instead, and the day on which it is
    put right (`NEVER` where no count finds it)."""

    event: Ints
    system: Ints
    cause: Ints
    posted: Ints
    corrected_day: Ints

    def of(self, system: int, *causes: Cause) -> Ints:
        """Rows of one system and some causes."""
        return np.flatnonzero((self.system == system) & np.isin(self.cause, causes))


def keyed(luck: Draws, cause: str, width: int, day: Ints, row: Ints) -> Floats:
    """For each (day, item-location) its own number in [0, 1), the same whatever else happened."""
    out = np.empty(len(day))
    if not len(day):
        return out
    order = np.argsort(day, kind="stable")
    days, first = np.unique(day[order], return_index=True)
    for value, at in zip(days.tolist(), np.split(order, first[1:]), strict=True):
        out[at] = luck.uniform(cause, width, value)[row[at]]
    return out


def make_posting_faults(design: Design, luck: Draws, events: Events, counts: Counts) -> PostingFaults:
    """Draws the faults of all systems over the reported events."""
    at, system, cause = _drawn(design, luck, events)
    posted = _posted(design, events, at, cause)
    real = (posted != events.quantity[at]) | np.isin(cause, (Cause.missing_post, Cause.duplicate_post))
    at, system, cause, posted = at[real], system[real], cause[real], posted[real]
    return PostingFaults(at, system, cause, posted, _found(counts, events.row[at], events.day[at]))


def _drawn(design: Design, luck: Draws, events: Events) -> tuple[Ints, Ints, Ints]:
    """Each posting has one number; the rates are slices of it, so it has one fault at most."""
    at, systems, causes = [], [], []
    for system, kind in dict.fromkeys((system, kind) for system, kind, _, _ in RATES):
        rows = np.flatnonzero(events.kind == kind)
        u = keyed(luck, f"{SYSTEMS[system]} posts {kind.name}", len(design), events.day[rows], events.row[rows])
        chosen = [(cause, rate) for s, k, cause, rate in RATES if (s, k) == (system, kind)]
        slot = np.searchsorted(np.cumsum([rate for _, rate in chosen]), u, side="right")
        hit = np.flatnonzero(slot < len(chosen))
        at.append(rows[hit])
        systems.append(np.full(len(hit), system))
        causes.append(np.array([int(cause) for cause, _ in chosen])[slot[hit]])
    return np.concatenate(at), np.concatenate(systems), np.concatenate(causes)


def _posted(design: Design, events: Events, at: Ints, cause: Ints) -> Ints:
    """Quantity posted instead: pieces keyed as cases, two digits swapped, nothing, or (a second time) the same."""
    item = design.item[events.row[at]]
    quantity = events.quantity[at]
    swapped = np.array([swap_digits(q) for q in quantity.tolist()], np.int64)
    swapped = np.where(design.items.scale[item] == 0, swapped, quantity)
    posted = np.where(cause == Cause.pack_factor, quantity * design.items.case[item], quantity)
    posted = np.where(cause == Cause.digit_swap, swapped, posted)
    return np.where(cause == Cause.missing_post, 0, posted)


def swap_digits(number: int) -> int:
    """The number with its first two unequal neighbouring digits swapped; the same number where that cannot be done.

    >>> swap_digits(540), swap_digits(10), swap_digits(7)
    (450, 10, 7)
    """
    text = str(number)
    for k in range(len(text) - 1):
        if text[k] != text[k + 1] and not (k == 0 and text[1] == "0"):
            return int(text[:k] + text[k + 1] + text[k] + text[k + 2 :])
    return number


def _found(counts: Counts, row: Ints, day: Ints) -> Ints:
    """Day on which the first count of the item-location on or after a day leads to a correction."""
    span = 2**20
    key = counts.row * span + counts.day
    order = np.argsort(key, kind="stable")
    at = np.searchsorted(key[order], row * span + day)
    inside = at < len(order)
    hit = order[np.minimum(at, len(order) - 1)] if len(order) else np.zeros(len(row), np.int64)
    same = inside & (counts.row[hit] == row) if len(order) else inside
    return np.where(same, counts.corrected_day[hit], NEVER) if len(order) else np.full(len(row), NEVER)


def error_units(events: Events, faults: PostingFaults) -> Ints:
    """Atomic units by which each fault makes the posting system's book wrong: posted − true, signed as stock."""
    quantity = events.quantity[faults.event]
    posted = np.where(faults.cause == Cause.duplicate_post, 2 * quantity, faults.posted)
    return np.asarray(EFFECT[events.kind[faults.event]] * (posted - quantity))

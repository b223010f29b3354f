"""What people and interfaces get wrong when they post: twice, not at all, too late, in the wrong unit, with two digits
swapped or the point slipped, for the wrong item, place or lot.

A fault belongs to one posting of one system. The first count of the item-location afterwards brings it to light; then
the posting is reversed, or made at last. What is only late arrives by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from stocktwin.world.design import Design
from stocktwin.world.draws import Draws
from stocktwin.world.identifiers import neighbours
from stocktwin.world.lots import MAKERS, NO_LOT
from stocktwin.world.noise import logarithmic, scattered
from stocktwin.world.rates import Rates
from stocktwin.world.records import EFFECT, NEVER, Counts, Event, Events, stacked, taken

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


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
    decimal_slip = 9
    wrong_unit = 10
    late_post = 11
    wrong_location = 12
    wrong_item = 13
    wrong_lot = 14
    stray_read = 15
    silent_system = 16
    clock_skew = 17
    schema_change = 18
    duplicate_delivery = 19
    reordered_delivery = 20
    wrong_crossref = 21
    missing_crossref = 22


ERP, WMS, RFID, IOT, TMS, GPS = range(6)
SYSTEMS: Final = ("erp", "wms", "rfid", "iot", "tms", "gps")
OF_THE_WMS: Final = (Event.RECEIPT, Event.TRANSFER_IN, Event.TRANSFER_OUT)
"""Kinds of event for which the record takes the word of the WMS; for all others that of the ERP."""

POSTS: Final = {
    (ERP, Event.SALE, "sale"): (Cause.missing_post, Cause.duplicate_post, Cause.late_post, Cause.wrong_item),
    (ERP, Event.RECEIPT, "erp_receipt"): (
        Cause.missing_post, Cause.duplicate_post, Cause.late_post, Cause.pack_factor, Cause.digit_swap,
        Cause.wrong_item,
    ),
    (WMS, Event.RECEIPT, "receipt"): (
        Cause.missing_post, Cause.duplicate_post, Cause.late_post, Cause.pack_factor, Cause.wrong_unit,
        Cause.digit_swap, Cause.decimal_slip, Cause.wrong_item, Cause.wrong_location, Cause.wrong_lot,
    ),
}  # fmt: skip
"""(system, event, its word in the rates) → what can go wrong. It reaches the record where the system is the authority;
what goes wrong in a receipt of the WMS reaches the ERP too, where its interface passes it on."""
MOVED: Final = (Cause.wrong_item, Cause.wrong_location)
REVERSED: Final = (Cause.pack_factor, Cause.wrong_unit, Cause.digit_swap, Cause.decimal_slip, *MOVED, Cause.wrong_lot)
"""Causes that are put right by reversing the posting and making it again."""
LATE_SAME_DAY: Final = 0.2
"""Share of the late postings that are made hours later on the same day; the others take days to weeks."""
LATE_HOURS: Final = (2.0, 5.0)
LATE_DAYS: Final = (1.0, 21.0)


@dataclass(frozen=True)
class PostingFaults:
    """One row per fault: the event (row of the reported events), what was posted instead (quantity, item-location,
    lot), days and seconds by which it is late, and the day on which it is put right (`NEVER` where no count finds it).
    """

    event: Ints
    system: Ints
    cause: Ints
    posted: Ints
    row: Ints
    lot: Ints
    late_days: Ints
    late_seconds: Ints
    corrected_day: Ints

    def of(self, system: int, *causes: Cause) -> Ints:
        """Rows of one system and some causes."""
        return np.flatnonzero((self.system == system) & np.isin(self.cause, causes))


@dataclass(frozen=True)
class Clerks:
    """Those who post in one block: what they might mistake for what."""

    design: Design
    luck: Draws
    rates: Rates

    @cached_property
    def neighbour(self) -> Ints:
        """For each item the one it is mistaken for."""
        items = self.design.items
        controlled = items.shelf_life > 0
        words = [f"{unit} {lots}" for unit, lots in zip(items.unit, controlled.tolist(), strict=True)]
        return neighbours(words, items.scale)

    def faults(self, events: Events, counts: Counts) -> PostingFaults:
        """Draws the faults of all systems over the reported events."""
        at, system, cause = self._drawn(events)
        key = (events.day[at], events.row[at])
        quantity = self._quantity(events, at, cause)
        row = self._row(events, at, cause)
        lot = self._lot(events, at, cause)
        same = (quantity == events.quantity[at]) & (row == events.row[at]) & (lot == events.lot[at])
        real = ~same | np.isin(cause, (Cause.missing_post, Cause.duplicate_post, Cause.late_post))
        days, seconds = self._delay(*key)
        whole = PostingFaults(at, system, cause, quantity, row, lot, days, seconds, _found(counts, key[1], key[0]))
        return self._passed_on(taken(whole, real), events)

    def _passed_on(self, drawn: PostingFaults, events: Events) -> PostingFaults:
        """With the errors of the WMS that the ERP takes over by interface; such a posting is not keyed, so it has no
        error of the ERP's own."""
        day, row = events.day[drawn.event], events.row[drawn.event]
        passes = scattered(self.luck, "interfaced", day, row) < self.rates.interfaced_receipt_error
        copies = taken(drawn, passes & (drawn.system == WMS))
        own = (drawn.system == ERP) & np.isin(drawn.event, copies.event)
        copies = replace(copies, system=np.full(len(copies.event), ERP))
        return stacked(PostingFaults, [taken(drawn, ~own), copies])

    def _drawn(self, events: Events) -> tuple[Ints, Ints, Ints]:
        """Each posting has one number; the rates are slices of it, so it has one fault at most."""
        at, systems, causes = [], [], []
        for (system, kind, word), possible in POSTS.items():
            rows = np.flatnonzero(events.kind == kind)
            u = scattered(self.luck, f"{SYSTEMS[system]} posts {kind.name}", events.day[rows], events.row[rows])
            edges = np.cumsum([getattr(self.rates, f"{word}_{cause.name}") for cause in possible])
            slot = np.searchsorted(edges, u, side="right")
            hit = np.flatnonzero(slot < len(possible))
            at.append(rows[hit])
            systems.append(np.full(len(hit), system))
            causes.append(np.array([int(cause) for cause in possible])[slot[hit]])
        return np.concatenate(at), np.concatenate(systems), np.concatenate(causes)

    def _quantity(self, events: Events, at: Ints, cause: Ints) -> Ints:
        """Quantity posted: pieces keyed as cases, cases as pieces, digits swapped, a point slipped, or nothing."""
        items, quantity = self.design.items, events.quantity[at]
        item = self.design.item[events.row[at]]
        scale, case = items.scale[item], items.case_atoms[item]
        swapped = np.array([swap_digits(q) for q in quantity.tolist()], np.int64)
        cases = (self.design.multiple[events.row[at]] == case) & (quantity % case == 0)
        up = (quantity % 10 != 0) | (scattered(self.luck, "slip", events.day[at], events.row[at]) < 0.5)
        posted = {
            Cause.pack_factor: quantity * items.case[item],
            Cause.wrong_unit: np.where(cases, quantity // case * 10**scale, quantity),
            Cause.digit_swap: np.where(scale == 0, swapped, quantity),
            Cause.decimal_slip: np.where(up, quantity * 10, quantity // 10),
            Cause.missing_post: np.zeros(len(at), np.int64),
        }
        return np.select([cause == one for one in posted], list(posted.values()), quantity)

    def _row(self, events: Events, at: Ints, cause: Ints) -> Ints:
        """Item-location posted to: the neighbouring item, another DC."""
        dcs = len(self.design.network.dcs)
        row = events.row[at]
        step = 1 + np.floor((dcs - 1) * scattered(self.luck, "wrong DC", events.day[at], row)).astype(np.int64)
        elsewhere = row - row % dcs + (row % dcs + step % dcs) % dcs
        mistaken = self.neighbour[self.design.item[row]] * dcs + row % dcs
        return np.select([cause == Cause.wrong_item, cause == Cause.wrong_location], [mistaken, elsewhere], row)

    def _lot(self, events: Events, at: Ints, cause: Ints) -> Ints:
        """Lot posted: one made some days earlier."""
        lot = events.lot[at]
        days = 1 + np.floor(9 * scattered(self.luck, "wrong lot", events.day[at], events.row[at])).astype(np.int64)
        return np.where((cause == Cause.wrong_lot) & (lot != NO_LOT), lot - days * MAKERS, lot)

    def _delay(self, day: Ints, row: Ints) -> tuple[Ints, Ints]:
        """Whole days by which a late posting is late, and the second of that day on which it is made; 0 days: as many
        seconds after the event."""
        u, v = (scattered(self.luck, f"late {word}", day, row) for word in ("days", "hour"))
        days = np.ceil(logarithmic(u, *LATE_DAYS)).astype(np.int64)
        soon = scattered(self.luck, "late soon", day, row) < LATE_SAME_DAY
        low, high = LATE_HOURS
        hours = np.where(soon, low + (high - low) * v, 8 + 9 * v)
        return np.where(soon, 0, days), np.floor(hours * 3600).astype(np.int64)


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
    if not len(counts.row):
        return np.full(len(row), NEVER)
    span = 2**20
    key = counts.row * span + counts.day
    order = np.argsort(key, kind="stable")
    at = np.searchsorted(key[order], row * span + day)
    hit = order[np.minimum(at, len(order) - 1)]
    same = (at < len(order)) & (counts.row[hit] == row)
    return np.where(same, counts.corrected_day[hit], NEVER)


def error_units(events: Events, faults: PostingFaults) -> Ints:
    """Atomic units by which each fault makes the posting system's book of the event's own item-location wrong while it
    lasts: posted − true, signed as stock."""
    quantity = events.quantity[faults.event]
    posted = np.select(
        [faults.cause == Cause.duplicate_post, np.isin(faults.cause, (Cause.late_post, *MOVED))],
        [2 * quantity, 0 * quantity],
        faults.posted,
    )
    return np.asarray(EFFECT[events.kind[faults.event]] * (posted - quantity))

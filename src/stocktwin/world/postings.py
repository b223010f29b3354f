"""What each system says about what happened: postings, delayed and faulty. Still no file and no format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stocktwin.world.clock import MINUTE, SECOND, Clock
from stocktwin.world.design import Design
from stocktwin.world.draws import Draws
from stocktwin.world.lots import ranks
from stocktwin.world.posting_faults import ERP, SYSTEMS, WMS, Cause, PostingFaults, keyed
from stocktwin.world.records import EFFECT, UNREPORTED, Event, Events, Reality, columns, stacked, taken

Ints = npt.NDArray[np.int64]

CORRECTION_HOURS: Final = (19.0, 19.4)
ERP_RECEIPT_DELAY: Final = (60, 480)
ERP_DELAY: Final = (3, 40)
WMS_DELAY: Final = (0, 5)
"""Minutes from an event to its being recorded, shortest and longest."""
NEVER_SEEN: Final = 2**20
"""More days than any world lasts."""
FIRST, AGAIN, REVERSAL, RIGHT = range(4)
"""What a posting is: the first of its event, a second one, the reversal of a wrong one, the right one at last."""


@dataclass(frozen=True)
class Postings:
    """One system's movements. `event` is a row of the reported events, `corrects` the role of the posting that this one
    takes back (−1: none)."""

    event: Ints
    role: Ints
    corrects: Ints
    quantity: Ints
    in_cases: Ints
    late: Ints
    event_us: Ints
    recorded_us: Ints


def reported_events(reality: Reality, design: Design, luck: Draws) -> Events:
    """What gets reported: all but the unseen, and what the books gave up, while the world lasted, because of a count or
    because somebody came across the damage: one correction per count or day, item-location and lot."""
    seen = taken(reality.events, np.flatnonzero(~np.isin(reality.events.kind, UNREPORTED)))
    gone = taken(reality.vanished, (reality.vanished.how >= 0) & (reality.vanished.end < reality.days))
    keys = np.stack([gone.how, gone.ref_day, gone.row, gone.lot, gone.end])
    table, first = np.unique(keys, axis=1, return_inverse=True)
    how, ref_day, row, lot, end = table
    corrections = columns(
        Events,
        len(row),
        day=end,
        second=correction_second(design, luck, end, row),
        kind=how,
        row=row,
        quantity=np.bincount(first.reshape(-1), gone.quantity, len(row)).astype(np.int64),
        line=-1,
        ref_day=ref_day,
        lot=lot,
        part=ranks((how * NEVER_SEEN + ref_day) * len(design) + row),
    )
    return stacked(Events, [seen, corrections])


def correction_second(design: Design, luck: Draws, day: Ints, row: Ints) -> Ints:
    """Second of the local day on which books are put right."""
    low, high = CORRECTION_HOURS
    return np.asarray((low + (high - low) * keyed(luck, "time correction", len(design), day, row)) * 3600).astype(
        np.int64
    )


@dataclass(frozen=True)
class Office:
    """All that a system needs to know to post: the plan, the clock, the events and the faults."""

    design: Design
    luck: Draws
    clock: Clock
    days: int
    events: Events
    faults: PostingFaults

    def postings(self, system: int) -> Postings:
        """Everything one system posts, in the order in which it was recorded."""
        chunks = [self._first(system), self._again(system), *self._put_right(system)]
        whole = stacked(Postings, chunks)
        return taken(whole, np.lexsort((whole.role, whole.event, whole.recorded_us)))

    def correction_us(self, fault: Ints) -> Ints:
        """Instant at which faults are put right."""
        row, day = self.events.row[self.faults.event[fault]], self.faults.corrected_day[fault]
        return self.clock.instant(day, correction_second(self.design, self.luck, day, row), self.design.dc[row])

    def _corrected(self, fault: Ints) -> Ints:
        return fault[self.faults.corrected_day[fault] < self.days]

    def _instant(self, event: Ints) -> Ints:
        events = self.events
        return self.clock.instant(events.day[event], events.second[event], self.design.dc[events.row[event]])

    def _delay(self, system: int, event: Ints) -> Ints:
        usual = ERP_DELAY if system == ERP else WMS_DELAY
        slow = (self.events.kind[event] == Event.RECEIPT) & (system == ERP)
        low, high = (np.where(slow, a, b) for a, b in zip(ERP_RECEIPT_DELAY, usual, strict=True))
        u = keyed(
            self.luck, f"{SYSTEMS[system]} delay", len(self.design), self.events.day[event], self.events.row[event]
        )
        return np.asarray((low + (high - low) * u) * 60).astype(np.int64) * SECOND

    def _first(self, system: int) -> Postings:
        faults = self.faults
        quantity = self.events.quantity.copy()
        wrong = faults.of(system, Cause.pack_factor, Cause.digit_swap)
        quantity[faults.event[wrong]] = faults.posted[wrong]
        missing = faults.of(system, Cause.missing_post)
        made_up = self._corrected(missing)
        event = np.arange(len(quantity))
        when = self._instant(event)
        recorded = when + self._delay(system, event)
        recorded[faults.event[made_up]] = self.correction_us(made_up)
        late = np.zeros(len(event), np.int64)
        late[faults.event[made_up]] = 1
        keep = np.ones(len(event), bool)
        keep[faults.event[np.setdiff1d(missing, made_up)]] = False
        whole = columns(
            Postings, len(event), event=event, role=FIRST, corrects=-1, quantity=quantity,
            in_cases=self._in_cases(system, event, quantity), late=late, event_us=when, recorded_us=recorded,
        )  # fmt: skip
        return taken(whole, keep)

    def _again(self, system: int) -> Postings:
        event = self.faults.event[self.faults.of(system, Cause.duplicate_post)]
        quantity = self.events.quantity[event]
        when = self._instant(event) + (1 + self.events.row[event] % 4) * MINUTE
        return columns(
            Postings, len(event), event=event, role=AGAIN, corrects=-1, quantity=quantity,
            in_cases=self._in_cases(system, event, quantity), late=0, event_us=when,
            recorded_us=when + self._delay(system, event),
        )  # fmt: skip

    def _put_right(self, system: int) -> list[Postings]:
        """Reversals of what was posted wrongly or twice, and the right quantities."""
        faults = self.faults
        twice = self._corrected(faults.of(system, Cause.duplicate_post))
        wrong = self._corrected(faults.of(system, Cause.pack_factor, Cause.digit_swap))
        return [
            self._correction(system, twice, REVERSAL, AGAIN, self.events.quantity[faults.event[twice]]),
            self._correction(system, wrong, REVERSAL, FIRST, faults.posted[wrong]),
            self._correction(system, wrong, RIGHT, -1, self.events.quantity[faults.event[wrong]]),
        ]

    def _correction(self, system: int, fault: Ints, role: int, corrects: int, quantity: Ints) -> Postings:
        event = self.faults.event[fault]
        when = self.correction_us(fault) + (MINUTE if role == RIGHT else 0)
        return columns(
            Postings, len(event), event=event, role=role, corrects=corrects, quantity=quantity,
            in_cases=self._in_cases(system, event, quantity), late=0, event_us=when, recorded_us=when + 2 * MINUTE,
        )  # fmt: skip

    def _in_cases(self, system: int, event: Ints, quantity: Ints) -> Ints:
        """The warehouse counts receipts in cases, where goods are ordered by the case. Pieces keyed as cases are the
        pack fault; swapped digits are those of the number of pieces."""
        if system != WMS:
            return np.zeros(len(event), np.int64)
        row = self.events.row[event]
        case = self.design.items.case_atoms[self.design.item[row]]
        whole = (self.design.multiple[row] == case) & (quantity % case == 0)
        usual = whole & (self.events.kind[event] == Event.RECEIPT)
        swapped = self.faults.event[self.faults.of(WMS, Cause.digit_swap)]
        packed = self.faults.event[self.faults.of(WMS, Cause.pack_factor)]
        keyed_as_cases = np.isin(event, packed) & (quantity % case == 0)
        return np.asarray((usual & ~np.isin(event, swapped)) | keyed_as_cases).astype(np.int64)


def book(postings: Postings, events: Events, design: Design, at_us: Ints) -> Ints:
    """Unrestricted stock on a system's own book at an instant per DC, as the system then knew it."""
    row = events.row[postings.event]
    cut = at_us[design.dc[row]]
    known = (postings.event_us <= cut) & (postings.recorded_us <= cut)
    sign = np.where(postings.role == REVERSAL, -1, 1) * EFFECT[events.kind[postings.event]]
    level = np.zeros(len(design), np.int64)
    np.add.at(level, row[known], (sign * postings.quantity)[known])
    return level

"""What each system says about what happened: postings, delayed and faulty. Still no file and no format."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from stocktwin.world.clock import MINUTE, SECOND, Clock
from stocktwin.world.design import Design
from stocktwin.world.draws import Draws
from stocktwin.world.lots import ranks
from stocktwin.world.noise import scattered
from stocktwin.world.posting_faults import ERP, OF_THE_WMS, REVERSED, SYSTEMS, WMS, Cause, PostingFaults
from stocktwin.world.records import EFFECT, NEVER, UNREPORTED, Event, Events, Reality, columns, stacked, taken
from stocktwin.world.troubles import Troubles

Ints = npt.NDArray[np.int64]

CORRECTION_HOURS: Final = (19.0, 19.4)
ERP_RECEIPT_DELAY: Final = (60, 480)
ERP_DELAY: Final = (3, 40)
WMS_DELAY: Final = (0, 5)
"""Minutes from an event to its being recorded, shortest and longest."""
NEVER_SEEN: Final = 2**20
"""More days than any world lasts."""
BATCH: Final = 5 * MINUTE
"""The WMS writes down what it knows every so often."""
FOREVER: Final = NEVER * SECOND
"""An instant that never comes."""
LOOSE: Final = (Cause.digit_swap, Cause.decimal_slip, Cause.wrong_unit, Cause.wrong_item)
"""Faults in numbers of pieces."""
PIECE, CASE, PALLET = range(3)
FIRST, AGAIN, REVERSAL, RIGHT, PUT_AWAY = range(5)
"""What a posting is: the first of its event, a second one, the reversal of a wrong one, the right one at last; of goods
that came in also their way from the dock to their bin."""
SIGN: Final = np.array([1, 1, -1, 1, 0])
"""What a unit of each role does to stock, beside one of the first posting."""
PUT_AWAY_MINUTES: Final = (15, 90)


@dataclass(frozen=True)
class Postings:
    """One system's movements. `event` is a row of the reported events, `corrects` the role of the posting that this one
    takes back (−1: none); `row` and `lot` are what was posted to, `pack` what it is counted in, `late` 1 where it was
    made late."""

    event: Ints
    role: Ints
    corrects: Ints
    row: Ints
    lot: Ints
    quantity: Ints
    pack: Ints
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
        second=correction_second(luck, end, row),
        kind=how,
        row=row,
        quantity=np.bincount(first.reshape(-1), gone.quantity, len(row)).astype(np.int64),
        line=-1,
        ref_day=ref_day,
        lot=lot,
        part=ranks((how * NEVER_SEEN + ref_day) * len(design) + row),
    )
    return stacked(Events, [seen, corrections])


def correction_second(luck: Draws, day: Ints, row: Ints) -> Ints:
    """Second of the local day on which books are put right."""
    low, high = CORRECTION_HOURS
    return np.asarray((low + (high - low) * scattered(luck, "time correction", day, row)) * 3600).astype(np.int64)


@dataclass(frozen=True)
class Office:
    """All that a system needs to know to post: the plan, the clock, the events, the faults, and what ails the WMS."""

    design: Design
    luck: Draws
    clock: Clock
    days: int
    events: Events
    faults: PostingFaults
    troubles: Troubles

    def postings(self, system: int) -> Postings:
        """Everything one system has recorded when the world ends, in that order."""
        whole = self.erp if system == ERP else self.wms
        told = np.flatnonzero(whole.recorded_us < self.end_us[self.design.dc[whole.row]])
        return taken(whole, told[np.lexsort((whole.role[told], whole.event[told], whole.recorded_us[told]))])

    def untold(self, system: int) -> Postings:
        """What was to be recorded by then and will be only later, or never."""
        whole = self.erp if system == ERP else self.wms
        return taken(whole, whole.recorded_us >= self.end_us[self.design.dc[whole.row]])

    @cached_property
    def erp(self) -> Postings:
        """Everything the ERP records at any time."""
        return self._all(ERP)

    @cached_property
    def wms(self) -> Postings:
        """Everything the WMS records at any time."""
        return self._all(WMS)

    @cached_property
    def end_us(self) -> Ints:
        """The end of the world at each DC."""
        dc = np.arange(len(self.design.network.dcs))
        return self.clock.instant(np.full(len(dc), self.days), 0, dc)

    def correction_us(self, fault: Ints) -> Ints:
        """Instant at which faults are put right."""
        row, day = self.events.row[self.faults.event[fault]], self.faults.corrected_day[fault]
        return self.clock.instant(day, correction_second(self.luck, day, row), self.design.dc[row])

    def late_us(self, fault: Ints) -> Ints:
        """Instant at which late postings are made."""
        event, days = self.faults.event[fault], self.faults.late_days[fault]
        soon = self.instant(event) + self.faults.late_seconds[fault] * SECOND
        dc = self.design.dc[self.events.row[event]]
        later = self.clock.instant(self.events.day[event] + days, self.faults.late_seconds[fault], dc)
        return np.where(days == 0, soon, later)

    def instant(self, event: Ints) -> Ints:
        """When events happen."""
        events = self.events
        return self.clock.instant(events.day[event], events.second[event], self.design.dc[events.row[event]])

    def _all(self, system: int) -> Postings:
        first = self._first(system)
        if system == ERP:  # it knows no bins
            own = taken(first, self.events.kind[first.event] != Event.RESLOT)
            return stacked(Postings, [own, self._again(system), *self._put_right(system)])
        return stacked(Postings, [first, self._put_away(first), self._again(system), *self._put_right(system)])

    def _put_away(self, first: Postings) -> Postings:
        """What the warehouse has received goes to its bins, as it was posted."""
        came = np.isin(self.events.kind[first.event], (Event.RECEIPT, Event.TRANSFER_IN))
        came &= (first.recorded_us < FOREVER) & (first.quantity > 0)
        at = taken(first, came)
        low, high = PUT_AWAY_MINUTES
        u = scattered(self.luck, "put-away", self.events.day[at.event], at.row, self.events.part[at.event])
        wait = (low + (high - low) * u).astype(np.int64) * MINUTE
        dc = self.design.dc[self.events.row[at.event]]
        heard = self.troubles.heard(dc, at.recorded_us + wait, u)
        recorded = -(-heard // BATCH) * BATCH
        return replace(at, role=np.full(len(u), PUT_AWAY), event_us=at.event_us + wait, recorded_us=recorded)

    def _corrected(self, fault: Ints) -> Ints:
        return fault[self.faults.corrected_day[fault] < self.days]

    def _delay(self, system: int, event: Ints) -> Ints:
        usual = ERP_DELAY if system == ERP else WMS_DELAY
        slow = (self.events.kind[event] == Event.RECEIPT) & (system == ERP)
        low, high = (np.where(slow, a, b) for a, b in zip(ERP_RECEIPT_DELAY, usual, strict=True))
        u = scattered(self.luck, f"{SYSTEMS[system]} delay", self.events.day[event], self.events.row[event])
        return np.asarray((low + (high - low) * u) * 60).astype(np.int64) * SECOND

    def _first(self, system: int) -> Postings:
        events, faults = self.events, self.faults
        event = np.arange(len(events.row))
        quantity, row, lot = events.quantity.copy(), events.row.copy(), events.lot.copy()
        wrong = faults.of(system, *REVERSED)
        quantity[faults.event[wrong]] = faults.posted[wrong]
        row[faults.event[wrong]] = faults.row[wrong]
        lot[faults.event[wrong]] = faults.lot[wrong]
        missing = faults.of(system, Cause.missing_post)
        made_up, tardy = self._corrected(missing), faults.of(system, Cause.late_post)
        when, recorded = self._clocked(system, event, self.instant(event))
        recorded[faults.event[made_up]] = self.correction_us(made_up)
        recorded[faults.event[tardy]] = self.late_us(tardy)
        late = np.zeros(len(event), np.int64)
        late[faults.event[np.concatenate([made_up, tardy])]] = 1
        recorded[faults.event[np.setdiff1d(missing, made_up)]] = FOREVER
        return columns(
            Postings, len(event), event=event, role=FIRST, corrects=-1, row=row, lot=lot, quantity=quantity,
            pack=self._packs(system, event, quantity), late=late, event_us=when, recorded_us=recorded,
        )  # fmt: skip

    def _clocked(self, system: int, event: Ints, when: Ints) -> tuple[Ints, Ints]:
        """When the system says that events happened and when it recorded them: its clock, its silence, its batches."""
        if system == ERP:
            return when, when + self._delay(system, event)
        dc = self.design.dc[self.events.row[event]]
        when = when + self.troubles.skew(dc, when)
        recorded = when + self._delay(system, event)
        heard = self.troubles.heard(
            dc, recorded, scattered(self.luck, "backlog", self.events.row[event], when // SECOND)
        )
        return when, -(-heard // BATCH) * BATCH

    def _again(self, system: int) -> Postings:
        event = self.faults.event[self.faults.of(system, Cause.duplicate_post)]
        when, recorded = self._clocked(system, event, self.instant(event) + (1 + self.events.row[event] % 4) * MINUTE)
        quantity = self.events.quantity[event]
        return columns(
            Postings, len(event), event=event, role=AGAIN, corrects=-1, row=self.events.row[event],
            lot=self.events.lot[event], quantity=quantity, pack=self._packs(system, event, quantity), late=0,
            event_us=when, recorded_us=recorded,
        )  # fmt: skip

    def _put_right(self, system: int) -> list[Postings]:
        """Reversals of what was posted wrongly or twice, and the right postings."""
        faults = self.faults
        twice = self._corrected(faults.of(system, Cause.duplicate_post))
        wrong = self._corrected(faults.of(system, *REVERSED))
        return [
            self._correction(system, twice, REVERSAL, AGAIN),
            self._correction(system, wrong, REVERSAL, FIRST),
            self._correction(system, wrong, RIGHT, -1),
        ]

    def _correction(self, system: int, fault: Ints, role: int, corrects: int) -> Postings:
        events, faults = self.events, self.faults
        event = faults.event[fault]
        true = (events.quantity[event], events.row[event], events.lot[event])
        wrong = (faults.posted[fault], faults.row[fault], faults.lot[fault])
        quantity, row, lot = wrong if corrects == FIRST else true
        when = self.correction_us(fault) + (MINUTE if role == RIGHT else 0)
        return columns(
            Postings, len(event), event=event, role=role, corrects=corrects, row=row, lot=lot, quantity=quantity,
            pack=self._packs(system, event, quantity), late=0, event_us=when, recorded_us=when + 2 * MINUTE,
        )  # fmt: skip

    def _packs(self, system: int, event: Ints, quantity: Ints) -> Ints:
        """What a posting counts in: pieces, cases or pallets. The warehouse counts what comes in and goes out whole in
        the largest pack. Pieces keyed as cases are the pack fault; slips of the pen are those of numbers of pieces."""
        if system != WMS:
            return np.zeros(len(event), np.int64)
        row, items = self.events.row[event], self.design.items
        item = self.design.item[row]
        case, pallet = items.case_atoms[item], (items.case_atoms * items.cases_per_pallet)[item]
        handled = np.isin(self.events.kind[event], OF_THE_WMS) & (self.design.multiple[row] == case)
        pack = np.select([handled & (quantity % pallet == 0), handled & (quantity % case == 0)], [PALLET, CASE], PIECE)
        loose = self.faults.event[self.faults.of(WMS, *LOOSE)]
        packed = self.faults.event[self.faults.of(WMS, Cause.pack_factor)]
        pack = np.where(np.isin(event, packed) & (quantity % case == 0), CASE, pack)
        return np.where(np.isin(event, loose), PIECE, pack)


def effects(postings: Postings, events: Events) -> Ints:
    """What a unit of each posting does to unrestricted stock of its item-location."""
    return np.asarray(SIGN[postings.role] * EFFECT[events.kind[postings.event]])

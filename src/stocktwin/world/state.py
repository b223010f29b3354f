"""The physical state of the world on one day, and the log of what happened to it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from stocktwin.world.circumstances import Circumstances
from stocktwin.world.demand import weekday
from stocktwin.world.design import Design
from stocktwin.world.draws import Draws
from stocktwin.world.leadtimes import LeadTimes
from stocktwin.world.lots import NO_LOT, Lots
from stocktwin.world.missing import Missing
from stocktwin.world.noise import scattered
from stocktwin.world.outcomes import Outcome
from stocktwin.world.records import (
    EFFECT,
    Amendments,
    Asked,
    Counts,
    Event,
    Events,
    Lines,
    Revisions,
    Vanished,
    columns,
    taken,
)

Ints = npt.NDArray[np.int64]

HOUR = 3600
WINDOWS: dict[Event, tuple[float, float]] = {
    Event.OPENING: (0.5, 0.5),
    Event.EXPIRED: (5.0, 5.4),
    Event.RECEIPT: (6.0, 9.0),
    Event.TRANSFER_IN: (6.0, 9.0),
    Event.RESTOCK: (9.0, 9.4),
    Event.DISPOSAL: (9.0, 9.4),
    Event.FOUND: (9.0, 9.4),
    Event.SURFACED: (9.0, 9.4),
    Event.SALE: (9.5, 17.0),
    Event.RETURN: (10.0, 16.0),
    Event.TRANSFER_OUT: (17.1, 17.4),
    Event.SCRAP: (17.45, 17.6),
    Event.INTERNAL_USE: (17.45, 17.6),
    Event.THEFT: (17.7, 17.9),
    Event.LOSS: (17.7, 17.9),
    Event.DAMAGE: (17.7, 17.9),
    Event.MISPLACED: (17.7, 17.9),
    Event.BULK_THEFT: (21.5, 23.5),
}
"""Local hours between which each kind of event happens. What has expired goes first; then what adds to stock comes
before what takes from it, so that no order of events within a day can make stock negative."""
COUNT_WINDOW = (18.0, 18.5)


@dataclass
class State:
    """Stock and what is on its way, per item-location, in atomic units."""

    design: Design
    luck: Draws
    around: Circumstances
    lead_times: LeadTimes
    day: int
    on_hand: Ints
    on_order: Ints
    lots: Lots
    missing: Missing
    thief_until: Ints
    shortage: Ints
    """Lost demand of the day."""
    pace: npt.NDArray[np.float64]
    """What planners remember of daily sales (exponentially smoothed),"""
    short: npt.NDArray[np.float64]
    """and of the share of days on which something was not there."""
    steered: npt.NDArray[np.bool_]
    """Whose settings were decided from outside: the planners leave them alone."""
    arrivals: dict[int, list[tuple[Ints, Lines]]] = field(default_factory=lambda: defaultdict(list))
    """Day → (rows in the log of lines, lines)."""
    cargo: dict[int, list[Events]] = field(default_factory=lambda: defaultdict(list))
    """Day of arrival → what left for another DC; `row` is the one that receives."""
    returns: dict[int, list[tuple[Event, Ints, Ints, Ints, Ints]]] = field(default_factory=lambda: defaultdict(list))
    """Day → (kind of event, rows, quantities, days of the sales, lots)."""
    surfacing: dict[int, list[Vanished]] = field(default_factory=lambda: defaultdict(list))
    """Day → misplaced goods that turn up after the books have given them up."""
    events: list[Events] = field(default_factory=list)
    lines: list[Lines] = field(default_factory=list)
    line_count: int = 0
    counts: list[Counts] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    revisions: list[Revisions] = field(default_factory=list)
    amendments: list[Amendments] = field(default_factory=list)
    cancelled: dict[int, int] = field(default_factory=dict)
    """Row in the log of lines → how much of it was cancelled from outside."""
    outcomes: list[Outcome] = field(default_factory=list)
    """What became of the decisions from outside."""

    @classmethod
    def start(cls, design: Design, luck: Draws, around: Circumstances | None = None) -> State:
        """An empty network on day 0; without circumstances, those of a week."""
        if around is None:
            around = Circumstances.of(luck, design.network, 7)
        lead_times = LeadTimes.of(luck, design.network, around)
        lots, missing = Lots.empty(design.shelf_life), Missing(len(design))
        on_hand, on_order, thief_until, shortage = (np.zeros(len(design), np.int64) for _ in range(4))
        pace = np.where(design.is_new, 0.0, design.planned)
        return cls(
            design, luck, around, lead_times, 0, on_hand, on_order, lots, missing, thief_until, shortage, pace,
            np.zeros(len(design)), np.zeros(len(design), bool),
        )  # fmt: skip

    @property
    def believed(self) -> Ints:
        """What the people think is there."""
        return self.on_hand + self.missing.hidden

    @property
    def weekday(self) -> int:
        """Monday = 0."""
        return weekday(self.day)

    @property
    def open(self) -> npt.NDArray[np.bool_]:
        """Item-locations whose DC works today."""
        return self.around.open_dcs(self.design.network, self.day)[self.design.dc]

    def chance(self, cause: str, rows: Ints) -> npt.NDArray[np.float64]:
        """One number in [0, 1) for each of some item-locations, for one cause on this day."""
        return scattered(self.luck, cause, self.day, rows)

    def befallen(self, cause: str, per_year: float) -> tuple[Ints, npt.NDArray[np.float64]]:
        """Item-locations that something befalls today which befalls each so many times a year; a number for each."""
        return self.luck.rare(cause, len(self.design), min(0.5, per_year / 365), self.day)

    def moment(self, cause: str, window: tuple[float, float], rows: Ints) -> Ints:
        """Seconds of the local day within a window of hours."""
        first, last = window
        return np.asarray((first + (last - first) * self.chance(f"time {cause}", rows)) * HOUR).astype(np.int64)

    def happen(
        self, kind: Event, rows: Ints, quantity: Ints, *, line: Ints | int = -1, ref_day: Ints | int | None = None,
        lot: Ints | None = None, part: Ints | int = 0,
    ) -> Events:  # fmt: skip
        """Moves the stock and logs what happened; rows without a quantity are left out. Without `lot`, what leaves a
        shelf is taken from the lots that expire first, and what they are stands in the events."""
        some = np.flatnonzero(quantity > 0)
        taken_lots = lot is None and EFFECT[kind] < 0
        whole = columns(
            Events, len(rows), day=self.day, second=0, kind=int(kind), row=rows, quantity=quantity, line=line,
            ref_day=self.day if ref_day is None else ref_day, lot=NO_LOT if lot is None else lot, part=part,
        )  # fmt: skip
        events = self._split(taken(whole, some)) if taken_lots else taken(whole, some)
        if not len(some):
            return events
        events = replace(events, second=self.moment(kind.name, WINDOWS[kind], events.row))
        np.add.at(self.on_hand, events.row, EFFECT[kind] * events.quantity)
        if EFFECT[kind] > 0:
            kept = self.lots.kept(events.row)
            self.lots.put(events.row[kept], events.lot[kept], events.quantity[kept])
        self.events.append(events)
        return events

    def _split(self, events: Events) -> Events:
        """Events of leaving goods, one for each lot that is taken."""
        kept = self.lots.kept(events.row)
        if not kept.any():
            return events
        at, plain = np.flatnonzero(kept), np.flatnonzero(~kept)
        pieces = self.lots.take(events.row[at], events.quantity[at])
        of = np.concatenate([plain, at[pieces.of]])
        order = np.argsort(of, kind="stable")
        split = taken(events, of[order])
        quantity, lot, part = (
            np.concatenate([first, second])[order]
            for first, second in (
                (events.quantity[plain], pieces.quantity), (events.lot[plain], pieces.lot),
                (events.part[plain], pieces.part),
            )
        )  # fmt: skip
        return replace(split, quantity=quantity, lot=lot, part=part)

    def order(self, lines: Lines) -> int:
        """Takes new order lines; returns the log row of the first."""
        first = self.line_count
        self.lines.append(lines)
        self.line_count += len(lines.row)
        np.add.at(self.on_order, lines.row, lines.quantity)
        for day in np.unique(lines.arrival_day).tolist():
            at = np.flatnonzero(lines.arrival_day == day)
            self.arrivals[day].append((first + at, taken(lines, at)))
        return first

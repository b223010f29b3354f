"""The physical state of the world on one day, and the log of what happened to it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from stocktwin.world.circumstances import Circumstances
from stocktwin.world.demand import weekday
from stocktwin.world.design import Design
from stocktwin.world.draws import Draws
from stocktwin.world.leadtimes import LeadTimes
from stocktwin.world.records import EFFECT, Asked, Counts, Event, Events, Lines, columns, taken

Ints = npt.NDArray[np.int64]

HOUR = 3600
WINDOWS: dict[Event, tuple[float, float]] = {
    Event.OPENING: (0.5, 0.5),
    Event.RECEIPT: (6.0, 9.0),
    Event.TRANSFER_IN: (6.0, 9.0),
    Event.RESTOCK: (9.0, 9.4),
    Event.DISPOSAL: (9.0, 9.4),
    Event.SALE: (9.5, 17.0),
    Event.RETURN: (10.0, 16.0),
    Event.TRANSFER_OUT: (17.1, 17.4),
    Event.SCRAP: (17.45, 17.6),
    Event.INTERNAL_USE: (17.45, 17.6),
    Event.THEFT: (17.7, 17.9),
    Event.LOSS: (17.7, 17.9),
}
"""Local hours between which each kind of event happens. What adds to stock comes before what takes from it, so that no
order of events within a day can make stock negative."""
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
    stolen: Ints
    """Stolen since the last count: gone, but still believed to be there."""
    lost: Ints
    stolen_since: Ints
    lost_since: Ints
    thief_until: Ints
    shortage: Ints
    """Lost demand of the day."""
    arrivals: dict[int, list[tuple[Ints, Lines]]] = field(default_factory=lambda: defaultdict(list))
    """Day → (rows in the log of lines, lines)."""
    returns: dict[int, list[tuple[Event, Ints, Ints, Ints]]] = field(default_factory=lambda: defaultdict(list))
    """Day → (kind of event, rows, quantities, days of the sales)."""
    events: list[Events] = field(default_factory=list)
    lines: list[Lines] = field(default_factory=list)
    line_count: int = 0
    counts: list[Counts] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    @classmethod
    def start(cls, design: Design, luck: Draws, around: Circumstances | None = None) -> State:
        """An empty network on day 0; without circumstances, those of a week."""
        if around is None:
            around = Circumstances.of(luck, design.network, 7)
        lead_times = LeadTimes.of(luck, design.network, around)

        def zeros() -> Ints:
            return np.zeros(len(design), np.int64)

        return cls(
            design, luck, around, lead_times, 0, zeros(), zeros(), zeros(), zeros(), zeros(), zeros(), zeros(), zeros()
        )

    @property
    def believed(self) -> Ints:
        """What the people think is there."""
        return self.on_hand + self.stolen + self.lost

    @property
    def weekday(self) -> int:
        """Monday = 0."""
        return weekday(self.day)

    @property
    def open(self) -> npt.NDArray[np.bool_]:
        """Item-locations whose DC works today."""
        return self.around.open_dcs(self.design.network, self.day)[self.design.dc]

    def uniform(self, cause: str) -> npt.NDArray[np.float64]:
        """One number in [0, 1) per item-location, for one cause on this day."""
        return self.luck.uniform(cause, len(self.design), self.day)

    def moment(self, cause: str, window: tuple[float, float], rows: Ints) -> Ints:
        """Seconds of the local day within a window of hours."""
        first, last = window
        return np.asarray((first + (last - first) * self.uniform(f"time {cause}")[rows]) * HOUR).astype(np.int64)

    def happen(
        self, kind: Event, rows: Ints, quantity: Ints, line: Ints | int = -1, ref_day: Ints | int | None = None
    ) -> None:
        """Moves the stock and logs the events; rows without a quantity are left out."""
        some = np.flatnonzero(quantity > 0)
        if not len(some):
            return
        np.add.at(self.on_hand, rows[some], EFFECT[kind] * quantity[some])
        whole = columns(
            Events,
            len(rows),
            day=self.day,
            second=self.moment(kind.name, WINDOWS[kind], rows),
            kind=int(kind),
            row=rows,
            quantity=quantity,
            line=line,
            ref_day=self.day if ref_day is None else ref_day,
        )
        self.events.append(taken(whole, some))

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

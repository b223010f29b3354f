"""An action tested: the item-locations it touches lived with it and without it, on the same luck."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from stocktwin.domain.errors import UsageError
from stocktwin.kernels.network import Lines
from stocktwin.kernels.network import OpenLines as OpenArrays
from stocktwin.simulation.compile import Compiled
from stocktwin.simulation.disruption import Effects
from stocktwin.simulation.layout import whole_trees
from stocktwin.simulation.result import Outcome, Tally
from stocktwin.simulation.run import prepare

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Transfer:
    """Units that leave one item-location on day 0 and reach another at the start of `arrival_day` (≥ 1).

    `donor` and `receiver` are rows of the snapshot; `quantity` is in atomic units.
    """

    donor: int
    receiver: int
    quantity: int
    arrival_day: int


@dataclass(frozen=True)
class Action:
    """What is done on day 0; everything else goes on as the policies say, reacting to it."""

    transfers: tuple[Transfer, ...] = ()
    safety_stock: Mapping[int, int] = field(default_factory=dict)
    """Snapshot row → atomic units added to safety stock, and so to reorder point and order-up-to."""
    order_shifts: Mapping[int, int] = field(default_factory=dict)
    """Row of `snapshot.open_orders` → days by which its arrival moves (negative: earlier, at most to day 0)."""
    order_earliest: Mapping[int, int] = field(default_factory=dict)
    """Row of `snapshot.open_orders` → first day on which a line that is brought forward can arrive."""


@dataclass(frozen=True)
class Comparison:
    """The touched item-locations without and with an action, paired by replication."""

    without: Outcome
    with_action: Outcome


class Bench:
    """Draws the luck of one seed once, then tests any number of actions on it.

    Two benches of different seeds share nothing: choose actions on one, prove them on another.
    """

    def __init__(self, compiled: Compiled, *, replications: int, horizon: int, seed: int) -> None:
        self.compiled = compiled
        self.replications, self.horizon, self.seed = replications, horizon, seed
        self._run = prepare(compiled, Effects(), days=horizon, warmup=0, replications=replications, seed=seed)
        self._place_of_line = {line.line: line.place for line in compiled.open_lines}
        self._index_of_line = {line.line: at for at, line in enumerate(compiled.open_lines)}

    def compare(self, action: Action, rows: Iterable[int] = ()) -> Comparison:
        """Lives the item-locations that an action touches, and `rows`, without it and with it.

        Raises UsageError for a row or an order line that is not simulated.
        """
        touched = np.array(sorted({*self._touched(action), *(self._place(row) for row in rows)}), np.int64)
        places = whole_trees(self.compiled, touched)
        return Comparison(self._live(places, Action()), self._live(places, action))

    def _touched(self, action: Action) -> set[int]:
        ends = [row for one in action.transfers for row in (one.donor, one.receiver)]
        places = {self._place(row) for row in (*ends, *action.safety_stock)}
        for line in action.order_shifts:
            if line not in self._place_of_line:
                raise UsageError(f"open order line {line} is not on its way to a simulated item-location")
            places.add(self._place_of_line[line])
        return places

    def _place(self, row: int) -> int:
        place = self.compiled.place_of(row)
        if place < 0:
            raise UsageError(f"item-location {row} is not simulated")
        return place

    def _live(self, places: Ints, action: Action) -> Outcome:
        total = Tally.empty(self.compiled, self.replications, self.horizon)
        for unit in np.unique(self.compiled.unit[places]):
            part = places[self.compiled.unit[places] == unit]
            units, days, _ = self._run.sweep(part, *self._arrays(part, action))
            total.add(Tally.of(self.compiled, part, units, days))
        return Outcome(self.compiled, total, self.horizon)

    def _arrays(self, places: Ints, action: Action) -> tuple[Lines, OpenArrays]:
        """The kernel's arrays of some item-locations once the action has been carried out."""
        on_hand = self.compiled.on_hand.copy()
        shift = np.zeros((len(self.compiled), 2), np.int64)
        for row, delta in action.safety_stock.items():
            shift[self._place(row)] += delta
        arriving: dict[int, list[Transfer]] = {}
        for one in action.transfers:
            on_hand[self._place(one.donor)] -= one.quantity
            arriving.setdefault(self._place(one.receiver), []).append(one)
        if (on_hand[places] < 0).any():
            raise UsageError("a transfer takes more than its donor has")
        lines, opened = self._run.lines(places, on_hand=on_hand, shift=shift)
        if action.order_shifts:
            opened = self._shifted(places, lines, opened, action)
        return self._with_arrivals(places, lines, opened, arriving) if arriving else (lines, opened)

    def _shifted(self, places: Ints, lines: Lines, opened: OpenArrays, action: Action) -> OpenArrays:
        arrives = opened.arrives.copy()
        starts = np.searchsorted([line.place for line in self.compiled.open_lines], places)
        for line, days in action.order_shifts.items():
            at = int(np.searchsorted(places, self._place_of_line[line]))
            if at >= len(places) or places[at] != self._place_of_line[line]:
                continue
            k = int(lines.first_open[at]) + self._index_of_line[line] - int(starts[at])
            earliest = action.order_earliest.get(line, 0)
            moved = arrives[k] + days
            arrives[k] = np.minimum(arrives[k], np.maximum(moved, earliest)) if days < 0 else moved
        return opened._replace(arrives=np.maximum(arrives, 0))

    def _with_arrivals(
        self, places: Ints, lines: Lines, opened: OpenArrays, arriving: Mapping[int, Sequence[Transfer]]
    ) -> tuple[Lines, OpenArrays]:
        """Adds transfers as open lines of their receivers."""
        quantity, leaves, arrives, first = [], [], [], [0]
        n = opened.arrives.shape[1]
        for at, place in enumerate(places.tolist()):
            span = slice(int(lines.first_open[at]), int(lines.first_open[at + 1]))
            quantity += opened.quantity[span].tolist()
            leaves += list(opened.leaves[span])
            arrives += list(opened.arrives[span])
            for one in arriving.get(place, ()):
                quantity.append(one.quantity)
                leaves.append(np.zeros(n, np.int32))
                arrives.append(np.full(n, one.arrival_day, np.int32))
            first.append(len(quantity))
        shape = (len(quantity), n)
        made = OpenArrays(
            np.array(quantity, np.int64),
            np.array(leaves, np.int32).reshape(shape),
            np.array(arrives, np.int32).reshape(shape),
        )
        return lines._replace(first_open=np.array(first, np.int64)), made

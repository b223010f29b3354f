"""The world itself: day after day, in the order in which a day passes. It knows no system and writes no file."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from stocktwin.domain.ports import Progress, silent
from stocktwin.world.circumstances import Circumstances
from stocktwin.world.demand import demand_of
from stocktwin.world.design import Design
from stocktwin.world.draws import Draws
from stocktwin.world.mishaps import count, lose, scrap_and_use, steal, vanished
from stocktwin.world.records import Asked, Counts, Event, Events, Lines, Reality, columns, stacked
from stocktwin.world.replenishment import carry_out, receive, review, transfer
from stocktwin.world.state import State
from stocktwin.world.steering import Steering

Ints = npt.NDArray[np.int64]

RETURN_RATE: Final = 0.006
"""Share of sales of which something comes back."""
RETURN_DAYS: Final = (3, 17)
GOOD_RETURNS: Final = 0.7
NEVER: Final = 2**40
LEFT_ALONE: Final = Steering()


def run(
    design: Design, luck: Draws, days: int, progress: Progress = silent, balance_every: int = 7,
    around: Circumstances | None = None, steering: Steering = LEFT_ALONE,
) -> Reality:  # fmt: skip
    """Lets the world live for `days` days; its balances are kept every `balance_every` days and on the last."""
    state = State.start(design, luck, around or Circumstances.of(luck, design.network, days))
    state.happen(Event.OPENING, np.arange(len(design)), design.opening)
    balances: list[tuple[int, Ints]] = []
    for day in range(days):
        state.day = day
        state.design = steering.settings(state.design, day)
        live(state, steering)
        if day % balance_every == balance_every - 1 or day == days - 1:
            balances.append((day, state.on_hand.copy()))
        progress(day + 1, days, "days of the world")
    everywhere = np.arange(len(design))
    return Reality(
        days=days,
        events=stacked(Events, state.events),
        lines=stacked(Lines, state.lines),
        counts=stacked(Counts, state.counts),
        asked=stacked(Asked, state.asked),
        undiscovered=vanished(state, everywhere[state.stolen + state.lost > 0], 0, NEVER),
        balance_days=np.array([day for day, _ in balances], np.int64),
        balances=np.array([level for _, level in balances], np.int64),
    )


def live(state: State, steering: Steering = LEFT_ALONE) -> None:
    """One day."""
    receive(state)
    inspect_returns(state)
    sell(state)
    carry_out(state, steering)
    transfer(state)
    scrap_and_use(state)
    steal(state)
    lose(state)
    count(state)
    review(state)


def sell(state: State) -> None:
    """Serves what is asked for as far as stock goes; the rest is lost. Part of what is sold comes back later."""
    asked = demand_of(state.design, state.luck, state.around, state.day)
    served = np.where(state.open, np.minimum(asked, state.on_hand), 0)
    state.shortage = asked - served
    rows = np.flatnonzero(asked)
    state.asked.append(columns(Asked, len(rows), day=state.day, row=rows, asked=asked[rows], served=served[rows]))
    state.happen(Event.SALE, rows, served[rows])
    back = np.flatnonzero((served > 0) & (state.uniform("return") < RETURN_RATE))
    low, high = RETURN_DAYS
    quantum = state.design.quantum[back]
    quantity = np.ceil(served[back] / quantum * state.uniform("return size")[back]).astype(np.int64).clip(1) * quantum
    _later(
        state, Event.RETURN, back, quantity, low + ((high - low) * state.uniform("return wait")[back]).astype(np.int64)
    )


def _later(state: State, kind: Event, rows: Ints, quantity: Ints, wait: Ints, ref_day: Ints | None = None) -> None:
    since = np.full(len(rows), state.day) if ref_day is None else ref_day
    for days in np.unique(wait).tolist():
        at = np.flatnonzero(wait == days)
        state.returns[state.day + days].append((kind, rows[at], quantity[at], since[at]))


def inspect_returns(state: State) -> None:
    """Goods come back, and the day after next at the latest they are put on the shelf again or thrown away."""
    is_open = state.open
    for kind, every, amounts, sale_days in state.returns.pop(state.day, []):
        rows, quantity, sold = (column[is_open[every]] for column in (every, amounts, sale_days))
        shut = ~is_open[every]
        if shut.any():
            state.returns[state.day + 1].append((kind, every[shut], amounts[shut], sale_days[shut]))
        state.happen(kind, rows, quantity, ref_day=sold)
        if kind == Event.RETURN:
            good = state.uniform("return good")[rows] < GOOD_RETURNS
            wait = 1 + (2 * state.uniform("inspection wait")[rows]).astype(np.int64)
            for outcome, chosen in ((Event.RESTOCK, good), (Event.DISPOSAL, ~good)):
                _later(state, outcome, rows[chosen], quantity[chosen], wait[chosen], sold[chosen])

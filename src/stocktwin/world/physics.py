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
from stocktwin.world.lots import NO_LOT, lot_code
from stocktwin.world.mishaps import (
    break_in,
    count,
    damage,
    expire,
    lose,
    misplace,
    scrap_and_use,
    steal,
    turn_up,
    write_off,
)
from stocktwin.world.records import (
    Amendments,
    Asked,
    Balances,
    Counts,
    Event,
    Events,
    Lines,
    Reality,
    Revisions,
    columns,
    stacked,
    taken,
)
from stocktwin.world.replenishment import carry_out, receive, remember, review, revise, settle, transfer
from stocktwin.world.state import State
from stocktwin.world.steering import Steering

Ints = npt.NDArray[np.int64]

RETURN_RATE: Final = 0.006
"""Share of sales of which something comes back."""
RETURN_DAYS: Final = (3, 17)
GOOD_RETURNS: Final = 0.7
OLD_PART: Final = 0.4
"""Part of the opening stock that is of an older lot,"""
OLDEST: Final = 0.7
"""and the most of its shelf life that is over."""
LEFT_ALONE: Final = Steering()


def run(
    design: Design, luck: Draws, days: int, progress: Progress = silent, balance_every: int = 7,
    around: Circumstances | None = None, steering: Steering = LEFT_ALONE,
) -> Reality:  # fmt: skip
    """Lets the world live for `days` days; its balances are kept every `balance_every` days and on the last."""
    state = State.start(design, luck, around or Circumstances.of(luck, design.network, days))
    stock_up(state)
    balances: list[Balances] = []
    for day in range(days):
        state.day = day
        settle(state, steering)
        live(state, steering)
        if day % balance_every == balance_every - 1 or day == days - 1:
            balances.append(stock(state))
        progress(day + 1, days, "days of the world")
    return Reality(
        days=days,
        events=stacked(Events, state.events),
        lines=stacked(Lines, state.lines),
        counts=stacked(Counts, state.counts),
        asked=stacked(Asked, state.asked),
        vanished=state.missing.record(),
        balances=stacked(Balances, balances),
        revisions=stacked(Revisions, state.revisions),
        amendments=stacked(Amendments, state.amendments),
        outcomes=tuple(state.outcomes),
    )


def live(state: State, steering: Steering = LEFT_ALONE) -> None:
    """One day."""
    expire(state)
    receive(state)
    turn_up(state)
    inspect_returns(state)
    sell(state)
    carry_out(state, steering)
    transfer(state)
    scrap_and_use(state)
    for mishap in (steal, lose, damage, misplace):
        mishap(state)
    write_off(state)
    count(state)
    review(state)
    revise(state)
    break_in(state)


def stock_up(state: State) -> None:
    """The opening stock. Where lots are kept it is an old lot and a fresh one."""
    design = state.design
    every = np.arange(len(design))
    kept = state.lots.kept(every)
    quantum = design.quantum
    older = np.where(kept, np.floor(OLD_PART * design.opening / quantum).astype(np.int64) * quantum, 0)
    life = design.shelf_life
    age = (OLDEST * life * state.chance("opening age", every)).astype(np.int64)
    for part, (share, aged) in enumerate(((older, age), (design.opening - older, age // 3))):
        lot = np.where(kept, lot_code(-1 - aged, design.supplier), NO_LOT)
        state.happen(Event.OPENING, every, share, lot=lot, part=np.where(older > 0, part, 0))


def stock(state: State) -> Balances:
    """What is there, by lot."""
    every = np.arange(len(state.design))
    shelves = every[state.lots.kept(every)]
    there = state.lots.on(shelves)
    plain = np.concatenate([every[~state.lots.kept(every)], shelves[state.on_hand[shelves] == 0]])
    row = np.concatenate([plain, shelves[there.of]])
    lot = np.concatenate([np.full(len(plain), NO_LOT), there.lot])
    quantity = np.concatenate([state.on_hand[plain], there.quantity])
    order = np.lexsort((lot, row))
    return columns(Balances, len(row), day=state.day, row=row[order], lot=lot[order], quantity=quantity[order])


def sell(state: State) -> None:
    """Serves what is asked for as far as stock goes; the rest is lost. Part of what is sold comes back later."""
    asked = demand_of(state.design, state.luck, state.around, state.day)
    served = np.where(state.open, np.minimum(asked, state.on_hand), 0)
    state.shortage = asked - served
    remember(state, served)
    rows = np.flatnonzero(asked)
    state.asked.append(columns(Asked, len(rows), day=state.day, row=rows, asked=asked[rows], served=served[rows]))
    sales = state.happen(Event.SALE, rows, served[rows])
    first = taken(sales, sales.part == 0)
    rows, u = state.luck.rare("return", len(state.design), RETURN_RATE, state.day)
    back, u = rows[served[rows] > 0], u[served[rows] > 0]
    lot = first.lot[np.searchsorted(first.row, back)]
    quantum = state.design.quantum[back]
    quantity = np.ceil(served[back] / quantum * u).astype(np.int64).clip(1) * quantum
    low, high = RETURN_DAYS
    wait = low + ((high - low) * state.chance("return wait", back)).astype(np.int64)
    _later(state, Event.RETURN, back, quantity, wait, np.full(len(back), state.day), lot)


def _later(state: State, kind: Event, rows: Ints, quantity: Ints, wait: Ints, sold: Ints, lot: Ints) -> None:
    for days in np.unique(wait).tolist():
        at = np.flatnonzero(wait == days)
        state.returns[state.day + days].append((kind, rows[at], quantity[at], sold[at], lot[at]))


def inspect_returns(state: State) -> None:
    """Goods come back, and the day after next at the latest they are put on the shelf again or thrown away. At a closed
    DC all that waits."""
    is_open = state.open
    for kind, every, amounts, sales, lots in state.returns.pop(state.day, []):
        now, later = is_open[every], ~is_open[every]
        if later.any():
            waiting = every[later], amounts[later], sales[later], lots[later]
            state.returns[state.day + 1].append((kind, *waiting))
        rows, quantity, sold, lot = every[now], amounts[now], sales[now], lots[now]
        state.happen(kind, rows, quantity, ref_day=sold, lot=lot)
        if kind == Event.RETURN:
            good = state.chance("return good", rows) < GOOD_RETURNS
            wait = 1 + (2 * state.chance("inspection wait", rows)).astype(np.int64)
            for outcome, chosen in ((Event.RESTOCK, good), (Event.DISPOSAL, ~good)):
                _later(state, outcome, rows[chosen], quantity[chosen], wait[chosen], sold[chosen], lot[chosen])

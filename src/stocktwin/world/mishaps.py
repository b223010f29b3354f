"""What eats stock besides customers: theft and unexplained loss that nobody sees, scrap and own use that are reported;
and the counts that bring the unseen to light."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from stocktwin.world.records import Counts, Event, columns
from stocktwin.world.state import COUNT_WINDOW, State

Ints = npt.NDArray[np.int64]

THEFT_STARTS: Final = 0.04
"""Thieves an item-location meets in a year, and below what they do while they last."""
THEFT_DAYS: Final = (20, 70)
THEFT_CHANCE: Final = 0.4
THEFT_SHARE: Final = 0.25
LOSSES: Final = 0.05
"""Unexplained one-off losses of an item-location in a year."""
SCRAPPED: Final = 0.5
OWN_USE: Final = 0.35
"""Reported scrap and own use, times an item-location and year."""
COUNTS_PER_YEAR: Final = (4.5, 3.0, 1.8)
"""Planned cycle counts of an item-location, by criticality."""
PHANTOM_COUNT: Final = 0.3
"""Chance that an empty shelf which should hold stock is counted the same day."""
CORRECTION_DAYS: Final = (1, 3)
"""Days from a count to the books being put right, shortest and longest."""
WORKING_DAYS: Final = 260.0
YEAR: Final = 365.0


def steal(state: State) -> None:
    """Thieves come, take a little at a time while they last, and go."""
    comes = (state.thief_until <= state.day) & (state.uniform("thief comes") < THEFT_STARTS / YEAR)
    low, high = THEFT_DAYS
    stays = (low + (high - low) * state.uniform("thief stays")).astype(np.int64)
    state.thief_until = np.where(comes, state.day + stays, state.thief_until)
    takes = np.flatnonzero((state.thief_until > state.day) & (state.uniform("thief takes") < THEFT_CHANCE))
    quantum = state.design.quantum[takes]
    wanted = np.ceil(np.maximum(1, THEFT_SHARE * state.design.planned[takes] / quantum)).astype(np.int64) * quantum
    _vanish(state, Event.THEFT, takes, np.minimum(wanted, state.on_hand[takes]))


def lose(state: State) -> None:
    """Now and then a good part of a shelf is gone."""
    rows = np.flatnonzero(state.uniform("loss") < LOSSES / YEAR)
    share = 0.1 + 0.25 * state.uniform("loss size")[rows]
    quantum = state.design.quantum[rows]
    _vanish(state, Event.LOSS, rows, np.floor(share * state.on_hand[rows] / quantum).astype(np.int64) * quantum)


def _vanish(state: State, kind: Event, rows: Ints, quantity: Ints) -> None:
    hidden, since = (state.stolen, state.stolen_since) if kind == Event.THEFT else (state.lost, state.lost_since)
    state.happen(kind, rows, quantity)
    first = rows[(hidden[rows] == 0) & (quantity > 0)]
    since[first] = state.day
    hidden[rows] += quantity


def scrap_and_use(state: State) -> None:
    """Breakage and own use that people write down."""
    for kind, rate in ((Event.SCRAP, SCRAPPED), (Event.INTERNAL_USE, OWN_USE)):
        rows = np.flatnonzero(state.uniform(kind.name) < rate / YEAR)
        quanta = 1 + (3 * state.uniform(f"{kind.name} size")[rows]).astype(np.int64)
        state.happen(kind, rows, np.minimum(quanta * state.design.quantum[rows], state.on_hand[rows]))


def count(state: State) -> None:
    """Counts what is planned for the day, and shelves that are empty although the books say otherwise. A count is
    exact, ends a theft, and leads to a correction within days."""
    planned = (
        state.uniform("count")
        < np.take(COUNTS_PER_YEAR, state.design.items.criticality[state.design.item]) / WORKING_DAYS
    )
    phantom = (state.shortage > 0) & (state.stolen + state.lost > 0) & (state.uniform("phantom") < PHANTOM_COUNT)
    rows = np.flatnonzero(((planned & (state.weekday < 5)) | phantom) & state.open)
    low, high = CORRECTION_DAYS
    wait = low + ((high - low + 1) * state.uniform("correction")[rows]).astype(np.int64)
    state.counts.append(vanished(state, rows, state.moment("count", COUNT_WINDOW, rows), state.day + wait))
    state.stolen[rows] = 0
    state.lost[rows] = 0
    state.thief_until[rows] = state.day


def vanished(state: State, rows: Ints, second: Ints | int, corrected_day: Ints | int) -> Counts:
    """What a count of these item-locations finds now."""
    return columns(
        Counts,
        len(rows),
        day=state.day,
        second=second,
        row=rows,
        quantity=state.on_hand[rows],
        stolen=state.stolen[rows],
        stolen_since=state.stolen_since[rows],
        lost=state.lost[rows],
        lost_since=state.lost_since[rows],
        corrected_day=corrected_day,
    )

"""What eats stock besides customers: theft, loss, damage and misplacement that nobody sees, scrap and own use that are
reported, expiry; and the counts and chances that bring the unseen to light. How often: `rates`."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from stocktwin.world.lots import NO_LOT, ranks
from stocktwin.world.records import NEVER, Counts, Event, Vanished, columns, stacked, taken
from stocktwin.world.state import COUNT_WINDOW, State

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

THEFT_DAYS: Final = (20, 70)
"""Days for which a thief comes back, shortest and longest,"""
THEFT_CHANCE: Final = 0.4
"""the chance that he takes something on one of them, and how much: this part of a day's planned demand."""
THEFT_SHARE: Final = 0.25
LOSS_SHARE: Final = (0.10, 0.35)
BULK_SHARE: Final = (0.4, 1.0)
MISPLACED_SHARE: Final = (0.1, 0.5)
"""Part of a shelf that is gone at once."""
DROPPED_CASE: Final = 0.4
"""Part of the damage that is a whole case; the rest is up to `DAMAGED` quanta."""
DAMAGED: Final = 6
NOTICED: Final = 0.7
"""Part of the damage that somebody comes across within `NOTICE_DAYS` days and writes off."""
NOTICE_DAYS: Final = (1, 14)
FOUND_AGAIN: Final = 0.8
"""Part of what is misplaced that turns up again within `FIND_DAYS` days."""
FIND_DAYS: Final = (5, 90)
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


def expire(state: State) -> None:
    """Throws away what expires today."""
    rows, lot, quantity = state.lots.expire(state.day)
    state.happen(Event.EXPIRED, rows, quantity, lot=lot, part=ranks(rows))


def steal(state: State) -> None:
    """Thieves come, take a little at a time while they last, and go."""
    rows, u = state.befallen("thief comes", state.around.rates.theft)
    fresh = state.thief_until[rows] <= state.day
    state.thief_until[rows[fresh]] = state.day + _between(THEFT_DAYS, u[fresh])
    thieves = np.flatnonzero(state.thief_until > state.day)
    takes = thieves[state.chance("thief takes", thieves) < THEFT_CHANCE]
    quantum = state.design.quantum[takes]
    wanted = np.ceil(np.maximum(1, THEFT_SHARE * state.design.planned[takes] / quantum)).astype(np.int64) * quantum
    _vanish(state, Event.THEFT, takes, wanted)


def lose(state: State) -> None:
    """Now and then a good part of a shelf is gone, nobody knows how."""
    rows, u = state.befallen("loss", state.around.rates.unexplained_loss)
    _vanish(state, Event.LOSS, rows, _part(state, rows, LOSS_SHARE, u))


def break_in(state: State) -> None:
    """At night somebody carries away most of a shelf; only the dearer half of the items is worth it."""
    rows, u = state.befallen("bulk theft", 2 * state.around.rates.bulk_theft)
    cost = state.design.items.cost
    dear = cost[state.design.item[rows]] > np.median(cost)
    _vanish(state, Event.BULK_THEFT, rows[dear], _part(state, rows[dear], BULK_SHARE, u[dear]))


def damage(state: State) -> None:
    """Things break; mostly somebody comes across it within days and writes it off, else only a count shows it."""
    rows, u = state.befallen("damage", state.around.rates.damage)
    quantum = state.design.quantum[rows]
    few = (1 + (DAMAGED * state.chance("damage size", rows)).astype(np.int64)) * quantum
    whole = state.design.items.case_atoms[state.design.item[rows]]
    day = state.day + _between(NOTICE_DAYS, state.chance("damage notice", rows))
    notice = np.where(state.chance("damage noticed", rows) < NOTICED, day, NEVER)
    _vanish(state, Event.DAMAGE, rows, np.where(u < DROPPED_CASE, whole, few), notice)


def misplace(state: State) -> None:
    """Goods are put where nobody looks for them; most turn up again weeks later."""
    rows, u = state.befallen("misplacement", state.around.rates.misplacement)
    day = state.day + _between(FIND_DAYS, state.chance("find day", rows))
    notice = np.where(state.chance("found again", rows) < FOUND_AGAIN, day, NEVER)
    _vanish(state, Event.MISPLACED, rows, _part(state, rows, MISPLACED_SHARE, u), notice)


def _between(bounds: tuple[int, int], u: Floats) -> Ints:
    low, high = bounds
    return np.asarray(low + (high - low) * u).astype(np.int64)


def _part(state: State, rows: Ints, bounds: tuple[float, float], u: Floats) -> Ints:
    low, high = bounds
    quantum = state.design.quantum[rows]
    return np.floor((low + (high - low) * u) * state.on_hand[rows] / quantum).astype(np.int64) * quantum


def _vanish(state: State, kind: Event, rows: Ints, quantity: Ints, notice: Ints | None = None) -> None:
    gone = state.happen(kind, rows, np.minimum(quantity, state.on_hand[rows]))
    if notice is None:
        state.missing.add(gone)
    else:
        of_row = dict(zip(rows.tolist(), notice.tolist(), strict=True))
        state.missing.add(gone, np.array([of_row[row] for row in gone.row.tolist()], np.int64))


def scrap_and_use(state: State) -> None:
    """Breakage and own use that people write down at once."""
    is_open = state.open
    for kind, rate in ((Event.SCRAP, SCRAPPED), (Event.INTERNAL_USE, OWN_USE)):
        rows, u = state.befallen(kind.name, rate)
        rows, u = rows[is_open[rows]], u[is_open[rows]]
        quanta = 1 + (3 * u).astype(np.int64)
        state.happen(kind, rows, np.minimum(quanta * state.design.quantum[rows], state.on_hand[rows]))


def turn_up(state: State) -> None:
    """Misplaced goods come to light: if no count has missed them, nothing is written; else the books take them back."""
    missing, is_open = state.missing, state.open
    found = missing.noticed(state.day, Event.MISPLACED) & is_open[missing.open.row]
    back = missing.close(found, end=state.day, how=-1, ref_day=-1)
    state.happen(Event.FOUND, back.row, back.quantity, lot=back.lot, part=_parts(back.row))
    due = stacked(Vanished, state.surfacing.pop(state.day, []))
    if not is_open[due.row].all():
        state.surfacing[state.day + 1].append(taken(due, ~is_open[due.row]))
        due = taken(due, is_open[due.row])
    state.happen(Event.SURFACED, due.row, due.quantity, lot=due.lot, part=_parts(due.row))


def _parts(rows: Ints) -> Ints:
    """0, 1, 2 … among the equal ones."""
    order = np.argsort(rows, kind="stable")
    part = np.empty(len(rows), np.int64)
    part[order] = ranks(rows[order])
    return part


def write_off(state: State) -> None:
    """Damage that somebody has come across leaves the books."""
    missing = state.missing
    seen = missing.noticed(state.day, Event.DAMAGE) & state.open[missing.open.row]
    missing.close(seen, end=state.day, how=int(Event.WRITE_OFF), ref_day=state.day)


def count(state: State) -> None:
    """Counts what is planned for the day, and shelves that are empty although the books say otherwise. A count is
    exact, ends a theft, and leads to a correction within days."""
    rows = _counted(state)
    wait = np.zeros(len(state.design), np.int64)
    low, high = CORRECTION_DAYS
    wait[rows] = low + ((high - low + 1) * state.chance("correction", rows)).astype(np.int64)
    missing = state.missing
    state.counts.append(_found(state, rows, state.day + wait))
    which = missing.at(rows)
    hidden = which & (missing.open.kind == Event.MISPLACED) & (missing.notice < NEVER)
    for day in np.unique(missing.notice[hidden]).tolist():
        state.surfacing[day].append(taken(missing.open, hidden & (missing.notice == day)))
    end = state.day + wait[missing.open.row[which]]
    missing.close(which, end=end, how=int(Event.COUNT_CORRECTION), ref_day=state.day)
    state.thief_until[rows] = state.day


def _counted(state: State) -> Ints:
    """Item-locations that are counted today."""
    most = max(COUNTS_PER_YEAR) / WORKING_DAYS
    rows, u = state.luck.rare("count", len(state.design), most, state.day)
    often = np.take(COUNTS_PER_YEAR, state.design.items.criticality[state.design.item[rows]]) / WORKING_DAYS
    rows = rows[u < often / most] if state.weekday < 5 else rows[:0]
    empty = np.flatnonzero((state.shortage > 0) & (state.missing.hidden > 0))
    rows = np.union1d(rows, empty[state.chance("phantom", empty) < PHANTOM_COUNT])
    return rows[state.open[rows]]


def _found(state: State, rows: Ints, corrected_day: Ints) -> Counts:
    """What a count of these item-locations finds, lot by lot; of lots that should be there and are not it finds 0."""
    kept = state.lots.kept(rows)
    plain, shelves = rows[~kept], rows[kept]
    there = state.lots.on(shelves)
    gone = taken(state.missing.open, state.missing.at(shelves))
    row = np.concatenate([plain, shelves[there.of], gone.row, shelves])
    lot = np.concatenate([np.full(len(plain), NO_LOT), there.lot, gone.lot, np.full(len(shelves), NO_LOT)])
    amount = np.concatenate([state.on_hand[plain], there.quantity, 0 * gone.quantity, 0 * shelves])
    keys, first = np.unique(np.stack([row, lot]), axis=1, return_inverse=True)
    quantity = np.bincount(first.reshape(-1), amount, keys.shape[1]).astype(np.int64)
    row, lot = keys
    alone = np.bincount(row, minlength=len(state.design))[row] == 1
    keep = (lot != NO_LOT) | alone
    row, lot, quantity = row[keep], lot[keep], quantity[keep]
    second = state.moment("count", COUNT_WINDOW, row)
    return columns(
        Counts, len(row), day=state.day, second=second, row=row, lot=lot, part=ranks(row), quantity=quantity,
        corrected_day=corrected_day[row],
    )  # fmt: skip

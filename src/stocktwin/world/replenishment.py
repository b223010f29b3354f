"""What the firm's people do about stock: review policies, order, move goods between DCs, revise their settings every
four weeks. They see what they believe, forget a review now and then, go on holiday, order twice when they have been
caught short, and look at what was sold, not at what was asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stocktwin.domain.quantity import from_atomic
from stocktwin.world.amendments import amend
from stocktwin.world.clock import date_of
from stocktwin.world.lots import NO_LOT, lot_code
from stocktwin.world.outcomes import DONE, PARTLY, REFUSED, Outcome
from stocktwin.world.records import NEVER, PURCHASE, TRANSFER, Event, Lines, Revisions, columns, taken
from stocktwin.world.state import State
from stocktwin.world.steering import SETTINGS, Asked, Steering

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

FORGOTTEN: Final = 0.05
"""Share of due reviews that nobody makes."""
SHORT_DELIVERY: Final = 0.02
"""Share of purchase lines that arrive one multiple short; the rest of the line is cancelled."""
LOT_DAYS: Final = 28
"""Days between two lots of an item."""
FRESHEST: Final = 3
"""Days that a lot rests before it is shipped."""
TRANSFER_DAY: Final = 2
DECIDED: Final = 10_000
"""Line numbers of what was decided from outside lie above this one, so that nobody else's change."""
HOLIDAY: Final = 0.4
"""Share of due reviews not made while the planner of a DC is on holiday, two weeks twice a year."""
HOLIDAY_DAYS: Final = 14
PANIC: Final = 0.12
"""Share of orders that are doubled because the shelf is empty already."""
REVISION_DAYS: Final = (32, 28)
"""Day of the first look at the settings, and days between two."""
DILIGENCE: Final = 0.35
"""Share of the settings that somebody looks at each time; of class A all."""
MEMORY: Final = 60
"""Days for which planners remember (time constant)."""
TRUST, TRUST_SLOW = 0.9, 0.4
"""Weight of what was sold, the rest is what was planned; where demand comes in occasions."""
TOLERANCE: Final = 1.2
"""Factor from which settings are changed."""
OFTEN_SHORT: Final = 0.08
BURNT: Final = 1.3
"""Share of days on which customers went away empty-handed, from which people ask for this much more."""
TRANSFER_WILL: Final = 0.15
"""Share of the obvious transfers that are made."""
TRANSFER_COVER: Final = 60.0
"""Days of planned demand that a donor keeps."""


def review(state: State) -> None:
    """Orders what is due: at or below s up to S (or up to the base stock), in whole multiples."""
    design = state.design
    due = ((design.review_days == 1) | (state.weekday == 0)) & state.open
    due &= (design.ordered_from <= state.day) & (state.day < design.ordered_until)
    believed = state.believed
    position = believed + state.on_order
    trigger = np.where(design.base_stock, design.order_up_to - 1, design.reorder_point)
    rows = np.flatnonzero(due & (position <= trigger))
    skipped = np.where(_on_holiday(state)[design.dc[rows]], HOLIDAY, FORGOTTEN)
    rows = rows[state.chance("forgotten", rows) >= skipped]
    if not len(rows):
        return
    gap = design.order_up_to[rows] - position[rows]
    panic = (believed[rows] == 0) & (state.shortage[rows] > 0) & (state.chance("panic", rows) < PANIC)
    gap = np.where(panic, 2 * gap, gap)
    quantity = -(-gap // design.multiple[rows]) * design.multiple[rows]
    urgent = believed[rows] < 2 * design.planned[rows]
    given_up = [state.around.script.failed_over(s.location_id, state.day) for s in design.network.suppliers]
    elsewhere = (urgent | np.array(given_up)[design.supplier[rows]]) & (design.alternative[rows] >= 0)
    source = np.where(elsewhere, design.alternative[rows], design.supplier[rows])
    _purchase(state, rows, source, quantity)


def _purchase(state: State, rows: Ints, source: Ints, quantity: Ints, numbered_from: int = 0) -> None:
    design = state.design
    times = design.network.supply_times
    order = np.lexsort((rows, source, design.dc[rows]))
    rows, source, quantity = rows[order], source[order], quantity[order]
    lane = source, design.dc[rows]
    journeys = state.lead_times.from_suppliers(state.day)
    short = (state.chance("short delivery", rows) < SHORT_DELIVERY) & (quantity > design.multiple[rows])
    state.order(
        columns(
            Lines,
            len(rows),
            kind=PURCHASE,
            row=rows,
            source=source,
            day=state.day,
            quantity=quantity,
            received=quantity - short * design.multiple[rows],
            shipped_day=journeys.leaves[lane],
            promised_day=state.day + np.rint(times.mean + 0.5 * times.sd).astype(np.int64)[lane],
            arrival_day=journeys.arrives[lane],
            number=numbered_from + _numbers(source * len(design.network.dcs) + design.dc[rows]),
        )
    )


def _on_holiday(state: State) -> Flags:
    """DCs whose planner is away: two weeks in each half of the year."""
    half, day = divmod(state.day, 182)
    first = state.luck.shared.stream("holiday", half).random(len(state.design.network.dcs)) * (182 - HOLIDAY_DAYS)
    return (first <= day) & (day < first + HOLIDAY_DAYS)


def remember(state: State, served: Ints) -> None:
    """What people keep in mind of a day: what was sold, and whether something was not there."""
    state.pace += (served - state.pace) / MEMORY
    state.short += ((state.shortage > 0) - state.short) / MEMORY


def revise(state: State) -> None:
    """Every four weeks people bring some settings closer to what they have sold, and raise them where they were often
    caught short; how much customers wanted beyond that they do not see. Decisions from outside are left alone."""
    first, period = REVISION_DAYS
    if state.day < first or (state.day - first) % period:
        return
    design = state.design
    seen = _sales_seen(state) / design.planned
    ratio = seen * np.where(state.short >= OFTEN_SHORT, BURNT, 1.0)
    rows = np.flatnonzero((np.maximum(ratio, 1 / ratio) > TOLERANCE) & ~state.steered)
    rows = rows[design.cared[rows] | (state.chance("diligence", rows) < DILIGENCE)]
    factor, quantum, multiple = ratio[rows].clip(0.5, 2.0), design.quantum[rows], design.multiple[rows]
    low = np.ceil(design.reorder_point[rows] * factor / quantum).astype(np.int64) * quantum
    lot = (design.order_up_to - design.reorder_point)[rows] * np.sqrt(factor)
    high = low + np.ceil(lot / multiple).astype(np.int64) * multiple
    new = (low != design.reorder_point[rows]) | (high != design.order_up_to[rows])
    told = columns(Revisions, len(rows), day=state.day, row=rows, reorder_point=low, order_up_to=high,
                   review_days=design.review_days[rows], base_stock=design.base_stock[rows])  # fmt: skip
    state.revisions.append(taken(told, new))
    state.short[rows] = 0.0
    state.design = replace(
        design,
        reorder_point=_changed(design.reorder_point, rows, low),
        order_up_to=_changed(design.order_up_to, rows, high),
        planned=_changed(design.planned, rows, design.planned[rows] * seen[rows].clip(0.5, 2.0)),
    )


def _sales_seen(state: State) -> Floats:
    """Daily sales as planners see them: mixed with what was planned. What has only just come to market is as planned,
    what is older is judged by what little there is to remember."""
    design = state.design
    trust = np.full(len(design), TRUST)
    trust[design.slow_rows] = TRUST_SLOW
    age = np.where(design.is_new, state.day + 1 - design.items.turn[design.item], NEVER)
    known = -np.expm1(-age.clip(1, 10 * MEMORY) / MEMORY)
    trust = np.where(age < MEMORY, 0.0, trust)
    return np.asarray((1 - trust) * design.planned + trust * state.pace / known)


def _changed(column: npt.NDArray[Any], rows: Ints, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    column = column.copy()
    column[rows] = values
    return column


def settle(state: State, steering: Steering) -> None:
    """Puts the settings that were decided from outside in force, from the morning of the day on."""
    decided = steering.policies.get(state.day, ())
    if not decided:
        return
    state.design, refused = steering.settings(state.design, state.day)
    state.outcomes += [Outcome.of(one, REFUSED if one in refused else DONE, refused.get(one, "")) for _, one in decided]
    rows = np.unique([row for row, one in decided if one not in refused]).astype(np.int64)
    state.steered[rows] = True
    design = state.design
    state.revisions.append(
        columns(
            Revisions, len(rows), day=state.day, row=rows, **{name: getattr(design, name)[rows] for name in SETTINGS}
        )
    )


def carry_out(state: State, steering: Steering) -> None:
    """Does what was decided from outside: moves what the donor has, changes order lines, orders what is asked for."""
    left = state.on_hand.copy()
    moves = []
    for asked in steering.transfers.get(state.day, ()):
        outcome, given = _given(state, asked, int(left[asked.source]))
        left[asked.source] -= given
        state.outcomes.append(outcome)
        if given:
            moves.append((asked.source, asked.row, given))
    donor, receiver, quantity = np.array(moves, np.int64).reshape(-1, 3).T
    _move(state, donor, receiver, quantity, DECIDED)
    state.outcomes += [amend(state, asked) for asked in steering.changes.get(state.day, ())]
    asked_for = [(asked, _no_purchase(state, asked)) for asked in steering.purchases.get(state.day, ())]
    state.outcomes += [Outcome.of(one.decision, REFUSED if why else DONE, why) for one, why in asked_for]
    bought = [(one.row, one.source, one.decision.quantity) for one, why in asked_for if not why]
    if bought:
        row, source, quantity = np.array(bought, np.int64).T
        _purchase(state, row, source, quantity, DECIDED)


def _given(state: State, asked: Asked, there: int) -> tuple[Outcome, int]:
    """What becomes of a transfer where so much is left, and how much is moved."""
    one = asked.decision
    closed = _closed(state, asked.row, asked.source)
    if closed or not there:
        return Outcome.of(one, REFUSED, closed or f"{one.source_id} has none"), 0
    if there < one.quantity:
        part = from_atomic(there, int(state.design.items.scale[state.design.item[asked.row]]))
        return Outcome.of(one, PARTLY, f"{one.source_id} has only {part}"), there
    return Outcome.of(one), one.quantity


def _no_purchase(state: State, asked: Asked) -> str:
    """Why something cannot be ordered; empty where it can."""
    row, design = asked.row, state.design
    if asked.source not in (design.supplier[row], design.alternative[row]):
        return f"{asked.decision.source_id} does not deliver {asked.decision.item_id} to {asked.decision.location_id}"
    return _closed(state, row)


def _closed(state: State, *rows: int) -> str:
    """Says so where a DC of these item-locations does not work today."""
    shut = [state.design.dc_ids[state.design.dc[row]] for row in rows if not state.open[row]]
    return f"{shut[0]} is closed on {date_of(state.day)}" if shut else ""


def _numbers(group: Ints) -> Ints:
    """1, 2, 3 … within each group of equal neighbours."""
    first = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
    return np.asarray(np.arange(len(group)) - np.repeat(first, np.diff(np.r_[first, len(group)])) + 1)


def receive(state: State) -> None:
    """Everything that arrives today enters stock."""
    for log_rows, lines in state.arrivals.pop(state.day, []):
        np.subtract.at(state.on_order, lines.row, lines.quantity)
        at = np.flatnonzero(lines.kind == PURCHASE)
        rows, made = lines.row[at], _made(state.design.item[lines.row[at]], lines.shipped_day[at])
        lot = np.where(state.lots.kept(rows), lot_code(made, lines.source[at]), NO_LOT)
        state.happen(Event.RECEIPT, rows, lines.received[at], line=log_rows[at], lot=lot)
    for cargo in state.cargo.pop(state.day, []):
        state.happen(
            Event.TRANSFER_IN, cargo.row, cargo.quantity, line=cargo.line, lot=cargo.lot, part=cargo.part
        )  # fmt: skip


def _made(item: Ints, shipped_day: Ints) -> Ints:
    """Day on which goods were made: each item every four weeks; what is shipped is the last lot but a few days."""
    offset = item % LOT_DAYS
    return np.asarray((shipped_day - FRESHEST - offset) // LOT_DAYS * LOT_DAYS + offset)


def transfer(state: State) -> None:
    """Once a week people move goods from the DC with the longest cover to the shortest; mostly they don't."""
    if state.weekday != TRANSFER_DAY:
        return
    design = state.design
    dcs = len(design.network.dcs)
    cover = (state.believed / design.planned).reshape(-1, dcs)
    item = np.arange(len(cover))
    donor, receiver = item * dcs + cover.argmax(axis=1), item * dcs + cover.argmin(axis=1)
    spare = state.believed[donor] - TRANSFER_COVER * design.planned[donor]
    wanted = np.minimum(0.5 * spare, 14 * design.planned[receiver])
    quantity = (
        np.minimum(wanted, state.on_hand[donor]).astype(np.int64) // design.multiple[donor] * design.multiple[donor]
    )
    will = state.chance("transfer", donor) < TRANSFER_WILL
    empty = state.believed[receiver] < 2 * design.planned[receiver]
    is_open = state.open
    at = np.flatnonzero(will & empty & (quantity > 0) & (donor != receiver) & is_open[donor] & is_open[receiver])
    _move(state, donor[at], receiver[at], quantity[at])


def _move(state: State, donor: Ints, receiver: Ints, quantity: Ints, numbered_from: int = 0) -> None:
    if not len(donor):
        return
    design = state.design
    order = np.lexsort((donor, design.dc[receiver], design.dc[donor]))
    donor, receiver, quantity = donor[order], receiver[order], quantity[order]
    times = design.network.transfer_times
    lane = design.dc[donor], design.dc[receiver]
    arrival_day = state.lead_times.between_dcs(state.day).arrives[lane]
    first = state.order(
        columns(
            Lines,
            len(donor),
            kind=TRANSFER,
            row=receiver,
            source=design.dc[donor],
            day=state.day,
            quantity=quantity,
            received=quantity,
            shipped_day=state.day,
            promised_day=state.day + np.rint(times.mean + 1).astype(np.int64)[lane],
            arrival_day=arrival_day,
            number=numbered_from + _numbers(design.dc[donor] * len(design.network.dcs) + design.dc[receiver]),
        )
    )
    left = state.happen(Event.TRANSFER_OUT, donor, quantity, line=first + np.arange(len(donor)))
    arrives = arrival_day[left.line - first]
    under_way = replace(left, row=receiver[left.line - first])
    for day in np.unique(arrives).tolist():
        state.cargo[day].append(taken(under_way, arrives == day))

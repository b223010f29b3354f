"""Order lines that were placed already and are changed from outside: brought forward, postponed, cancelled.

A supplier that has not shipped a line yet may agree to another day, or to cancel. He ships as many days earlier as he
is asked for, but not before half of his dispatch time is over, not on the day he is asked, and not while he is closed;
the journey keeps its luck, and his new promise is what he then expects. He says no with the chances below, drawn by
cause: on another day the answer may be another, and no other line's luck changes.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stocktwin.world.clock import date_of
from stocktwin.world.decisions import WHOLE, Decision
from stocktwin.world.outcomes import DONE, PARTLY, REFUSED, Outcome
from stocktwin.world.records import PURCHASE, TRANSFER, Amendments, Lines, columns, taken
from stocktwin.world.state import State
from stocktwin.world.steering import Asked

Ints = npt.NDArray[np.int64]

REFUSAL: Final = {"sooner": 0.25, "later": 0.05, "cancel": 0.15}
"""Share of the requests that a supplier declines (judgement; no published figure was found)."""
RUSH: Final = 0.5
"""Part of his dispatch time that a supplier needs at least."""
FARTHEST: Final = 120
"""Days by which a line can be put off at most."""
CHANGED: Final = ("shipped_day", "arrival_day", "received")
"""What of a line in the log becomes another; its first promise stays, later ones stand in the amendments."""


def amend(state: State, asked: Asked) -> Outcome:
    """Changes a line, as far as it can be changed."""
    one = asked.decision
    place = _find(state, asked)
    if place is None:
        return Outcome.of(one, REFUSED, f"order {one.order_id} has no line {one.line} of {one.item_id}")
    line = taken(state.lines[place.chunk], np.array([place.at]))
    due = _due(state, line)
    reason = _impossible(state, one, line, due, place.log_row) or _declined(state, asked, due)
    if reason:
        return Outcome.of(one, REFUSED, reason)
    left = int(line.quantity[0]) - state.cancelled.get(place.log_row, 0)
    less = left if one.cancelled == WHOLE else one.cancelled
    moved, note = (line, "") if less == left or one.asked_day is None else _moved(state, one.asked_day - due, line)
    if not less and moved is line:
        return Outcome.of(one, REFUSED, note)
    moved = replace(moved, received=np.minimum(moved.received, left - less))
    _rewrite(state, place, line, moved, left, less)
    before = (int(past.asked_day[0]) for past in reversed(state.amendments) if past.line[0] == place.log_row)
    asked_day = next(before, -1) if one.asked_day is None else one.asked_day
    state.amendments.append(
        columns(Amendments, 1, line=place.log_row, day=state.day, promised_day=_due(state, moved),
                cancelled=state.cancelled[place.log_row], asked_day=asked_day)
    )  # fmt: skip
    return Outcome.of(one, PARTLY if note else DONE, note)


class Place(NamedTuple):
    """Where a line stands: chunk of the log, place in it, row of the whole log."""

    chunk: int
    at: int
    log_row: int


def _find(state: State, asked: Asked) -> Place | None:
    one, first = asked.decision, 0
    kind = TRANSFER if one.order_id.startswith("TO-") else PURCHASE
    for chunk, lines in enumerate(state.lines):
        if len(lines.row) and int(lines.day[0]) == one.ordered_day:
            named = (lines.row == asked.row) & (lines.source == asked.source) & (lines.number == one.line)
            for at in np.flatnonzero(named & (lines.kind == kind)).tolist():
                return Place(chunk, at, first + at)
        first += len(lines.row)
    return None


def _impossible(state: State, one: Decision, line: Lines, due: int, log_row: int) -> str:
    """Why nobody could do it; empty where somebody could."""
    quantity, shipped = int(line.quantity[0]), int(line.shipped_day[0])
    left = quantity - state.cancelled.get(log_row, 0)
    asked = due if one.asked_day is None else one.asked_day
    reasons = {
        "the line was cancelled before": not left,
        f"the line was shipped on {date_of(shipped)}": shipped <= state.day,
        "the quantity of a line stays as it is; part of it can be cancelled": one.quantity not in (0, quantity),
        "more is to be cancelled than is on order": one.cancelled > left,
        f"the day asked for is past: it is {date_of(state.day)}": one.asked_day is not None and asked <= state.day,
        f"no supplier keeps goods for more than {FARTHEST} days": asked - due > FARTHEST,
        "it is due on that day already": asked == due and not one.cancelled,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _declined(state: State, asked: Asked, due: int) -> str:
    """What a supplier says who does not want to; empty where he agrees."""
    one = asked.decision
    wishes = ["cancel"] if one.cancelled else []
    if one.asked_day is not None:
        wishes.append("sooner" if one.asked_day < due else "later")
    for wish in wishes:
        if state.chance(f"declines {wish}", np.array([asked.row]))[0] < REFUSAL[wish]:
            return f"{one.source_id} declined"
    return ""


def _due(state: State, line: Lines) -> int:
    """When the supplier thinks it arrives: as first promised, later or earlier by as much as he ships it."""
    dispatch = state.design.network.supply_times.dispatch[line.source[0], state.design.dc[line.row[0]]]
    return int(line.promised_day[0] + line.shipped_day[0] - line.day[0] - dispatch)


def _moved(state: State, wanted: int, line: Lines) -> tuple[Lines, str]:
    """The line as the supplier ships it now, so many days later (earlier where negative), and what he says where that
    is not as asked for; the same line where he can do nothing."""
    source, dc = int(line.source[0]), int(state.design.dc[line.row[0]])
    ordered, leaves = int(line.day[0]), int(line.shipped_day[0])
    dispatch = int(state.design.network.supply_times.dispatch[source, dc])
    earliest = min(leaves, max(state.day + 1, ordered + math.ceil(RUSH * dispatch)))
    then, arrives = state.lead_times.rescheduled(ordered, source, dc, max(earliest, leaves + wanted))
    note = "" if then - leaves == wanted else f"the supplier cannot ship before {date_of(then)}"
    if then == leaves:
        return line, note
    return replace(line, shipped_day=np.array([then]), arrival_day=np.array([arrives])), note


def _rewrite(state: State, place: Place, before: Lines, after: Lines, left: int, less: int) -> None:
    """Puts the changed line into the log, and what is left of it among the arrivals of its new day."""
    log_row, row = place.log_row, int(before.row[0])
    _withdraw(state, log_row, int(before.arrival_day[0]))
    chunk = state.lines[place.chunk]
    state.lines[place.chunk] = replace(
        chunk, **{name: _with(getattr(chunk, name), place.at, int(getattr(after, name)[0])) for name in CHANGED}
    )
    if less < left:
        rest = replace(after, quantity=np.array([left - less]))
        state.arrivals[int(after.arrival_day[0])].append((np.array([log_row]), rest))
    state.on_order[row] -= less
    state.cancelled[log_row] = int(before.quantity[0]) - left + less


def _withdraw(state: State, log_row: int, day: int) -> None:
    """Takes a line out of the arrivals of a day."""
    state.arrivals[day] = [
        (rows[rows != log_row], taken(lines, rows != log_row)) for rows, lines in state.arrivals[day]
    ]


def _with(column: Ints, at: int, value: int) -> Ints:
    column = column.copy()
    column[at] = value
    return column

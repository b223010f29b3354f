"""Order lines worth bringing forward: open, not yet shipped, and due only after stock is likely to have run out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from stocktwin.domain.calendar import MICROSECONDS_PER_DAY
from stocktwin.prescription.closedform import Floats
from stocktwin.prescription.outlook import MEDIAN, Bools, Ints, runs_out, shortage
from stocktwin.prescription.rebalance import RECEIVERS, Need, find_needs
from stocktwin.prescription.recommendation import ADVANCE_ORDER, Subject
from stocktwin.prescription.situation import Board, Candidate

if TYPE_CHECKING:
    from stocktwin.analytics.demand import DemandForecast
    from stocktwin.tables.snapshot import Snapshot

UNSHIPPED: Final = ("open", "confirmed")
"""States in which a line can still be brought forward."""
SMALLEST_SHIFT: Final = 2
"""Days; less is noise."""


def movable(snapshot: Snapshot, board: Board, today_quick: Ints) -> Bools:
    """Lines of the inflow that can be brought forward: open, unshipped, and expected (median) at least two days after
    the earliest feasible day `today_quick`."""
    status = np.array(snapshot.open_orders.column("status").to_pylist(), object)[board.inflow.line]
    state = np.isin(status.astype(str), UNSHIPPED) | (status == None)  # noqa: E711
    late = board.inflow.day[:, MEDIAN] - today_quick >= SMALLEST_SHIFT
    return np.asarray(~board.inflow.shipped & state & late)


def propose_advances(snapshot: Snapshot, forecast: DemandForecast, board: Board, earliest: Ints) -> list[Candidate]:
    """Order lines that are expected only after stock is likely to have run out without them (mean demand plus one
    standard deviation), and whose earlier arrival is worth something by closed form.

    `earliest` is, per line of the inflow, the first day (from today) on which its goods could be there: the 10 %
    quantile of the lane's lead time, counted from today.
    """
    inflow, situation = board.inflow, board.situation
    lines = np.flatnonzero(movable(snapshot, board, earliest) & situation.eligible[inflow.row])
    if not len(lines):
        return []
    need = find_needs(snapshot, forecast, board, np.unique(inflow.row[lines]), RECEIVERS)
    place = np.full(len(snapshot), -1, np.int64)
    place[need.rows] = np.arange(len(need.rows))
    lines = lines[place[inflow.row[lines]] >= 0]
    lines = lines[_too_late(board, need, place[inflow.row[lines]], lines)]
    saved = _avoided(board, need, place[inflow.row[lines]], lines, earliest[lines])
    price = situation.shortage_cost[inflow.row[lines]]
    value = np.where(np.isnan(price), saved, saved * price)
    priced = ~np.isnan(price)
    return [
        _candidate(snapshot, board, int(lines[at]), int(earliest[lines[at]]), float(value[at]), bool(priced[at]))
        for at in np.flatnonzero(value > 0)
    ]


def _too_late(board: Board, need: Need, place: Ints, lines: Ints) -> Bools:
    """Whether stock is likely to have run out, without the line, by the day it is expected."""
    inflow = board.inflow
    expected = inflow.day[lines, MEDIAN]
    later = np.arange(need.mean.shape[1]) >= expected[:, None]
    without = need.supply[MEDIAN, place] - later * inflow.quantity[lines, None]
    return runs_out(without, need.mean[place], need.sd[place], expected, sigmas=1.0) > 0


def _avoided(board: Board, need: Need, place: Ints, lines: Ints, earliest: Ints) -> Floats:
    """Units (or unit-days) no longer short when each line comes on its earliest day."""
    inflow = board.inflow
    shift = inflow.day[lines, MEDIAN] - earliest
    day = np.arange(need.mean.shape[1])
    supply = need.supply[:, place]
    for case in range(len(supply)):
        then = inflow.day[lines, case]
        now = np.minimum(np.maximum(then - shift, earliest), then)
        moved = (day >= now[:, None]).astype(np.float64) - (day >= then[:, None])
        supply[case] += inflow.quantity[lines, None] * moved
    lost = board.situation.lost[need.rows[place]]
    after = shortage(supply, need.mean[place], need.sd[place], need.last[place], lost)
    return np.asarray(need.short[place] - after)


def _candidate(snapshot: Snapshot, board: Board, entry: int, earliest: int, value: float, priced: bool) -> Candidate:
    inflow = board.inflow
    line, row = int(inflow.line[entry]), int(inflow.row[entry])
    order = snapshot.open_orders.slice(line, 1).to_pylist()[0]
    subject = Subject(
        ADVANCE_ORDER,
        snapshot.item_codes.ids[int(snapshot.item[row])],
        order["to_id"],
        from_id=order["from_id"],
        to_id=order["to_id"],
        order_id=order["order_id"],
        line=order["line"],
    )
    expected = int(inflow.day[entry, MEDIAN])
    age = (snapshot.as_of - order["ordered_at"]) / MICROSECONDS_PER_DAY if order["ordered_at"] is not None else None
    return Candidate(
        subject,
        row,
        int(inflow.quantity[entry]),
        value,
        priced,
        arrival_day=earliest,
        shift_days=expected - earliest,
        line=line,
        notes={"expected_day": expected, "age_days": None if age is None else round(age, 1)},
    )

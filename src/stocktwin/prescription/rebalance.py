"""Transfers: from stock that its location does not need to one that runs out before an order can help.

A donor gives only what lies beyond its floor (`Situation.donor_floor`), along a lane that exists, in whole packs, and
never sends back what was sent to it in the last 30 days. Which of several transfers are shown together is decided later
(`shown.py`): one unit is promised once, and what travels along one lane shares the cost of a shipment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stocktwin.prescription.closedform import Floats, normal_quantile
from stocktwin.prescription.outlook import MEDIAN, Bools, Ints, cumulative_demand, cumulative_supply, shortage
from stocktwin.prescription.recommendation import TRANSFER, Subject
from stocktwin.prescription.situation import Board, Candidate, Situation

if TYPE_CHECKING:
    from stocktwin.analytics.demand import DemandForecast
    from stocktwin.tables.snapshot import Snapshot

WINDOW_DAYS: Final = 60
"""How far ahead a shortage is looked for."""
COVERAGE: Final = (0.5, 0.8, 0.95)
"""Quantities tried: what covers demand until the next replenishment with these probabilities."""
DISPATCH_DAY: Final = 1
"""A transfer leaves on the first day ahead: the recommendation is read after today's close."""
RECEIVERS: Final = 400
"""Item-locations examined closely, those with most at stake."""
BLOCK: Final = 20_000


@dataclass(frozen=True)
class Need:
    """Item-locations that may run out before an order can help, and the look ahead of each (days 0 … WINDOW_DAYS)."""

    rows: Ints
    last: Ints
    """Last day that a transfer can help: the next order's goods come then."""
    supply: Floats
    """[3, rows, days]: open lines early, as expected, late."""
    mean: Floats
    sd: Floats
    short: Floats
    """Units lost, or unit-days waiting."""


def find_needs(snapshot: Snapshot, forecast: DemandForecast, board: Board, rows: Ints, limit: int = RECEIVERS) -> Need:
    """Of `rows`, those `limit` with the most money (without costs: units) expected short within the window."""
    situation = board.situation
    found = [look_ahead(snapshot, forecast, board, rows[start : start + BLOCK]) for start in range(0, len(rows), BLOCK)]
    if not found:
        return look_ahead(snapshot, forecast, board, rows)
    need = Need(*(_joined([getattr(part, name) for part in found]) for name in Need.__dataclass_fields__))
    stake = need.short * np.nan_to_num(situation.shortage_cost[need.rows], nan=1e-9)
    best = np.argsort(-stake, kind="stable")[:limit]
    best = np.sort(best[need.short[best] > 0])
    return Need(*(_chosen(getattr(need, name), best) for name in Need.__dataclass_fields__))


def _joined(parts: list[Any]) -> Any:
    return np.concatenate(parts, axis=-2 if parts[0].ndim > 1 else 0)


def _chosen(part: Any, rows: Ints) -> Any:
    return part[rows] if part.ndim < 3 else part[:, rows]


def look_ahead(snapshot: Snapshot, forecast: DemandForecast, board: Board, rows: Ints) -> Need:
    """Demand and supply of some item-locations over the window, and what goes short."""
    situation = board.situation
    mean, sd = cumulative_demand(forecast, rows, WINDOW_DAYS)
    supply = cumulative_supply(snapshot, board.inflow, rows, WINDOW_DAYS)
    last = np.minimum(situation.next_order_day[rows] - 1, WINDOW_DAYS)
    return Need(rows, last, supply, mean, sd, shortage(supply, mean, sd, last, situation.lost[rows]))


@dataclass(frozen=True)
class Options:
    """Transfers that could be made, one entry each: a needy row (place in `Need`), a donor row, a lane, a quantity."""

    need: Ints
    donor: Ints
    lane: Ints
    quantity: Ints


def propose_transfers(
    snapshot: Snapshot,
    forecast: DemandForecast,
    board: Board,
    *,
    forbidden: frozenset[tuple[int, int, int]] = frozenset(),
    promised: Ints | None = None,
) -> list[Candidate]:
    """Transfers worth their transport by unit, by closed form; several may have to share the cost of a shipment.

    `forbidden` holds (item, origin, destination) codes that may not be used (they would reverse a recent transfer or
    were decided lately); `promised` is what each row has been asked to give already, atomic units.
    """
    situation = board.situation
    surplus = situation.surplus - (0 if promised is None else promised)
    surplus = np.maximum(surplus, 0) // situation.pack * situation.pack
    rows = _reachable(situation, board, surplus)
    need = find_needs(snapshot, forecast, board, rows)
    options = _options(snapshot, board, need, surplus, forbidden)
    return list(_candidates(snapshot, board, need, options)) if len(options.need) else []


def _reachable(situation: Situation, board: Board, surplus: Ints) -> Ints:
    """Eligible rows whose item lies in surplus somewhere, at locations a transfer lane leads to."""
    spare = np.zeros(int(situation.item.max(initial=-1)) + 1, bool)
    spare[situation.item[surplus > 0]] = True
    led_to = np.isin(situation.location, board.lanes.destination)
    wanted = situation.eligible & led_to & spare[situation.item] if len(situation) else situation.eligible
    return np.flatnonzero(wanted)


def _options(
    snapshot: Snapshot, board: Board, need: Need, surplus: Ints, forbidden: frozenset[tuple[int, int, int]]
) -> Options:
    """Every (needy row, donor, lane) with the quantities worth trying."""
    found: list[tuple[int, int, int, int]] = []
    situation, lanes = board.situation, board.lanes
    z = normal_quantile(np.array(COVERAGE))
    for place, row in enumerate(need.rows):
        item = int(situation.item[row])
        into = np.flatnonzero(lanes.destination == situation.location[row])
        donors = snapshot.rows(np.full(len(into), item, np.int32), lanes.origin[into].astype(np.int32))
        for lane, donor in zip(into, donors, strict=True):
            arrival, last = int(lanes.days[lane]) + DISPATCH_DAY, int(need.last[place])
            if donor < 0 or donor == row or surplus[donor] <= 0 or arrival > last:
                continue
            if (item, int(lanes.origin[lane]), int(lanes.destination[lane])) in forbidden:
                continue
            span = slice(arrival, last + 1)
            gap = need.mean[place, span] + z[:, None] * need.sd[place, span] - need.supply[MEDIAN, place, span]
            wanted = whole_packs(gap.max(axis=1), int(situation.pack[donor]), int(surplus[donor]))
            found.extend((place, int(donor), int(lane), quantity) for quantity in wanted)
    table = np.array(found, np.int64).reshape(-1, 4)
    return Options(*(np.ascontiguousarray(column) for column in table.T))


def whole_packs(wanted: Floats, pack: int, available: int) -> list[int]:
    """Distinct quantities in whole packs: each rounded up, at least one pack and at most what is available.

    >>> whole_packs(np.array([-3.0, 5.0, 30.0]), 12, 30)
    [12, 24]
    >>> whole_packs(np.array([5.0]), 12, 11)
    []
    """
    most = available // pack
    if most < 1:
        return []
    packs = {min(max(int(np.ceil(value / pack)), 1), most) for value in wanted if value > 0}
    return [count * pack for count in sorted(packs)]


def _candidates(snapshot: Snapshot, board: Board, need: Need, options: Options) -> Iterator[Candidate]:
    situation, lanes = board.situation, board.lanes
    rows = need.rows[options.need]
    base = 10.0 ** snapshot.scale()[situation.item[rows]]
    cost = lanes.cost_per_unit[options.lane] * options.quantity / base
    saved = _avoided(need, options, lanes.days[options.lane] + DISPATCH_DAY, situation.lost[rows])
    price = situation.shortage_cost[rows]
    value = np.where(np.isnan(price), saved, saved * price - cost)
    for at in np.flatnonzero(value > 0):
        row, donor, lane = int(rows[at]), int(options.donor[at]), int(options.lane[at])
        origin, destination = (
            snapshot.location_codes.ids[int(code)] for code in (lanes.origin[lane], lanes.destination[lane])
        )
        item_id = snapshot.item_codes.ids[int(situation.item[row])]
        yield Candidate(
            Subject(TRANSFER, item_id, destination, from_id=origin, to_id=destination),
            row,
            int(options.quantity[at]),
            float(value[at]),
            not np.isnan(price[at]),
            donor=donor,
            arrival_day=int(lanes.days[lane]) + DISPATCH_DAY,
            action_cost=float(cost[at]),
            shipment_cost=float(lanes.cost_per_shipment[lane]),
            notes={"lane_mode": lanes.mode[lane]},
        )


def _avoided(need: Need, options: Options, arrival: Ints, lost: Bools) -> Floats:
    """Units (or unit-days) no longer short with each option's quantity there from its arrival on."""
    place = options.need
    supply = need.supply[:, place]
    later = np.arange(supply.shape[2]) >= arrival[:, None]
    helped = supply + later * options.quantity[:, None]
    after = shortage(helped, need.mean[place], need.sd[place], need.last[place], lost)
    return np.asarray(need.short[place] - after)

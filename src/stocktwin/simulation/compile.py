"""The live twin as arrays: everything a run needs that no scenario changes. Hundreds of scenarios share one compile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stocktwin.analytics.demand import DemandForecast
from stocktwin.analytics.leadtime import LeadTimeModel, arrival_windows
from stocktwin.analytics.replenishment import Way
from stocktwin.domain.identity import stable_hash64
from stocktwin.kernels.inverse import DemandTables
from stocktwin.kernels.streams import signed
from stocktwin.ledger.days import local_day_number
from stocktwin.simulation.demand import DemandMoments, moments
from stocktwin.simulation.echelons import ALLOCATIONS, own_sources, through, with_sources
from stocktwin.simulation.parameters import Around, Parameters, order_cycles, parameters
from stocktwin.simulation.routes import Route, RouteBook, source_ways
from stocktwin.tables.snapshot import Snapshot

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
DAYS_A_YEAR: Final = 365.0


@dataclass(frozen=True)
class OpenLine:
    """One open order line on its way to a simulated item-location."""

    line: int
    """Row of `snapshot.open_orders`."""
    place: int
    """Simulated item-location (index into `Compiled.rows`)."""
    quantity: int
    route: int
    ordered: int
    """Day it was ordered, relative to day 0 (≤ −1)."""
    left: int
    """Day it left its source (≤ −1); 0 when it has not left."""


@dataclass(frozen=True)
class Costs:
    """Per atomic unit, twin currency; nan where a field that it needs is missing."""

    unit_cost: Floats
    unit_price: Floats
    holding: Floats
    """A day."""
    backlog: Floats
    """A day."""
    lost: Floats
    transport: Floats
    order: Floats
    """Per order."""


@dataclass(frozen=True)
class Compiled:
    """A twin, ready to run. Index i below is a simulated item-location: row `rows[i]` of the snapshot."""

    snapshot: Snapshot
    first_day: int
    """Day 0, days since 1970-01-01."""
    rows: Ints
    key: npt.NDArray[np.uint64]
    on_hand: Ints
    backlog: Ints
    demand: DemandMoments
    policy: Parameters
    lost: Ints
    """1 where unserved demand is lost."""
    route: Ints
    alternate: Ints
    """Route of the second source, −1 when there is none."""
    source: Ints
    """The simulated item-location that supplies it, −1 where its source is unlimited."""
    allocation: Ints
    """How it shares out what it has among those it supplies (`kernels.network`)."""
    flow: DemandMoments
    """Demand, with that of all the places it supplies."""
    routes: tuple[Route, ...]
    lead_times: Ints
    """[row, 512] whole days at equally likely probabilities."""
    open_lines: tuple[OpenLine, ...]
    unit: Floats
    """Atomic units in one base unit."""
    costs: Costs
    assumptions: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def demand_tables(self) -> DemandTables:
        """Demand of every item-location and weekday, made once for all scenarios."""
        return self.demand.tables()

    def place_of(self, row: int) -> int:
        """Index of a snapshot row, −1 when it is not simulated."""
        at = int(np.searchsorted(self.rows, row))
        return at if at < len(self.rows) and self.rows[at] == row else -1

    @property
    def lead_mean(self) -> Floats:
        """[i] mean lead time, days."""
        return np.asarray(self.lead_times.mean(axis=1)[self._lead()])

    @property
    def lead_sd(self) -> Floats:
        """[i] standard deviation of the lead time, days."""
        return np.asarray(self.lead_times.std(axis=1)[self._lead()])

    def _lead(self) -> Ints:
        return np.array([self.routes[route].lead for route in self.route], np.int64)


def compile_network(
    snapshot: Snapshot, forecast: DemandForecast, lead_times: LeadTimeModel, *, holding_rate: float = 0.20,
    allocation: str = "proportional",
) -> Compiled:  # fmt: skip
    """Arrays of every item-location whose stock is known and that has stock, demand, a policy or an open order.

    `holding_rate` is the yearly cost of holding, as a share of unit cost, where a policy gives none; `allocation` one
    of `ALLOCATIONS`, says how places that supply others of ours share out what they have when it is too little. What
    had to be assumed or left out is listed in `assumptions`.
    """
    notes: Counter[str] = Counter()
    rows = with_sources(snapshot, _simulated(snapshot, forecast, notes))
    book = RouteBook(snapshot, lead_times)
    route, alternate, sources = _supply(snapshot, book, rows, notes)
    open_lines, promised = _open_lines(snapshot, book, lead_times, rows, (route, alternate), notes)
    policies = _by_row(snapshot.policies, rows)
    unit = np.asarray(10.0 ** snapshot.scale()[snapshot.item[rows]], np.float64)
    costs = _costs(snapshot, rows, policies, sources, book.routes, route, unit, holding_rate)
    _tell_unused(book, notes)
    table = book.lead_times()
    lead = np.array([book.routes[one].lead for one in route], np.int64)
    demand = moments(forecast, rows)
    source = own_sources(snapshot, rows, [book.routes[one].origin for one in route], notes)
    flow = through(demand, source)
    around = Around(
        flow, np.asarray(table.mean(axis=1)[lead]), np.asarray(table.std(axis=1)[lead]), _cycles(snapshot, rows),
        unit,        np.nan_to_num(costs.holding), costs.order,
    )  # fmt: skip
    policy, assumed = parameters(policies, sources, around)
    return Compiled(
        snapshot=snapshot,
        first_day=forecast.first_day,
        rows=rows,
        key=_keys(snapshot, rows),
        on_hand=np.maximum(snapshot.on_hand[rows] - promised, 0),
        backlog=snapshot.backlog[rows].astype(np.int64),
        demand=demand,
        policy=policy,
        lost=np.array([(one or {}).get("shortage") != "backlog" for one in policies], np.int64),
        route=route,
        alternate=alternate,
        source=source,
        allocation=np.full(len(rows), ALLOCATIONS[allocation], np.int64),
        flow=flow,
        routes=tuple(book.routes),
        lead_times=table,
        open_lines=open_lines,
        unit=unit,
        costs=costs,
        assumptions=(*assumed, *(f"{count} {what}" for what, count in sorted(notes.items()))),
    )


def _simulated(snapshot: Snapshot, forecast: DemandForecast, notes: Counter[str]) -> Ints:
    """Rows with a known opening and anything to simulate."""
    has = np.zeros(len(snapshot), bool)
    has[snapshot.on_hand != 0] = True
    has |= (forecast.level > 0) | (snapshot.on_order > 0) | (snapshot.backlog > 0)
    declared = np.asarray(snapshot.policies.column("row").to_numpy(zero_copy_only=False), np.int64)
    has[declared[declared >= 0]] = True
    notes["item-locations left out: their opening stock is unknown"] += int((has & ~snapshot.anchored).sum())
    negative = snapshot.on_hand < 0
    notes["item-locations start from 0: the record is negative"] += int((has & snapshot.anchored & negative).sum())
    for what in [what for what, count in notes.items() if not count]:
        del notes[what]
    return np.flatnonzero(has & snapshot.anchored).astype(np.int64)


def _by_row(table: Any, rows: Ints) -> list[dict[str, Any] | None]:
    """The line of a table with a column `row` for each of `rows`, None where there is none."""
    at = np.asarray(table.column("row").to_numpy(zero_copy_only=False), np.int64)
    lines = {int(row): line for row, line in zip(at, table.to_pylist(), strict=True) if row >= 0}
    return [lines.get(int(row)) for row in rows]


def _supply(
    snapshot: Snapshot, book: RouteBook, rows: Ints, notes: Counter[str]
) -> tuple[Ints, Ints, list[dict[str, Any] | None]]:
    """Primary and second route of each row, and the sourcing line of its primary source."""
    first, second, lines = source_ways(snapshot)
    sources = _by_row(lines, rows)
    inbound = _only_lane_in(snapshot)
    route, alternate = np.full(len(rows), -1, np.int64), np.full(len(rows), -1, np.int64)
    for i, row in enumerate(rows.tolist()):
        place = snapshot.location_codes.ids[int(snapshot.location[row])]
        way = first.get(row) or inbound.get(place)
        if row not in first:
            what = "the lane from the supplier" if way else "a default lead time"
            notes[f"item-locations without sourcing: {what} is assumed"] += 1
        route[i] = book.add(way, "primary") if way else book.add_assumed(place)
        if row in second:
            alternate[i] = book.add(second[row], "alternate")
    return route, alternate, sources


def _only_lane_in(snapshot: Snapshot) -> dict[str, Way]:
    """Location → the lane from a supplier into it (the first by id where there are several)."""
    kinds = dict(zip(snapshot.location_codes.ids, snapshot.locations.column("kind").to_pylist(), strict=True))
    found: dict[str, Way] = {}
    for lane in sorted(snapshot.lanes.to_pylist(), key=lambda lane: (lane["origin_id"], lane["mode"] or "")):
        if kinds.get(lane["origin_id"], "supplier") in ("supplier", "plant"):
            way = Way(lane["origin_id"], lane["destination_id"], lane["mode"] or "", None, None)
            found.setdefault(lane["destination_id"], way)
    return found


def _open_lines(
    snapshot: Snapshot, book: RouteBook, lead_times: LeadTimeModel, rows: Ints, sourced: Sequence[Ints],
    notes: Counter[str],
) -> tuple[tuple[OpenLine, ...], Ints]:  # fmt: skip
    """Open lines towards simulated rows, and what each row has promised to transfers that have not left it yet."""
    places = {int(row): i for i, row in enumerate(rows)}
    windows = arrival_windows(snapshot, lead_times)
    late = {
        (line["order_id"], line["line"])
        for line in windows.select(["order_id", "line", "overdue"]).to_pylist()
        if line["overdue"]
    }
    promised = np.zeros(len(rows), np.int64)
    lines = []
    for at, order in enumerate(snapshot.open_orders.to_pylist()):
        if order["kind"] == "sales":
            continue
        ends = [snapshot.location_codes.code(order[name]) for name in ("from_id", "to_id")]
        origin, target = (places.get(_row(snapshot, order["item"], end), -1) for end in ends)
        if order["shipped_at"] is None and origin >= 0:
            promised[origin] += order["open_quantity"]
        if target < 0:
            continue
        if (order["order_id"], order["line"]) in late:
            notes["open order lines left out: overdue beyond their 99 % arrival, check them"] += 1
            continue
        route = _open_route(book, order["from_id"] or "", order["to_id"], [int(ways[target]) for ways in sourced])
        ordered, left = (_age(snapshot, order[name]) for name in ("ordered_at", "shipped_at"))
        if order["shipped_at"] is None:
            notes["open order lines without shipped_at: they are taken to leave their source on day 0"] += 1
        lines.append(OpenLine(at, target, int(order["open_quantity"]), route, min(ordered, -1), left))
    return tuple(sorted(lines, key=lambda line: (line.place, line.line))), promised


def _open_route(book: RouteBook, origin: str, destination: str, sourced: Sequence[int]) -> int:
    """The way an open line comes: as the item is sourced from there, else the lane from there, else an assumed one."""
    for route in sourced:
        if origin and route >= 0 and book.routes[route].origin == origin:
            return route
    return book.add(Way(origin, destination, "", None, None), "open") if origin else book.add_assumed(destination)


def _tell_unused(book: RouteBook, notes: Counter[str]) -> None:
    """What lanes declare that a run assumes or leaves out."""
    for count, what in (
        (book.half_way, "routes pass their port half-way: days_to_via is missing"),
        (book.per_shipment, "routes whose cost per shipment is not charged: lines of one shipment are not known"),
        (book.limited, "routes whose capacity per day does not bind: whatever is ordered leaves at once"),
    ):
        if count:
            notes[what] += count


def _row(snapshot: Snapshot, item: int, location: int) -> int:
    return int(snapshot.rows(np.array([item], np.int32), np.array([location], np.int32))[0])


def _age(snapshot: Snapshot, moment: int | None) -> int:
    """Local day of a past moment relative to day 0, the day after `today` (−1: today); 0 for none."""
    return 0 if moment is None else min(local_day_number(moment, snapshot.timezone) - snapshot.today, 0) - 1


def _costs(
    snapshot: Snapshot,
    rows: Ints,
    policies: list[dict[str, Any] | None],
    sources: list[dict[str, Any] | None],
    routes: list[Route],
    route: Ints,
    unit: Floats,
    holding_rate: float,
) -> Costs:
    item = snapshot.item[rows]
    cost = _column(snapshot.items, "unit_cost")[item]
    bought = _field(sources, "unit_cost")
    cost = np.where(np.isnan(cost), bought, cost)
    price = _column(snapshot.items, "unit_price")[item]
    holding, lost = _field(policies, "holding_cost"), _field(policies, "lost_sale_cost")
    holding = np.where(np.isnan(holding), holding_rate * cost / DAYS_A_YEAR, holding)
    lost = np.where(np.isnan(lost), np.maximum(price - cost, 0.0), lost)
    transport = np.array([routes[one].cost_per_unit for one in route], np.float64)
    return Costs(
        unit_cost=cost / unit,
        unit_price=price / unit,
        holding=holding / unit,
        backlog=np.nan_to_num(_field(policies, "backlog_cost")) / unit,
        lost=lost / unit,
        transport=transport / unit,
        order=np.nan_to_num(_field(policies, "order_cost")),
    )


def _column(table: Any, name: str) -> Floats:
    return np.asarray(table.column(name).to_numpy(zero_copy_only=False), np.float64)


def _field(lines: list[dict[str, Any] | None], name: str) -> Floats:
    values = ((line or {}).get(name) for line in lines)
    return np.array([np.nan if value is None else float(value) for value in values], np.float64)


def _cycles(snapshot: Snapshot, rows: Ints) -> Floats:
    """Mean days between the past orders of each row."""
    seen = snapshot.lead_times
    item = np.asarray(seen.column("item").to_numpy(zero_copy_only=False), np.int32)
    location = snapshot.location_codes.encode(seen.column("destination_id").to_pylist())
    ordered = np.asarray(seen.column("ordered_at").to_numpy(zero_copy_only=False), np.int64)
    row = snapshot.rows(item, location)
    known = row >= 0
    return np.asarray(order_cycles(row[known], ordered[known], len(snapshot))[rows])


def _keys(snapshot: Snapshot, rows: Ints) -> npt.NDArray[np.uint64]:
    items, places = snapshot.item_codes.ids, snapshot.location_codes.ids
    hashes = (
        stable_hash64(items[item], places[place])
        for item, place in zip(snapshot.item[rows].tolist(), snapshot.location[rows].tolist(), strict=True)
    )
    return np.fromiter((signed(one) for one in hashes), np.int64, len(rows)).view(np.uint64)

"""Lays out what the generators of candidates read, from the snapshot and what the layers below made of it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from stocktwin.domain.errors import NotFoundError
from stocktwin.domain.identity import STOCKING_KINDS
from stocktwin.kernels.demand import SHAPE_COUNT, demand_quantiles
from stocktwin.prescription.closedform import Floats
from stocktwin.prescription.outlook import Bools, Inflow, Ints, open_inflow
from stocktwin.prescription.situation import Board, Situation, TransferLanes

if TYPE_CHECKING:
    from stocktwin.analytics.demand import DemandForecast
    from stocktwin.analytics.leadtime import LeadTimeModel
    from stocktwin.simulation.compile import Compiled
    from stocktwin.tables.snapshot import Snapshot

DONOR_QUANTILE = 0.95
QUICK = 0.1
"""Share of a lane's orders that come as fast as an order line brought forward is asked to."""


def lay_out(
    snapshot: Snapshot,
    forecast: DemandForecast,
    lead_times: LeadTimeModel,
    compiled: Compiled,
    units: pa.Table | None = None,
) -> Board:
    """The board of a twin. `units` are the pack sizes (`item_id`, `unit`, `factor`), for items without an order
    multiple."""
    from stocktwin.analytics.leadtime import arrival_windows

    inflow = _simulated_only(open_inflow(snapshot, arrival_windows(snapshot, lead_times)), compiled)
    return Board(situation(snapshot, forecast, compiled, units), inflow, transfer_lanes(snapshot, lead_times))


def situation(
    snapshot: Snapshot, forecast: DemandForecast, compiled: Compiled, units: pa.Table | None = None
) -> Situation:
    """Stock, policy, demand and costs of every item-location; those not simulated are not eligible."""
    from stocktwin.analytics.demand import NONE

    rows, policy, costs = compiled.rows, compiled.policy, compiled.costs
    lead_mean, lead_sd = compiled.lead_mean, compiled.lead_sd
    daily = compiled.flow.per_day
    mean, sd = compiled.flow.over(lead_mean - 1 + policy.review_days, lead_sd)
    spread = np.maximum(np.square(sd) / np.maximum(mean, 1e-12) - 1, 0)
    q95 = demand_quantiles(np.full(len(rows), SHAPE_COUNT), mean, spread, [DONOR_QUANTILE])[:, 0]
    lot = np.where(policy.Q > 0, policy.Q, np.maximum(policy.S - policy.s, daily * policy.review_days))
    lost = compiled.lost == 1
    on_order = np.bincount(
        [line.place for line in compiled.open_lines], [line.quantity for line in compiled.open_lines], len(rows)
    ).astype(np.int64)
    target, kind = _service(snapshot)
    put = _Scatter(len(snapshot), rows)
    eligible = put.flag(np.ones(len(rows), bool)) & snapshot.anchored & (forecast.basis != NONE)
    return Situation(
        item=snapshot.item.astype(np.int64),
        location=snapshot.location.astype(np.int64),
        eligible=np.asarray(eligible & stocking(snapshot)[snapshot.location]),
        declared=put.flag(~policy.inferred),
        on_hand=put.whole(compiled.on_hand),
        backlog=put.whole(compiled.backlog),
        inventory_position=put.whole(compiled.on_hand + on_order - compiled.backlog),
        reorder_point=put.whole(policy.s),
        order_up_to=put.whole(policy.S),
        order_quantity=put.real(np.maximum(np.maximum(lot, policy.moq), 1.0), 1.0),
        review_days=put.whole(policy.review_days, 1),
        daily_mean=put.real(daily),
        lead_mean=put.real(lead_mean, 1.0),
        lead_sd=put.real(lead_sd),
        protection_mean=put.real(mean),
        protection_sd=put.real(sd),
        protection_q95=put.real(q95),
        holding_cost=put.real(costs.holding, np.nan),
        shortage_cost=put.real(np.where(lost, costs.lost, costs.backlog), np.nan),
        lost=put.flag(lost),
        pack=packs(snapshot, put.whole(policy.multiple, 1), units),
        safety_stock=put.whole(policy.safety_stock),
        service_target=target,
        service_type=kind,
    )


@dataclass(frozen=True)
class _Scatter:
    """Puts values of the simulated item-locations at their rows of the snapshot."""

    n: int
    rows: Ints

    def whole(self, values: Any, empty: int = 0) -> Ints:
        return np.asarray(self._put(values, empty, np.int64))

    def real(self, values: Any, empty: float = 0.0) -> Floats:
        return np.asarray(self._put(values, empty, np.float64))

    def flag(self, values: Any) -> Bools:
        return np.asarray(self._put(values, False, bool))

    def _put(self, values: Any, empty: Any, dtype: Any) -> Any:
        out = np.full(self.n, empty, dtype)
        out[self.rows] = values
        return out


def stocking(snapshot: Snapshot) -> Bools:
    """By location code: whether stock there is ours."""
    return np.array([kind in STOCKING_KINDS for kind in snapshot.locations.column("kind").to_pylist()], bool)


def packs(snapshot: Snapshot, multiple: Ints, units: pa.Table | None) -> Ints:
    """Atomic units in which each row's stock moves: its order multiple, else the item's smallest pack, else one."""
    smallest = np.ones(len(snapshot.items), np.int64)
    if units is not None:
        scale = snapshot.scale()
        for unit in units.select(["item_id", "factor"]).to_pylist():
            code = snapshot.item_codes.code(unit["item_id"])
            size = Fraction(str(unit["factor"])) * 10 ** int(scale[code]) if code >= 0 else Fraction(0)
            if size > 10 ** int(scale[code]) and size.denominator == 1:
                known = smallest[code]
                smallest[code] = size.numerator if known == 1 else min(known, size.numerator)
    return np.where(multiple > 1, multiple, smallest[snapshot.item])


def transfer_lanes(snapshot: Snapshot, lead_times: LeadTimeModel) -> TransferLanes:
    """Lanes whose both ends keep stock of ours."""
    ours = stocking(snapshot)
    found = []
    for lane in snapshot.lanes.to_pylist():
        ends = [snapshot.location_codes.code(lane[name]) for name in ("origin_id", "destination_id")]
        if min(ends) < 0 or ends[0] == ends[1] or not (ours[ends[0]] and ours[ends[1]]):
            continue
        days = _mean_days(lead_times, lane["origin_id"], lane["destination_id"], lane["mode"])
        cost = (lane["cost_per_unit"] or 0.0, lane["cost_per_shipment"] or 0.0)
        found.append((*ends, lane["mode"] or "", max(int(np.ceil(days or lane["lead_time_days"] or 1)), 1), *cost))
    origin, destination, mode, lead, unit, shipment = zip(*found, strict=True) if found else ((),) * 6
    return TransferLanes(
        np.array(origin, np.int64),
        np.array(destination, np.int64),
        tuple(mode),
        np.array(lead, np.int64),
        np.array(unit, np.float64),
        np.array(shipment, np.float64),
    )


def earliest_days(compiled: Compiled, inflow: Inflow) -> Ints:
    """Per line of the inflow: first day from today on which its goods could be there if its source hurried, the 10 %
    quantile of its lane's lead time."""
    route = {line.line: line.route for line in compiled.open_lines}
    table = compiled.lead_times
    cell = int(QUICK * table.shape[1])
    days = [table[compiled.routes[route[int(line)]].lead, cell] for line in inflow.line]
    return np.maximum(np.array(days, np.int64), 1)


def _simulated_only(inflow: Inflow, compiled: Compiled) -> Inflow:
    """Without lines that the simulation does not count on (overdue beyond their 99 % arrival)."""
    known = np.array([line.line for line in compiled.open_lines], np.int64)
    keep = np.isin(inflow.line, known)
    return Inflow(inflow.line[keep], inflow.row[keep], inflow.quantity[keep], inflow.day[keep], inflow.shipped[keep])


def _mean_days(lead_times: LeadTimeModel, origin: str, destination: str, mode: str | None) -> float | None:
    try:
        return float(lead_times.mean_days[lead_times.index(origin, destination, mode)])
    except NotFoundError:
        return None


def _service(snapshot: Snapshot) -> tuple[Floats, tuple[str, ...]]:
    """Service target (nan: none) and its type, by row."""
    target = np.full(len(snapshot), np.nan)
    kind = [""] * len(snapshot)
    for line in snapshot.policies.select(["row", "service_target", "service_type"]).to_pylist():
        if line["row"] >= 0 and line["service_target"] is not None:
            target[line["row"]] = line["service_target"]
            kind[line["row"]] = service_name(line["service_type"])
    return target, tuple(kind)


def service_name(stated: str | None) -> str:
    """The service measure a policy's `service_type` means; the fill rate when it says nothing known.

    >>> service_name("alpha"), service_name("ready rate"), service_name(None)
    ('cycle_service_level', 'ready_rate', 'fill_rate')
    """
    word = (stated or "").strip().lower().replace(" ", "_").replace("-", "_")
    if word in ("cycle_service_level", "cycle_service", "cycle", "alpha", "type_1", "α"):
        return "cycle_service_level"
    return "ready_rate" if word in ("ready_rate", "ready", "type_3", "γ") else "fill_rate"

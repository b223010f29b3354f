"""Master data as the ERP holds it: items, packs, locations, lanes, sources, policies. Columns of text: small tables are
CSV files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stocktwin.world.catalogue import CRITICALITIES, gtin13
from stocktwin.world.clock import date_of
from stocktwin.world.design import ORDER_COST, SERVICE_TARGET, Design, active_sources
from stocktwin.world.encoding import Columns, base_units, chosen, number
from stocktwin.world.goods import FAMILIES
from stocktwin.world.network import Network
from stocktwin.world.records import Revisions, taken
from stocktwin.world.steering import SETTINGS

Ints = npt.NDArray[np.int64]

ALTERNATIVE_PREMIUM: Final = 1.12
"""What the second source asks for, relative to the first."""


def master_tables(design: Design, revisions: Revisions) -> dict[str, Columns]:
    """The master tables of a block's items; policies with all that was changed about them later."""
    return {
        "items": item_columns(design),
        "units": unit_columns(design),
        "sourcing": sourcing_columns(design),
        "policies": policy_columns(design, revisions),
    }


def item_columns(design: Design) -> Columns:
    """The `items` table."""
    items = design.items
    first = design.first_item + 1
    return {
        "item_id": _texts(items.item_id),
        "description": _texts(items.description),
        "category": chosen([family.category for family in FAMILIES], items.family),
        "gtin": _texts(gtin13(first + k) for k in range(len(items))),
        "unit": _texts(items.unit),
        "scale": _texts(items.scale),
        "unit_cost": _texts(map(number, items.cost)),
        "unit_price": _texts(map(number, items.price)),
        "currency": _texts(["USD"] * len(items)),
        "volume_m3": _texts(number(volume, 6) for volume in items.volume),
        "weight_kg": _texts(number(weight, 3) for weight in items.weight),
        "shelf_life_days": _texts(days or None for days in items.shelf_life.tolist()),
        "lot_controlled": chosen(("false", "true"), (items.shelf_life > 0).astype(np.int64)),
        "criticality": chosen(CRITICALITIES, items.criticality),
    }


def unit_columns(design: Design) -> Columns:
    """The `units` table: a case and a pallet of each item."""
    items = design.items
    packs = np.stack([items.case, items.case * items.cases_per_pallet], axis=1)
    return {
        "item_id": chosen(items.item_id, np.repeat(np.arange(len(items)), 2)),
        "unit": _texts(["case", "pallet"] * len(items)),
        "factor": _texts(packs.reshape(-1)),
    }


def location_columns(network: Network) -> Columns:
    """The `locations` table."""
    places = (*network.dcs, *network.ports, *network.suppliers)
    return {
        "location_id": _texts(place.location_id for place in places),
        "name": _texts(place.name for place in places),
        "kind": _texts(place.kind for place in places),
        "latitude": _texts(number(place.latitude) for place in places),
        "longitude": _texts(number(place.longitude) for place in places),
        "timezone": _texts(place.timezone for place in places),
        "region": _texts(place.region for place in places),
        "storage_capacity_m3": _texts(_maybe(place.storage_capacity_m3) for place in places),
    }


def lane_columns(network: Network) -> Columns:
    """The `lanes` table."""
    lanes = network.lanes()
    return {
        "origin_id": _texts(lane.origin for lane in lanes),
        "destination_id": _texts(lane.destination for lane in lanes),
        "mode": _texts(lane.mode for lane in lanes),
        "lead_time_days": _texts(number(lane.mean) for lane in lanes),
        "lead_time_sd_days": _texts(number(lane.sd) for lane in lanes),
        "cost_per_unit": _texts(number(lane.cost_per_unit) for lane in lanes),
        "cost_per_shipment": _texts(number(lane.cost_per_shipment) for lane in lanes),
        "via": _texts(lane.via for lane in lanes),
        "days_to_via": _texts(_maybe(lane.days_to_via) for lane in lanes),
    }


def sourcing_columns(design: Design) -> Columns:
    """The `sourcing` table: first sources, then second ones."""
    items, network = design.items, design.network
    row, supplier, priority = active_sources(design)
    item = design.item[row]
    premium = np.where(priority > 1, ALTERNATIVE_PREMIUM, 1.0)
    multiple = amounts(design.multiple[row], items.scale[item])
    return {
        "item_id": chosen(items.item_id, item),
        "location_id": chosen(design.dc_ids, design.dc[row]),
        "source_id": chosen([place.location_id for place in network.suppliers], supplier),
        "priority": _of_few(priority, str),
        "mode": chosen(("road", "sea"), network.overseas[supplier].astype(np.int64)),
        "moq": multiple,
        "order_multiple": multiple,
        "review_days": _of_few(design.review_days[row], str),
        "unit_cost": _of_few(items.cost[item] * premium, number),
    }


def policy_columns(design: Design, revisions: Revisions) -> Columns:
    """The `policies` table: those of the plan, then those decided or revised, day by day."""
    parts = [_policies(design, np.arange(len(design)), 0)]
    for day in np.unique(revisions.day).tolist():
        design, rows = _revised(design, taken(revisions, revisions.day == day))
        parts.append(_policies(design, rows, day))
    return {name: pa.concat_arrays([part[name] for part in parts]) for name in parts[0]}


def _revised(design: Design, revised: Revisions) -> tuple[Design, Ints]:
    changed = {name: getattr(design, name).copy() for name in SETTINGS}
    for name, column in changed.items():
        column[revised.row] = getattr(revised, name)
    return replace(design, **changed), np.unique(revised.row)


def _policies(design: Design, row: Ints, day: int) -> Columns:
    items, item, base_stock = design.items, design.item[row], design.base_stock[row]
    zero = np.zeros(len(row), np.int64)
    scale = items.scale[item]
    cost = np.take(ORDER_COST, design.network.overseas[design.supplier[row]].astype(np.int64))
    return {
        "item_id": chosen(items.item_id, item),
        "location_id": chosen(design.dc_ids, design.dc[row]),
        "policy": chosen(("min_max", "base_stock"), base_stock.astype(np.int64)),
        "reorder_point": amounts(np.where(base_stock, -1, design.reorder_point[row]), scale),
        "order_up_to": amounts(design.order_up_to[row], scale),
        "review_days": _of_few(design.review_days[row], str),
        "parameter_unit": chosen(("units",), zero),
        "service_target": chosen([number(target) for target in SERVICE_TARGET], items.criticality[item]),
        "service_type": chosen(("fill_rate",), zero),
        "shortage": chosen(("lost",), zero),
        "order_cost": _of_few(cost, number),
        "decided_on": chosen((date_of(day).isoformat(),), zero),
    }


def amounts(atomic: Ints, scale: Ints) -> pa.Array:
    """Quantities in base units as text; null where negative.

    >>> amounts(np.array([1500, 7, -1]), np.array([3, 0, 0])).to_pylist()
    ['1.5', '7', None]
    """
    both, at = np.unique(np.stack([atomic, scale]), axis=1, return_inverse=True)
    texts = [None if value < 0 else base_units(value, places) for value, places in both.T.tolist()]
    return chosen(texts, at.reshape(-1))


def _of_few(values: npt.NDArray[Any], text: Callable[[Any], str]) -> pa.Array:
    """Values as text, each distinct one put into words once."""
    distinct, at = np.unique(values, return_inverse=True)
    return chosen([text(value) for value in distinct.tolist()], at)


def _maybe(value: float | None) -> str | None:
    return None if value is None else number(value)


def _texts(values: Iterable[Any]) -> pa.Array:
    return pa.array([None if value is None else str(value) for value in values], pa.string())

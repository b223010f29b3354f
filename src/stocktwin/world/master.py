"""Master data as the ERP holds it: items, packs, locations, lanes, sources, policies. Small tables, as CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from stocktwin.world.catalogue import CRITICALITIES, gtin13
from stocktwin.world.design import ORDER_COST, SERVICE_TARGET, Design, active_sources
from stocktwin.world.encoding import base_units, number, write_csv
from stocktwin.world.goods import FAMILIES

Rows = Iterator[tuple[Any, ...]]

ALTERNATIVE_PREMIUM: Final = 1.12
"""What the second source asks for, relative to the first."""

ITEMS: Final = ("item_id", "description", "category", "gtin", "unit", "scale", "unit_cost", "unit_price", "currency",
                "volume_m3", "weight_kg", "shelf_life_days", "lot_controlled", "criticality")  # fmt: skip
UNITS: Final = ("item_id", "unit", "factor")
LOCATIONS: Final = ("location_id", "name", "kind", "latitude", "longitude", "timezone", "region",
                    "storage_capacity_m3")  # fmt: skip
LANES: Final = ("origin_id", "destination_id", "mode", "lead_time_days", "lead_time_sd_days", "cost_per_unit",
                "cost_per_shipment", "via", "days_to_via")  # fmt: skip
SOURCING: Final = ("item_id", "location_id", "source_id", "priority", "mode", "moq", "order_multiple", "review_days",
                   "unit_cost")  # fmt: skip
POLICIES: Final = ("item_id", "location_id", "policy", "reorder_point", "order_up_to", "review_days", "parameter_unit",
                   "service_target", "service_type", "shortage", "order_cost")  # fmt: skip


def write_master(folder: Path, design: Design) -> dict[str, int]:
    """Writes the master tables; returns the rows of each."""
    tables: dict[str, tuple[tuple[str, ...], Callable[[Design], Rows]]] = {
        "items": (ITEMS, _items),
        "units": (UNITS, _units),
        "locations": (LOCATIONS, _locations),
        "lanes": (LANES, _lanes),
        "sourcing": (SOURCING, _sourcing),
        "policies": (POLICIES, _policies),
    }
    return {name: write_csv(folder / f"{name}.csv", header, rows(design)) for name, (header, rows) in tables.items()}


def _items(design: Design) -> Rows:
    items = design.items
    unit = items.unit
    for k, item_id in enumerate(items.item_id):
        yield (
            item_id, items.description[k], FAMILIES[items.family[k]].category, gtin13(design.first_item + k + 1),
            unit[k], items.scale[k], number(items.cost[k]), number(items.price[k]), "USD", number(items.volume[k], 6),
            number(items.weight[k], 3), items.shelf_life[k] or None, "false", CRITICALITIES[items.criticality[k]],
        )  # fmt: skip


def _units(design: Design) -> Rows:
    items = design.items
    for k, item_id in enumerate(items.item_id):
        yield item_id, "case", items.case[k]
        yield item_id, "pallet", items.case[k] * items.cases_per_pallet[k]


def _locations(design: Design) -> Rows:
    network = design.network
    for place in (*network.dcs, *network.ports, *network.suppliers):
        capacity = place.storage_capacity_m3
        yield (
            place.location_id, place.name, place.kind, number(place.latitude), number(place.longitude), place.timezone,
            place.region, None if capacity is None else number(capacity),
        )  # fmt: skip


def _lanes(design: Design) -> Rows:
    for lane in design.network.lanes():
        yield (
            lane.origin, lane.destination, lane.mode, number(lane.mean), number(lane.sd), number(lane.cost_per_unit),
            number(lane.cost_per_shipment), lane.via, None if lane.days_to_via is None else number(lane.days_to_via),
        )  # fmt: skip


def _sourcing(design: Design) -> Rows:
    items, network = design.items, design.network
    for row, supplier, priority in active_sources(design):
        item = int(design.item[row])
        multiple = base_units(int(design.multiple[row]), int(items.scale[item]))
        cost = items.cost[item] * (ALTERNATIVE_PREMIUM if priority > 1 else 1.0)
        yield (
            items.item_id[item], design.dc_ids[design.dc[row]], network.suppliers[supplier].location_id, priority,
            network.supply[supplier][design.dc[row]].mode, multiple, multiple, design.review_days[row], number(cost),
        )  # fmt: skip


def _policies(design: Design) -> Rows:
    items = design.items
    for row in np.arange(len(design)):
        item = int(design.item[row])
        scale = int(items.scale[item])
        stock = bool(design.base_stock[row])
        yield (
            items.item_id[item], design.dc_ids[design.dc[row]], "base_stock" if stock else "min_max",
            None if stock else base_units(int(design.reorder_point[row]), scale),
            base_units(int(design.order_up_to[row]), scale), design.review_days[row], "units",
            number(SERVICE_TARGET[items.criticality[item]]), "fill_rate", "lost",
            number(ORDER_COST[int(design.network.overseas[design.supplier[row]])]),
        )  # fmt: skip

"""What was decided from outside, in terms of a block: new settings, orders to carry out and to change, by day."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from stocktwin.world.decisions import DAY_SCALE, Decision
from stocktwin.world.design import Design

SETTINGS: Final = ("reorder_point", "order_up_to", "review_days", "base_stock")
"""What decisions change about an item-location."""


@dataclass(frozen=True)
class Asked:
    """One order, or change of an order: the item-location that receives, what delivers (a donor item-location or a
    supplier; of a change the number of the supplier or DC), and the decision."""

    row: int
    source: int
    decision: Decision


Ways = Mapping[int, tuple[Asked, ...]]


@dataclass(frozen=True)
class Steering:
    """The decisions that concern a block, by their day."""

    transfers: Ways = field(default_factory=dict)
    purchases: Ways = field(default_factory=dict)
    changes: Ways = field(default_factory=dict)
    policies: Mapping[int, tuple[tuple[int, Decision], ...]] = field(default_factory=dict)
    """Day → (item-location, decision)."""

    @classmethod
    def of(cls, design: Design, decisions: Iterable[Decision]) -> Steering:
        """Those of a block's items; the words of decisions are known to be right."""
        item_of = {item_id: k for k, item_id in enumerate(design.items.item_id)}
        dc_of = {name: k for k, name in enumerate(design.dc_ids)}
        supplier_of = {place.location_id: k for k, place in enumerate(design.network.suppliers)}
        by_day: dict[str, dict[int, list[tuple[int, Decision]]]] = defaultdict(lambda: defaultdict(list))
        for one in decisions:
            if one.item_id in item_of:
                row = item_of[one.item_id] * len(dc_of) + dc_of[one.location_id]
                by_day[one.kind][one.day].append((row, one))

        def source(row: int, one: Decision) -> int:
            if one.kind == "transfer":
                return row // len(dc_of) * len(dc_of) + dc_of[one.source_id]
            known = supplier_of | dc_of
            return known[one.source_id] if one.source_id else int(design.supplier[row])

        def ways(kind: str) -> Ways:
            return {
                day: tuple(Asked(row, source(row, one), one) for row, one in rows) for day, rows in by_day[kind].items()
            }

        policies = {day: tuple(rows) for day, rows in by_day["policy"].items()}
        return cls(ways("transfer"), ways("purchase"), ways("change"), policies)

    def settings(self, design: Design, day: int) -> tuple[Design, dict[Decision, str]]:
        """The plan as it stands from this day on, and why decisions of the day were left out of it."""
        if day not in self.policies:
            return design, {}
        changed: dict[str, Any] = {name: getattr(design, name).copy() for name in SETTINGS}
        refused = {}
        for row, one in self.policies[day]:
            values = _settled(design, changed, row, one)
            if not values["base_stock"] and values["order_up_to"] <= values["reorder_point"]:
                refused[one] = "order_up_to would not lie above reorder_point"
                continue
            for name, value in values.items():
                changed[name][row] = value
        return replace(design, **changed), refused


def _settled(design: Design, now: Mapping[str, Any], row: int, one: Decision) -> dict[str, Any]:
    """The settings of an item-location after a decision. A safety stock shifts the levels that are not given by as much
    as it differs from what they hold today: s (or the base stock) − planned demand over L − 1 + R days, not below 0."""
    values = {name: now[name][row] if getattr(one, name, None) is None else getattr(one, name) for name in now}
    demand = float(design.planned[row])

    def units(level: int) -> int:
        return math.ceil(level * demand / 10**DAY_SCALE) if one.in_days else level

    shift = 0
    if one.safety_stock is not None:
        lead = float(design.network.supply_times.mean[design.supplier[row], design.dc[row]])
        held = now["order_up_to" if values["base_stock"] else "reorder_point"][row]
        covered = demand * (lead - 1 + int(values["review_days"]))
        shift = units(one.safety_stock) - max(0, round(float(held) - covered))
    for name in ("reorder_point", "order_up_to"):
        given = getattr(one, name)
        values[name] = max(0, int(now[name][row]) + shift) if given is None else units(given)
    return values

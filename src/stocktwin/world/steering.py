"""What was decided from outside, in terms of a block: new settings, and orders to carry out, by day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from stocktwin.world.decisions import Decision
from stocktwin.world.design import Design

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Asked:
    """Orders of a day, one row each: the item-location that receives, what delivers (a donor item-location or a
    supplier), and how much."""

    row: Ints
    source: Ints
    quantity: Ints

    @classmethod
    def of(cls, rows: Iterable[tuple[int, int, int]]) -> Asked:
        """From (row, source, quantity)."""
        table = np.array(list(rows), np.int64).reshape(-1, 3)
        return cls(*table.T)


@dataclass(frozen=True)
class Steering:
    """The decisions that concern a block, by their day."""

    transfers: Mapping[int, Asked] = field(default_factory=dict)
    purchases: Mapping[int, Asked] = field(default_factory=dict)
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

        def orders(kind: str) -> dict[int, Asked]:
            return {
                day: Asked.of((row, source(row, one), one.quantity) for row, one in rows)
                for day, rows in by_day[kind].items()
            }

        def source(row: int, one: Decision) -> int:
            if one.kind == "transfer":
                return row // len(dc_of) * len(dc_of) + dc_of[one.source_id]
            return supplier_of[one.source_id] if one.source_id else int(design.supplier[row])

        policies = {day: tuple(rows) for day, rows in by_day["policy"].items()}
        return cls(orders("transfer"), orders("purchase"), policies)

    def settings(self, design: Design, day: int) -> Design:
        """The plan as it stands from this day on."""
        if day not in self.policies:
            return design
        changed = {name: getattr(design, name).copy() for name in
                   ("reorder_point", "order_up_to", "review_days", "base_stock")}  # fmt: skip
        for row, one in self.policies[day]:
            for name, column in changed.items():
                value = getattr(one, name)
                if value is not None:
                    column[row] = value
        return replace(design, **changed)

"""The item-location grid: immutable columns of one state, sorted and filtered in memory, given out a page at a time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stocktwin.app.answers.paging import cursor, read_cursor, refuse
from stocktwin.app.answers.values import exact, number
from stocktwin.domain.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from stocktwin.app.model import Model

Floats = npt.NDArray[np.float64]
PAGE_LIMIT = 1000
NUMERIC = (
    "on_hand", "in_transit", "on_order", "backlog", "days_of_supply", "forecast_per_day", "reorder_point",
    "order_up_to", "safety_stock", "stockout_risk", "value",
)  # fmt: skip
SORTABLE = ("item_id", "description", "category", "location_id", *NUMERIC)
FILTERS: dict[str, str] = {
    "stockout": "nothing on hand although demand is forecast",
    "risk": "stock-out likely (10 % or more) before an order placed today could arrive",
    "below_reorder_point": "on hand and on order at or below the reorder point",
    "excess": "on hand and on order above the order-up-to level",
    "unanchored": "opening unknown, only the net change is known",
    "negative": "negative on hand: something is wrong",
}
RISKY = 0.10


@dataclass(frozen=True)
class Grid:
    """Columns of one state. Quantities in base units as floats (for sorting and adding up); exact ones in `_exact`."""

    model: Model
    columns: dict[str, Floats]
    texts: dict[str, list[str]]
    """By item code (item_id, description, category, unit) or location code (location_id)."""
    scale: npt.NDArray[np.int64]
    status: list[str]
    _orders: dict[tuple[str, bool], tuple[npt.NDArray[np.int64], Floats]] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Model) -> Grid:
        """Computes the columns of a model's state."""
        snapshot = model.snapshot
        items = snapshot.items
        texts = {
            "item_id": items.column("item_id").to_pylist(),
            "description": [text or "" for text in items.column("description").to_pylist()],
            "category": [text or "" for text in items.column("category").to_pylist()],
            "unit": [text or "each" for text in items.column("unit").to_pylist()],
            "location_id": snapshot.locations.column("location_id").to_pylist(),
        }
        scale = snapshot.scale()
        columns = _columns(model, scale)
        return cls(model, columns, texts, scale, _status(columns, snapshot.anchored))

    def page(
        self,
        *,
        offset: int = 0,
        limit: int = 100,
        sort: str = "item_id",
        descending: bool = False,
        search: str | None = None,
        location: str | None = None,
        category: str | None = None,
        filter: str | None = None,
        after: str | None = None,
    ) -> dict[str, Any]:
        """One page, ties in order of item and location: behind the row of the cursor `after`, else from `offset` on (to
        jump). `offset` of the answer is where the page stands now, `next` the cursor of the following one.

        UsageError names an unknown column, filter or cursor; unknown values (nan) sort last either way.
        """
        if sort not in SORTABLE:
            raise UsageError(f"sort: no column {sort!r}; sortable: {', '.join(SORTABLE)}")
        if filter and filter not in FILTERS:
            raise UsageError(f"filter: no filter {filter!r}; known: {', '.join(FILTERS)}")
        order, values = self._order(sort, descending)
        mask = self._mask(search, location, category, filter)[order]
        chosen = np.flatnonzero(mask)
        name = f"item-locations {sort} {'descending' if descending else 'ascending'}"
        if after is not None:
            offset = int(np.searchsorted(chosen, self._behind(name, after, sort, descending)))
        places = chosen[max(offset, 0) : max(offset, 0) + min(max(limit, 0), PAGE_LIMIT)]
        rows = [int(row) for row in order[places]]
        following = None
        if rows and places[-1] != chosen[-1]:
            following = cursor(name, (self._key(sort, rows[-1], float(values[places[-1]])), *self._ids(rows[-1])))
        return {
            "total": len(chosen),
            "offset": offset,
            "next": following,
            "rows": [self.row(row) for row in rows],
        }

    def _ids(self, row: int) -> tuple[str, str]:
        snapshot = self.model.snapshot
        item, location = int(snapshot.item[row]), int(snapshot.location[row])
        return snapshot.item_codes.ids[item], snapshot.location_codes.ids[location]

    def _key(self, sort: str, row: int, value: float) -> str | float | None:
        """What a cursor keeps of the sorted column: the text, or the number as it is sorted (None: not known)."""
        snapshot = self.model.snapshot
        if sort == "location_id":
            return self.texts[sort][int(snapshot.location[row])]
        if sort in self.texts:
            text = self.texts[sort][int(snapshot.item[row])]
            return text if sort == "item_id" else text.casefold()
        return value if np.isfinite(value) else None

    def _behind(self, name: str, after: str, sort: str, descending: bool) -> int:
        """The place in the whole order behind the row of a cursor, whether that row is still there or not."""
        key = read_cursor(name, after)
        order, values = self._order(sort, descending)
        held = key[0]
        if len(key) != 3 or not all(isinstance(one, str) for one in key[1:]) or isinstance(held, bool):
            refuse(after)
        if isinstance(held, str) != (sort in self.texts):
            refuse(after)
        value = np.inf if held is None else held
        if isinstance(value, str):
            value = self._rank(sort, value) * (-1 if descending else 1)
        first, last = (int(np.searchsorted(values, value, side)) for side in ("left", "right"))
        return first + int(np.searchsorted(order[first:last], self._rows_until(key[1], key[2])))

    def _rank(self, sort: str, text: str) -> float:
        """Where a text stands among those of a column; between two of them where it is not there any more."""
        ids = self._ranked(sort)
        at = bisect_left(ids, text)
        return float(at) if at < len(ids) and ids[at] == text else at - 0.5

    def _rows_until(self, item_id: str, location_id: str) -> int:
        """How many rows stand at or before an item-location in the order of ids, whether it exists or not."""
        snapshot = self.model.snapshot
        items, places = snapshot.item_codes.ids, snapshot.location_codes.ids
        item = bisect_left(items, item_id)
        if item == len(items) or items[item] != item_id:
            return int(np.searchsorted(snapshot.item, item))
        first, last = (int(np.searchsorted(snapshot.item, item, side)) for side in ("left", "right"))
        return first + int(np.searchsorted(snapshot.location[first:last], bisect_right(places, location_id)))

    def row(self, row: int) -> dict[str, Any]:
        """One item-location as JSON values."""
        snapshot = self.model.snapshot
        item, location = int(snapshot.item[row]), int(snapshot.location[row])
        places = int(self.scale[item])
        anchored = bool(snapshot.anchored[row])
        floats = {name: number(float(values[row])) for name, values in self.columns.items()}
        return floats | {
            "item_id": self.texts["item_id"][item],
            "description": self.texts["description"][item],
            "category": self.texts["category"][item],
            "unit": self.texts["unit"][item],
            "location_id": self.texts["location_id"][location],
            "on_hand": exact(int(snapshot.on_hand[row]), places) if anchored else None,
            "net_change": None if anchored else exact(int(snapshot.on_hand[row]), places),
            "in_transit": exact(int(snapshot.in_transit[row]), places),
            "on_order": exact(int(snapshot.on_order[row]), places),
            "backlog": exact(int(snapshot.backlog[row]), places),
            "anchored": anchored,
            "status": self.status[row],
        }

    def item(self, item_id: str) -> dict[str, Any]:
        """An item's master data and its rows at all locations."""
        snapshot = self.model.snapshot
        code = snapshot.item_codes.code(item_id)
        if code < 0:
            raise NotFoundError("item", item_id)
        rows = np.flatnonzero(snapshot.item == code)
        master = {
            name: value for name, value in snapshot.items.slice(code, 1).to_pylist()[0].items() if value is not None
        }
        return {"item": master, "rows": [self.row(int(row)) for row in rows]}

    def _order(self, sort: str, descending: bool) -> tuple[npt.NDArray[np.int64], Floats]:
        """Rows in the order of a column, and the values they are sorted by, ascending."""
        key = (sort, descending)
        if key not in self._orders:
            values = self._sort_values(sort)
            values = np.where(np.isnan(values), np.inf, -values if descending else values)
            order = np.argsort(values, kind="stable")
            self._orders[key] = (order, values[order])
        return self._orders[key]

    def _ranked(self, sort: str) -> Sequence[str]:
        """The distinct texts of a column in their order."""
        if sort == "item_id":
            return self.model.snapshot.item_codes.ids
        if sort == "location_id":
            return self.model.snapshot.location_codes.ids
        return sorted({text.casefold() for text in self.texts[sort]})

    def _sort_values(self, sort: str) -> Floats:
        snapshot = self.model.snapshot
        if sort == "location_id":
            return snapshot.location.astype(np.float64)
        if sort == "item_id":
            return snapshot.item.astype(np.float64)
        if sort in self.texts:
            rank = {text: at for at, text in enumerate(self._ranked(sort))}
            return np.array([rank[text.casefold()] for text in self.texts[sort]], np.float64)[snapshot.item]
        return self.columns[sort]

    def _mask(
        self, search: str | None, location: str | None, category: str | None, filter: str | None
    ) -> npt.NDArray[np.bool_]:
        snapshot = self.model.snapshot
        mask = np.ones(len(snapshot), bool)
        if search and search.strip():
            words = search.casefold().split()
            mask &= self._items_where(lambda text: all(word in text for word in words), "item_id", "description")
        if category:
            mask &= self._items_where(lambda text: text == category.casefold(), "category")
        if location:
            mask &= snapshot.location == snapshot.location_codes.code(location)
        if filter:
            mask &= _filtered(filter, self.columns, snapshot.anchored)
        return mask

    def _items_where(self, holds: Callable[[str], bool], *names: str) -> npt.NDArray[np.bool_]:
        texts = zip(*(self.texts[name] for name in names), strict=True)
        found = np.array([holds(" ".join(parts).casefold()) for parts in texts], bool)
        return found[self.model.snapshot.item]


def _columns(model: Model, scale: npt.NDArray[np.int64]) -> dict[str, Floats]:
    from stocktwin.analytics.depletion import days_of_supply

    snapshot = model.snapshot
    unit = 10.0 ** scale[snapshot.item]
    policies = policy_columns(model)
    columns = {
        "on_hand": np.where(snapshot.anchored, snapshot.on_hand / unit, np.nan),
        "in_transit": snapshot.in_transit / unit,
        "on_order": snapshot.on_order / unit,
        "backlog": snapshot.backlog / unit,
        "days_of_supply": days_of_supply(snapshot, model.forecast),
        "forecast_per_day": model.forecast.level / unit,
        "stockout_risk": model.stockout_risk,
        **policies,
    }
    cost = snapshot.items.column("unit_cost").to_numpy(zero_copy_only=False).astype(np.float64)[snapshot.item]
    return columns | {"value": columns["on_hand"] * cost}


def policy_columns(model: Model) -> dict[str, Floats]:
    """Declared reorder point, order-up-to level and safety stock per row, base units; nan where none is declared.
    Parameters in days are multiplied by the forecast mean."""
    snapshot = model.snapshot
    out = {name: np.full(len(snapshot), np.nan) for name in ("reorder_point", "order_up_to", "safety_stock")}
    rows = snapshot.policies.column("row").to_numpy()
    units = snapshot.policies.column("parameter_unit").to_pylist()
    per_day = model.forecast.level / 10.0 ** snapshot.scale()[snapshot.item]
    in_days = np.array([unit == "days" for unit in units], bool)
    for name, target in out.items():
        values = snapshot.policies.column(name).to_numpy(zero_copy_only=False).astype(np.float64)
        known = rows >= 0
        factor = np.where(in_days[known], per_day[rows[known]], 1.0)
        target[rows[known]] = values[known] * factor
    return out


def _filtered(name: str, columns: dict[str, Floats], anchored: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    on_hand = columns["on_hand"]
    position = on_hand + columns["on_order"] - columns["backlog"]
    with np.errstate(invalid="ignore"):
        masks = {
            "stockout": (on_hand <= 0) & (columns["forecast_per_day"] > 0),
            "risk": columns["stockout_risk"] >= RISKY,
            "below_reorder_point": position <= columns["reorder_point"],
            "excess": position > columns["order_up_to"],
            "unanchored": ~anchored,
            "negative": on_hand < 0,
        }
    return masks[name]


def _status(columns: dict[str, Floats], anchored: npt.NDArray[np.bool_]) -> list[str]:
    """The first of these that holds: unanchored, negative, stockout, risk, below_reorder_point, excess; else ok."""
    status = np.full(len(anchored), "ok", dtype="<U20")
    for name in ("excess", "below_reorder_point", "risk", "stockout", "negative", "unanchored"):
        status[_filtered(name, columns, anchored)] = name
    return [str(entry) for entry in status]

"""The first screen: KPIs of the whole network, its places and lanes on the map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from stocktwin.app.answers.grid import Grid, _filtered
from stocktwin.app.answers.values import iso, number, plain_answer
from stocktwin.app.settings import Settings

if TYPE_CHECKING:
    from stocktwin.app.model import Model

CATEGORIES = 500
"""Most categories that are offered to choose from."""
WATCH, SHORT = 0.15, 0.30
"""Shares of a place's item-locations with demand that are out of stock or at risk: from where on it is to be watched,
and from where on it is short. At a usual service level about one in ten is at risk on any day."""


def overview(
    settings: Settings, model: Model, grid: Grid, advice: Mapping[str, Any] | None, anomalies: int | None
) -> dict[str, Any]:
    """KPIs, locations and lanes. Values leave out item-locations whose opening is unknown; `unvalued` counts those
    without a unit cost. A value of which nothing is known is null, not zero."""
    return plain_answer(
        {
            "name": settings.name,
            "currency": settings.currency,
            "as_of": iso(model.snapshot.as_of),
            "kpis": {
                **_stock_kpis(model, grid),
                **_order_kpis(model),
                "anomalies": anomalies,
                **_advice_kpis(advice),
            },
            "locations": _locations(model, grid),
            "lanes": _lanes(model),
            "categories": sorted({text for text in grid.texts["category"] if text})[:CATEGORIES],
            "thresholds": {"watch": WATCH, "short": SHORT},
        }
    )


def _stock_kpis(model: Model, grid: Grid) -> dict[str, Any]:
    snapshot, columns = model.snapshot, grid.columns
    return {
        "on_hand_value": _known_sum(columns["value"]),
        "on_hand_units": number(float(np.nansum(columns["on_hand"])), 12),
        "unvalued": int((np.isnan(columns["value"]) & snapshot.anchored).sum()),
        "unanchored": int((~snapshot.anchored).sum()),
        "items": len(snapshot.items),
        "locations": len(snapshot.locations),
        "item_locations": len(snapshot),
        "stockouts": int(_filtered("stockout", columns, snapshot.anchored).sum()),
        "at_risk": int(_filtered("risk", columns, snapshot.anchored).sum()),
        "below_reorder_point": int(_filtered("below_reorder_point", columns, snapshot.anchored).sum()),
        "in_transit_units": number(float(columns["in_transit"].sum()), 12),
    }


def _known_sum(values: Any) -> float | None:
    """The sum of what is known; None where there is something and nothing of it is known."""
    known = values[~np.isnan(values)]
    return number(float(known.sum()), 9) if len(known) or not len(values) else None


def _order_kpis(model: Model) -> dict[str, Any]:
    kinds = model.snapshot.open_orders.column("kind").to_pylist()
    overdue = model.arrivals.column("overdue").to_pylist()
    return {
        "open_order_lines": sum(kind in ("purchase", "transfer") for kind in kinds),
        "open_sales_lines": kinds.count("sales"),
        "overdue_lines": sum(map(bool, overdue)),
    }


def _advice_kpis(advice: Mapping[str, Any] | None) -> dict[str, Any]:
    if advice is None:
        return {"recommendations": None, "expected_saving": None}
    still_open = [entry for entry in advice["recommendations"] if entry["status"] == "open"]
    values = [entry["expected_value"] for entry in still_open if entry["expected_value"] is not None]
    return {"recommendations": len(still_open), "expected_saving": sum(values) if values else None}


def _locations(model: Model, grid: Grid) -> list[dict[str, Any]]:
    snapshot, n = model.snapshot, len(model.snapshot.locations)
    stockout = _filtered("stockout", grid.columns, snapshot.anchored)
    demanded = grid.columns["forecast_per_day"] > 0
    short = demanded & (stockout | _filtered("risk", grid.columns, snapshot.anchored))

    def per_location(values: Any) -> list[float]:
        return [float(total) for total in np.bincount(snapshot.location, np.nan_to_num(values), n)]

    value = [_known_sum(grid.columns["value"][snapshot.location == at]) for at in range(n)]
    units = per_location(grid.columns["on_hand"])
    stockouts, rows = per_location(stockout), per_location(np.ones(len(snapshot)))
    asked, shorts = per_location(demanded), per_location(short)
    names = ("location_id", "name", "kind", "latitude", "longitude", "region")
    places = snapshot.locations.select([name for name in names if name in snapshot.locations.column_names]).to_pylist()
    return [
        {
            **place,
            "on_hand_value": value[at],
            "on_hand_units": number(units[at], 12),
            "stockouts": int(stockouts[at]),
            "item_locations": int(rows[at]),
            "demanded": int(asked[at]),
            "short": int(shorts[at]),
            "short_share": number(shorts[at] / asked[at], 4) if asked[at] else None,
        }
        for at, place in enumerate(places)
    ]


def _lanes(model: Model) -> list[dict[str, Any]]:
    open_lines: Counter[tuple[str, str]] = Counter()
    moving: Counter[tuple[str, str]] = Counter()
    scale = model.snapshot.scale()
    for line in model.snapshot.open_orders.to_pylist():
        if line["kind"] != "sales":
            lane = (line["from_id"], line["to_id"])
            open_lines[lane] += 1
            if line["shipped_at"] is not None:
                moving[lane] += line["open_quantity"] / 10.0 ** int(scale[line["item"]])
    answers = []
    for lane in model.snapshot.lanes.to_pylist():
        ends = (lane["origin_id"], lane["destination_id"])
        key = model.lead_times.index(*ends, lane["mode"])
        answers.append(
            {
                "origin_id": ends[0],
                "destination_id": ends[1],
                "mode": lane["mode"],
                "via": lane["via"],
                "open_lines": open_lines[ends],
                "in_transit_units": number(moving[ends], 12),
                "mean_days": number(float(model.lead_times.mean_days[key]), 4),
                "basis": model.lead_times.basis[key],
            }
        )
    return answers

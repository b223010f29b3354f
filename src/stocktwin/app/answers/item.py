"""Everything about one item at one location: position, books, forecast, projection, orders, movements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stocktwin.app.answers.history import MOVEMENTS_SHOWN, OBSERVATIONS_SHOWN, movement_page, observation_page
from stocktwin.app.answers.reserved import available
from stocktwin.app.answers.values import day, exact, iso, number, numbers, plain_answer
from stocktwin.app.settings import Settings
from stocktwin.domain.calendar import MICROSECONDS_PER_DAY
from stocktwin.domain.errors import NotFoundError

if TYPE_CHECKING:
    from stocktwin.app.answers.advice import Adviser
    from stocktwin.app.answers.grid import Grid
    from stocktwin.app.model import Model
    from stocktwin.ledger.ledger import Ledger

HISTORY_DAYS = 120
PROJECTION_DAYS = 90
PROJECTION_REPLICATIONS = 400
ANOMALY_DAYS = 90


def item_location(
    ledger: Ledger,
    settings: Settings,
    model: Model,
    grid: Grid,
    adviser: Adviser,
    item_id: str,
    location_id: str,
    shown: int = MOVEMENTS_SHOWN,
) -> dict[str, Any]:
    """The item page's answer, with the last movements and claims; NotFoundError when the pair keeps no stock."""
    snapshot = model.snapshot
    if item_id not in snapshot.item_codes:
        raise NotFoundError("item", item_id)
    if location_id not in snapshot.location_codes:
        raise NotFoundError("location", location_id)
    row = snapshot.row(item_id, location_id)
    if row < 0:
        raise NotFoundError("stock of the item at this location", f"{item_id} at {location_id}")
    places = int(snapshot.scale()[snapshot.item[row]])
    anchored = bool(snapshot.anchored[row])
    movements = ledger.movements_of(item_id, location_id, limit=None).to_pylist()
    claims = observation_page(ledger, movements, item_id, location_id, OBSERVATIONS_SHOWN, None, anchored)
    return plain_answer(
        {
            "item": _master(snapshot.items, int(snapshot.item[row])),
            "location": _master(snapshot.locations, int(snapshot.location[row])),
            "currency": settings.currency,
            "as_of": iso(snapshot.as_of),
            "available": _free(ledger, settings.timezone, item_id, location_id),
            "position": grid.row(row) | _sourcing(model, row),
            "books": _books(ledger, item_id, location_id, places),
            "forecast": _forecast(model, row, places),
            "history": _history(model, row, movements, places),
            "projection": _projection(model, row, places),
            "orders": _orders(model, item_id, location_id, places),
            **_paged("movements", movement_page(movements, shown, None)),
            **_paged("observations", claims),
            **_advice(adviser, model, item_id, location_id),
        }
    )


def _free(ledger: Ledger, timezone: str, item_id: str, location_id: str) -> dict[str, Any] | None:
    """On hand, reserved and available; None where nothing has moved and nothing is reserved."""
    asked = {"item": item_id, "location": location_id, "at": None, "known_at": None}
    rows = available(ledger, timezone, **asked, limit=1, after=None)["rows"]
    return rows[0] if rows else None


def _paged(name: str, page: dict[str, Any]) -> dict[str, Any]:
    """The first page of a list, how long it is, and the cursor of the next page."""
    return {name: page["rows"], f"{name}_total": page["total"], f"{name}_next": page["next"]}


def _master(table: Any, code: int) -> dict[str, Any]:
    return {name: value for name, value in table.slice(code, 1).to_pylist()[0].items() if value is not None}


def _sourcing(model: Model, row: int) -> dict[str, Any]:
    lead, key = model.lead_times, int(model.lead_times.for_rows(model.snapshot)[row])
    policies = model.snapshot.policies
    kinds = policies.column("policy").to_pylist()
    mine = np.flatnonzero(policies.column("row").to_numpy() == row)
    answer: dict[str, Any] = {"policy": kinds[mine[0]] if len(mine) else None, "source_id": None, "lead_time": None}
    if key >= 0:
        quantiles = {name: int(lead.quantile(key, p)) for name, p in (("q10", 0.1), ("q50", 0.5), ("q90", 0.9))}
        answer["source_id"] = lead.keys[key][0]
        answer["lead_time"] = {**quantiles, "mean": number(float(lead.mean_days[key]), 4), "basis": lead.basis[key]}
    return answer


def _books(ledger: Ledger, item_id: str, location_id: str, places: int) -> list[dict[str, Any]]:
    """What each system's own book says, and when it was last heard; of one that only senses, what it saw pass."""
    books, sensing = [], ledger.sensing()
    for system, latest in sorted(ledger.last_event_times().items()):
        balances = ledger.balances(item_id=item_id, location_id=location_id, book=system)
        if balances.num_rows:
            mine = [row for row in balances.to_pylist() if (row["condition"] or "unrestricted") == "unrestricted"]
            books.append(
                {
                    "system": system,
                    "on_hand": exact(sum(row["quantity"] for row in mine), places),
                    "complete": system not in sensing,
                    "last_event_time": iso(latest),
                }
            )
    return books


def _forecast(model: Model, row: int, places: int) -> dict[str, Any]:
    ahead, rows, unit = model.forecast, np.array([row]), 10.0**places
    quantiles = ahead.total_quantiles(rows, ahead.first_day, 28, np.array([0.1, 0.5, 0.9]))[0]
    return {
        "first_day": day(ahead.first_day),
        "per_day": number(float(ahead.level[row]) / unit),
        "basis": ahead.basis_name(row),
        "weekday_index": numbers(ahead.weekday_index[ahead.group[row]], 4),
        "mean": numbers(ahead.mean(rows, np.arange(ahead.first_day, ahead.first_day + PROJECTION_DAYS))[0] / unit),
        "next_28_days": dict(zip(("q10", "q50", "q90"), numbers(quantiles / unit), strict=True)),
    }


def _history(model: Model, row: int, movements: list[dict[str, Any]], places: int) -> dict[str, Any]:
    """Demand and closing on hand of each of the last days."""
    snapshot, unit = model.snapshot, 10.0**places
    first = snapshot.today - HISTORY_DAYS + 1
    demand = snapshot.sales.dense(np.array([row]), first, snapshot.today)[0] / unit
    closing = np.full(HISTORY_DAYS, np.nan)
    ends = snapshot.as_of - np.arange(HISTORY_DAYS - 1, -1, -1) * MICROSECONDS_PER_DAY
    at = HISTORY_DAYS - 1
    for entry in movements:  # newest first: each holds the balance after it
        while at >= 0 and entry["event_time"] <= ends[at]:
            closing[at] = entry["on_hand"]
            at -= 1
    return {
        "first_day": day(first),
        "demand": numbers(demand),
        "on_hand": numbers(closing / unit) if snapshot.anchored[row] else None,
    }


def _projection(model: Model, row: int, places: int) -> dict[str, Any] | None:
    from stocktwin.simulation.engine import project

    fan = project(model.compiled, row, replications=PROJECTION_REPLICATIONS, horizon=PROJECTION_DAYS)
    if fan is None:
        return None
    unit = 10.0**places
    first = model.forecast.first_day
    quantiles = {name: numbers(values / unit) for name, values in fan.quantiles.items()}
    return {
        "days": [day(first + at) for at in range(PROJECTION_DAYS)],
        **quantiles,
        "stockout_probability": numbers(fan.stockout_probability, 4),
        "expected_receipts": numbers(fan.expected_receipts / unit),
        "replications": PROJECTION_REPLICATIONS,
    }


def _orders(model: Model, item_id: str, location_id: str, places: int) -> list[dict[str, Any]]:
    lines = [row for row in model.arrivals.to_pylist() if (row["item_id"], row["to_id"]) == (item_id, location_id)]
    return [
        line
        | {"open_quantity": exact(line["open_quantity"], places)}
        | {name: iso(line[name]) for name in ("ordered_at", "q10", "q50", "q90")}
        for line in sorted(lines, key=lambda line: line["q50"])
    ]


def _advice(adviser: Adviser, model: Model, item_id: str, location_id: str) -> dict[str, Any]:
    found = adviser.anomalies(model, days=ANOMALY_DAYS)["anomalies"]
    shown = adviser.shown(model)
    here = [
        entry
        for entry in (shown["recommendations"] if shown else ())
        if entry["item_id"] == item_id and location_id in (entry["location_id"], entry["from_id"], entry["to_id"])
    ]
    return {
        "anomalies": [entry for entry in found if (entry["item_id"], entry["location_id"]) == (item_id, location_id)],
        "recommendations": here,
    }

"""Truth, record and books of one item-location side by side: for twins of a reference world only, to judge the twin by.

The truth is read through `world.score`, for this answer alone; nothing that the twin believes or advises depends on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stocktwin.app.answers.findings import as_told
from stocktwin.app.answers.values import iso, plain_answer
from stocktwin.app.settings import Settings
from stocktwin.domain.errors import NotFoundError

if TYPE_CHECKING:
    import pyarrow as pa

    from stocktwin.app.answers.advice import Adviser
    from stocktwin.app.model import Model
    from stocktwin.ledger.ledger import Ledger
    from stocktwin.world.score import Truth

WORST = 40
"""Labelled faults that are offered to look at."""
ANOMALY_DAYS = 90
Points = list[list[float]]
"""[milliseconds since 1970, quantity from then on]."""


def has_truth(settings: Settings) -> bool:
    """Whether the twin's folder is that of a world whose truth lies beside it."""
    from stocktwin.world.score import has_truth as found

    return found(settings.root)


def truth(
    ledger: Ledger, settings: Settings, model: Model, adviser: Adviser, item: str | None, location: str | None
) -> dict[str, Any]:
    """What is so, what the twin and each system say, what went wrong and what was found, over time. Without an item,
    those of the costliest labelled fault that still stands. NotFoundError where there is no truth, item or location."""
    from stocktwin.world.score import Truth

    if not has_truth(settings):
        raise NotFoundError("truth in", settings.root.name)
    known = Truth(settings.root)
    worst = known.worst(WORST)
    if item is None:
        if not worst:
            raise NotFoundError("labelled fault in", settings.root.name)
        shown = next((fault for fault in worst if fault["end"] is None), worst[0])
        item, location = shown["item_id"], shown["location_id"]
    row = _row(model, item, location)
    location = model.snapshot.location_codes.ids[int(model.snapshot.location[row])]
    found = [
        entry
        for entry in adviser.anomalies(model, days=ANOMALY_DAYS)["anomalies"]
        if (entry["item_id"], entry["location_id"]) == (item, location)
    ]
    return plain_answer(
        {
            **_about(model, row),
            "currency": settings.currency,
            "as_of": iso(model.snapshot.as_of),
            "series": _series(ledger, known, item, location),
            "claims": _claims(ledger, model, row, item, location),
            "faults": [_fault(entry, found) for entry in known.faults_at(item, location)],
            "anomalies": found,
            "anomaly_days": ANOMALY_DAYS,
            "worst": worst,
        }
    )


def _row(model: Model, item: str, location: str | None) -> int:
    """Row of an item-location; without a location, or where the item is not there, the item's first."""
    snapshot = model.snapshot
    rows = (snapshot.item == snapshot.item_codes.code(item)).nonzero()[0]
    if item not in snapshot.item_codes or not len(rows):
        raise NotFoundError("item", item)
    if location is not None and location not in snapshot.location_codes:
        raise NotFoundError("location", location)
    here = -1 if location is None else snapshot.row(item, location)
    return here if here >= 0 else int(rows[0])


def _about(model: Model, row: int) -> dict[str, Any]:
    snapshot = model.snapshot
    code = int(snapshot.item[row])
    here = snapshot.location[snapshot.item == code]
    item = snapshot.items.slice(code, 1).to_pylist()[0]
    place = snapshot.locations.slice(int(snapshot.location[row]), 1).to_pylist()[0]
    return {
        "item_id": item["item_id"],
        "description": item.get("description"),
        "unit": item["unit"] or "each",
        "unit_cost": item.get("unit_cost"),
        "location_id": place["location_id"],
        "location_name": place.get("name"),
        "locations": [snapshot.location_codes.ids[int(other)] for other in here],
    }


def _series(ledger: Ledger, known: Truth, item: str, location: str) -> list[dict[str, Any]]:
    """Truth first, then the record, then each system's own book; each as steps. What only senses keeps no book."""
    true = known.on_hand(item, location)
    series = [{"name": "truth", "points": _steps(true.column("event_time"), true.column("quantity"))}]
    systems = sorted(ledger.last_event_times().keys() - ledger.sensing())
    for name in (None, *systems):
        moved = ledger.movements_of(item, location, book=name)
        if moved.num_rows:
            scale = 10 ** (moved.column("scale")[0].as_py() or 0)
            oldest_first = moved.take(list(range(moved.num_rows - 1, -1, -1)))
            points = _steps(oldest_first.column("event_time"), oldest_first.column("on_hand"), scale)
            series.append({"name": name or "record", "points": points})
    return [{**one, "last": one["points"][-1][1] if one["points"] else None} for one in series]


def _steps(times: pa.ChunkedArray, levels: pa.ChunkedArray, scale: int = 1) -> Points:
    """The level after each moment at which it changed."""
    points: Points = []
    for when, level in zip(times.to_pylist(), levels.to_pylist(), strict=True):
        at, value = when // 1000, level / scale
        if points and points[-1][0] == at:
            points[-1][1] = value
        elif not points or points[-1][1] != value:
            points.append([at, value])
    return points


def _claims(ledger: Ledger, model: Model, row: int, item: str, location: str) -> list[dict[str, Any]]:
    scale = 10 ** int(model.snapshot.scale()[model.snapshot.item[row]])
    return [
        {
            "at": claim["event_time"] // 1000,
            "method": claim["method"],
            "system": claim["system"],
            "lot": claim["lot"],
            "quantity": claim["quantity"] / scale,
        }
        for claim in ledger.claims_of(item, location).to_pylist()
    ]


def _fault(fault: dict[str, Any], found: list[dict[str, Any]]) -> dict[str, Any]:
    """A label, with the finding of the twin that is about it: under its own name, or, where the record is wrong, under
    another."""
    from stocktwin.world.score_cases import Case, about

    told = []
    for entry in found:
        named = as_told(entry)
        case = Case(**named | {"moments": tuple(named["moments"])}, told=tuple(named["moments"][-1:]))
        if about(case, fault["span"]):
            told.append(entry["kind"])
    right = fault["cause"] in told
    plain = {name: value for name, value in fault.items() if name != "span"}
    other = told[0] if told and fault["on_record"] else None
    return {**plain, "found": right, "told_as": fault["cause"] if right else other}

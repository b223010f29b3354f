"""Which facts came late, what was wrong until they came, and which decisions were taken meanwhile."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from stocktwin.app.answers.ledger import moment
from stocktwin.app.answers.paging import page
from stocktwin.app.answers.values import exact, iso, number, plain_answer
from stocktwin.ledger.days import local_day_number
from stocktwin.ledger.late_query import Change, Wanted, late_facts, levels_around, place_names

if TYPE_CHECKING:
    from stocktwin.ledger.learned import Heard
    from stocktwin.ledger.ledger import Ledger

Row = dict[str, Any]
MICROSECONDS_PER_HOUR = 3_600_000_000
_INSTANTS = ("event_time", "known_at", "source_recorded_at", "learned_at")
_INSIDE = ("changes", "scale", "item", "seq", "pos", "lag", "history")
NOT_JOURNALLED = (
    "only decisions are journalled: recommendations and alerts that were shown meanwhile, and not decided on, are not"
)


def late(
    ledger: Ledger,
    timezone: str,
    *,
    since: str | None,
    hours: float | None,
    item: str | None,
    location: str | None,
    limit: int | None,
    after: str | None,
) -> Row:
    """Late facts, the latest learned first, each with what it changed; the item-locations whose past they changed, most
    money first; the decisions taken while it was wrong."""
    wanted = Wanted(moment(since, timezone, "since", end_of_day=False), hours, item, location)
    found = late_facts(ledger, wanted)
    names, zones = place_names(ledger), _zones(ledger, timezone)
    shown, following = page(found.rows, _order, name="late", limit=limit, after=after)
    decisions = _decisions(ledger, found.rows, names)
    return plain_answer(
        {
            "rows": [_told(row, names, zones) for row in shown],
            "total": len(found.rows),
            "next": following,
            "balances": _balances(ledger, found.rows, names),
            "decisions": decisions,
            "systems": [_habit(one, hours, found.rows) for one in found.systems],
            "assumptions": [*found.assumed, NOT_JOURNALLED],
        }
    )


def _order(row: Row) -> tuple[int, int, int]:
    return -row["learned_at"], -row["seq"], -row["pos"]


def _zones(ledger: Ledger, timezone: str) -> dict[str, tuple[str, str | None]]:
    """Location → its time zone and cut-off."""
    places = ledger.current("locations").select(["location_id", "timezone", "cutoff"]).to_pylist()
    return {row["location_id"]: (row["timezone"] or timezone, row["cutoff"]) for row in places}


def _told(row: Row, names: dict[int, str], zones: dict[str, tuple[str, str | None]]) -> Row:
    scale = row["scale"] or 0
    told = {name: value for name, value in row.items() if name not in _INSIDE}
    told |= {name: iso(row[name]) for name in _INSTANTS}
    home = zones.get(str(row["from_id"])) or zones.get(str(row["to_id"]))
    return {
        **told,
        "batch": row["seq"],
        "quantity": exact(row["quantity"], scale),
        "lag_hours": number(row["lag"] / MICROSECONDS_PER_HOUR, 4),
        "clock": "source" if row["history"] else "twin",
        "days_closed": None if home is None else _closed(row, home),
        "changes": [_changed(one, names, scale) for one in row["changes"]],
    }


def _closed(row: Row, home: tuple[str, str | None]) -> int:
    """How many local days had ended between the event and its becoming known."""
    try:
        first, last = (local_day_number(row[name], *home) for name in ("event_time", "learned_at"))
    except ValueError:  # a time zone that does not exist
        return 0
    return last - first


def _changed(change: Change, names: dict[int, str], scale: int) -> Row:
    return {
        "location_id": names[change.place],
        "quantity": exact(change.quantity, scale),
        "wrong_from": iso(change.event_time),
        "wrong_until": iso(change.learned),
        "then": exact(change.then, scale),
        "now": exact(change.now, scale),
        "until_then": exact(change.until_then, scale),
        "until_now": exact(change.until_now, scale),
    }


def _balances(ledger: Ledger, rows: list[Row], names: dict[int, str]) -> list[Row]:
    """Item-locations whose past balances were changed: by how many facts, when, and where it was furthest off."""
    by_pair: dict[tuple[str, int], list[tuple[Row, Change]]] = defaultdict(list)
    for row in rows:
        for change in row["changes"]:
            by_pair[row["item_id"], change.place].append((row, change))
    costs = {}
    if by_pair:
        items = ledger.current("items").select(["item_id", "unit_cost"]).to_pylist()
        costs = {row["item_id"]: row["unit_cost"] for row in items}
    found = [_pair(item, names[place], told, costs.get(item)) for (item, place), told in by_pair.items()]
    return sorted(found, key=lambda one: (one["value"] is None, -abs(one["value"] or 0), one["item_id"]))


def _pair(item: str, location: str, told: list[tuple[Row, Change]], cost: Any) -> Row:
    """One item-location; the moment shown is the one at which what was believed was furthest off."""
    moments = [
        gap
        for _, change in told
        for gap in (
            (change.now - change.then, change.event_time, change.then, change.now),
            (change.until_now - change.until_then, change.learned, change.until_then, change.until_now),
        )
    ]
    off, at, then, now = max(moments, key=lambda gap: (abs(gap[0]), -gap[1]))
    scale = told[0][0]["scale"] or 0
    return {
        "item_id": item,
        "location_id": location,
        "facts": len(told),
        "wrong_from": iso(min(change.event_time for _, change in told)),
        "wrong_until": iso(max(change.learned for _, change in told)),
        "at": iso(at),
        "then": exact(then, scale),
        "now": exact(now, scale),
        "difference": exact(off, scale),
        "unit": told[0][0]["unit"] or "each",
        "value": None if cost is None else number(off / 10**scale * float(cost), 8),
    }


def _decisions(ledger: Ledger, rows: list[Row], names: dict[int, str]) -> list[Row]:
    """Decisions about an item-location taken while its balance was wrong, with that balance then and as known now."""
    wrong: dict[tuple[str, str], list[tuple[int, int, str | None]]] = defaultdict(list)
    for row in rows:
        for change in row["changes"]:
            span = (change.event_time, change.learned, row["event_id"])
            wrong[row["item_id"], names[change.place]].append(span)
    found: list[Row] = []
    for entry in ledger.decisions() if wrong else []:
        at = entry["recorded_at"]
        for item, place in _places(entry):
            late_ones = [event for first, until, event in wrong.get((item, place), []) if first <= at < until]
            if late_ones:
                told = {"item_id": item, "location_id": place, "at": at, "late_facts": late_ones}
                found.append({**_decision(entry), **told})
    around = levels_around(ledger, [(one["item_id"], one["location_id"], one["at"]) for one in found])
    scales = {row["item_id"]: row["scale"] or 0 for row in rows}
    return [_beside(one, levels, scales[one["item_id"]]) for one, levels in zip(found, around, strict=True)]


def _places(entry: Row) -> list[tuple[str, str]]:
    """The item-locations that a decision was about; none of one about something else."""
    advice = entry.get("recommendation")
    if not isinstance(advice, dict) or not advice.get("item_id"):
        return []
    places = dict.fromkeys(advice.get(name) for name in ("location_id", "from_id", "to_id"))
    return [(str(advice["item_id"]), str(place)) for place in places if place]


def _decision(entry: Row) -> Row:
    advice = entry["recommendation"]
    return {
        **{name: entry.get(name) for name in ("id", "decision", "by", "reason", "seq")},
        "kind": advice.get("kind"),
        "description": advice.get("description"),
    }


def _beside(one: Row, levels: tuple[int, int] | None, scale: int) -> Row:
    then, now = levels or (None, None)
    rest = {name: value for name, value in one.items() if name != "at"}
    return {**rest, "recorded_at": iso(one["at"]), "then": exact(then, scale), "now": exact(now, scale)}


def _habit(one: Heard, hours: float | None, rows: list[Row]) -> Row:
    hour = MICROSECONDS_PER_HOUR
    return {
        "system": one.system,
        "listened_since": iso(one.since),
        "facts": one.facts,
        "late": sum(1 for row in rows if row["system"] == one.system),
        "usual_lag_hours": number(one.usual / hour, 4),
        "nine_of_ten_hours": number(one.nine_of_ten / hour, 4),
        "late_after_hours": number(one.patience / hour if hours is None else hours, 4),
    }

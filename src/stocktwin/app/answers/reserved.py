"""What is reserved, by whom, and what is still available."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from stocktwin.app.answers.ledger import moment
from stocktwin.app.answers.paging import page
from stocktwin.app.answers.values import exact, iso
from stocktwin.domain.errors import UsageError
from stocktwin.ledger.reservations import PENDING, STATES
from stocktwin.ledger.reservations import reservations as lines_of

if TYPE_CHECKING:
    from stocktwin.ledger.ledger import Ledger

Row = dict[str, Any]
Pair = tuple[str, str]
STANDING = (None, "unrestricted", "expired")
"""Conditions of which a place is listed; what has expired counts as nothing."""
_INSTANTS = ("ordered_at", "requested_at", "promised_at", "expires_at")
_QUANTITIES = ("quantity", "cancelled", "posted", "pending", "covered")


def reservations(
    ledger: Ledger,
    timezone: str,
    *,
    item: str | None,
    location: str | None,
    at: str | None,
    known_at: str | None,
    state: str | None,
    limit: int | None,
    after: str | None,
) -> Row:
    """Order lines that reserve stock (or did: `state`, `all` for every one), in the order in which they are served;
    `covered` is what of a pending line the stock on hand suffices for."""
    if state not in (None, "all", *STATES):
        raise UsageError(f"state: no state {state!r}; known: {', '.join(STATES)}, all")
    at_us, known_us = moment(at, timezone, "at"), moment(known_at, timezone, "known_at")
    rows, problems = lines_of(ledger, at=at_us, known_at=known_us, item_id=item, location_id=location)
    _cover(rows, _levels(ledger, at_us, known_us, item, location))
    chosen = [row for row in rows if state == "all" or row["state"] == (state or PENDING)]
    shown, following = page(chosen, _served, name="reservations", limit=limit, after=after)
    told = {"at": iso(at_us), "known_at": iso(known_us), "problems": problems}
    return {"rows": [_line(row) for row in shown], "total": len(chosen), "next": following, **told}


def available(
    ledger: Ledger,
    timezone: str,
    *,
    item: str | None,
    location: str | None,
    at: str | None,
    known_at: str | None,
    limit: int | None,
    after: str | None,
) -> Row:
    """On hand, reserved and available per item-location; null where the opening is unknown."""
    at_us, known_us = moment(at, timezone, "at"), moment(known_at, timezone, "known_at")
    rows, problems = lines_of(ledger, at=at_us, known_at=known_us, item_id=item, location_id=location)
    levels = _levels(ledger, at_us, known_us, item, location)
    pending: dict[Pair, list[Row]] = defaultdict(list)
    for row in rows:
        if row["state"] == PENDING:
            pending[_pair(row)].append(row)
    found = [_available(key, levels.get(key), pending.get(key, [])) for key in sorted(levels.keys() | pending.keys())]
    shown, following = page(found, _pair, name="available", limit=limit, after=after)
    told = {"at": iso(at_us), "known_at": iso(known_us), "problems": problems}
    return {"rows": shown, "total": len(found), "next": following, **told}


def _levels(
    ledger: Ledger, at: int | None, known_at: int | None, item: str | None, location: str | None
) -> dict[Pair, Row]:
    """Our unrestricted, unexpired stock by item and location, lots added up."""
    from stocktwin.ledger.lots.expiry import expire

    found: dict[Pair, Row] = {}
    told = ledger.balances(at=at, known_at=known_at, item_id=item, location_id=location)
    for row in expire(ledger, told, at, known_at).to_pylist():
        if row["condition"] in STANDING and row["owner"] is None:
            here = found.setdefault(_pair(row), {**row, "quantity": 0})
            here["quantity"] += row["quantity"] if row["condition"] != "expired" else 0
    return found


def _cover(rows: list[Row], levels: dict[Pair, Row]) -> None:
    """Says of each line how much of it the stock on hand covers, those to be served first at first."""
    left = {key: max(row["quantity"], 0) for key, row in levels.items()}
    for row in rows:
        row["covered"] = min(row["pending"], left.get(_pair(row), 0))
        left[_pair(row)] = left.get(_pair(row), 0) - row["covered"]


def _available(key: Pair, level: Row | None, lines: list[Row]) -> Row:
    one = level or lines[0]
    scale = one["scale"] or 0
    reserved = sum(line["pending"] for line in lines)
    on_hand = 0 if level is None else level["quantity"]
    known = level is None or level["anchored"]
    return {
        "item_id": key[0],
        "location_id": key[1],
        "on_hand": exact(on_hand, scale) if known else None,
        "reserved": exact(reserved, scale),
        "available": exact(on_hand - reserved, scale) if known else None,
        "lines": len(lines),
        "unit": one["unit"] or "each",
    }


def _pair(row: Row) -> Pair:
    return row["item_id"], row["location_id"]


def _served(row: Row) -> tuple[Any, ...]:
    """The order in which lines are served: by priority, then by when they were asked for."""
    priority = row["customer_priority"]
    asked = row["ordered_at"] if row["requested_at"] is None else row["requested_at"]
    rest = (row["ordered_at"], row["order_id"], row["line"], row["system"])
    return *_pair(row), priority is None, priority or 0, asked, *rest


def _line(row: Row) -> Row:
    scale = row["scale"] or 0
    told = {name: value for name, value in row.items() if name != "scale"}
    times = {name: iso(row[name]) for name in _INSTANTS}
    return {**told, **times, **{name: exact(row[name], scale) for name in _QUANTITIES}}

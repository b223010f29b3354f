"""What happened to an item at a place, and what was seen of it there: newest first, a page at a time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stocktwin.app.answers.paging import page
from stocktwin.app.answers.values import exact, iso, plain_answer

if TYPE_CHECKING:
    from stocktwin.ledger.ledger import Ledger

Rows = list[dict[str, Any]]
MOVEMENTS_SHOWN = 100
OBSERVATIONS_SHOWN = 20
POSITION = ("seq", "pos", "scale")
"""Where a movement lies in the journal, and what its quantities are told in: not part of an answer."""


def movements(ledger: Ledger, item: str, location: str, *, limit: int | None, after: str | None) -> dict[str, Any]:
    """Postings on the record with the balance after each. NotFoundError names an unknown item or location."""
    return plain_answer(movement_page(ledger.movements_of(item, location).to_pylist(), limit, after))


def observations(ledger: Ledger, item: str, location: str, *, limit: int | None, after: str | None) -> dict[str, Any]:
    """Counts and claims of each system, each beside what the record said at that moment. NotFoundError names an unknown
    item or location."""
    posted = ledger.movements_of(item, location).to_pylist()
    known = all(row["anchored"] for row in ledger.balances(item_id=item, location_id=location).to_pylist())
    return plain_answer(observation_page(ledger, posted, item, location, limit, after, known))


def movement_page(posted: Rows, limit: int | None, after: str | None) -> dict[str, Any]:
    """A page of the postings that the ledger tells."""
    shown, following = page(posted, _posting, name="movements", limit=limit, after=after)
    return {"rows": [_movement(row) for row in shown], "total": len(posted), "next": following}


def observation_page(
    ledger: Ledger, posted: Rows, item: str, location: str, limit: int | None, after: str | None, known: bool
) -> dict[str, Any]:
    """A page of claims; `posted` are all postings of the place, `known` whether its opening is."""
    claims = ledger.claims_of(item, location)
    shown, following = page(claims.to_pylist(), _claim, name="observations", limit=limit, after=after)
    level = _Level(posted if known else [])
    return {"rows": [_observation(row, level) for row in shown], "total": claims.num_rows, "next": following}


def _posting(row: dict[str, Any]) -> tuple[Any, ...]:
    """Newest first; a movement within one place has two postings."""
    side = (row["condition"] or "", row["lot"] or "", row["owner"] or "", row["quantity"])
    return -row["event_time"], -row["seq"], -row["pos"], *side


def _claim(row: dict[str, Any]) -> tuple[Any, ...]:
    return -row["event_time"], row["system"], row["event_id"]


def _movement(row: dict[str, Any]) -> dict[str, Any]:
    places = row["scale"] or 0
    told = {name: value for name, value in row.items() if name not in POSITION}
    quantities = {"quantity": exact(row["quantity"], places), "balance": exact(row["on_hand"], places)}
    return told | quantities | {name: iso(row[name]) for name in ("event_time", "known_at", "recorded_at")}


def _observation(row: dict[str, Any], level: _Level) -> dict[str, Any]:
    places = row["scale"] or 0
    record = level.at(row["event_time"]) if row["lot"] is None else None
    difference = None if record is None else row["quantity"] - record
    return {
        **{name: row[name] for name in ("event_id", "method", "system", "lot", "scope", "unit")},
        "event_time": iso(row["event_time"]),
        "quantity": exact(row["quantity"], places),
        "record": exact(record, places),
        "difference": exact(difference, places),
    }


class _Level:
    """On hand on the record over time, from postings newest first; not known before the first of them."""

    def __init__(self, posted: Sequence[dict[str, Any]]) -> None:
        self._falling = [-row["event_time"] for row in posted]
        self._after = [row["on_hand"] for row in posted]

    def at(self, moment: int) -> int | None:
        """Atomic units after everything that happened until then."""
        k = bisect_left(self._falling, -moment)
        return self._after[k] if k < len(self._after) else None

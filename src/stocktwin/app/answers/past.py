"""Questions with two clocks: what happened until T, as it was known at D."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stocktwin.app.answers.ledger import moment
from stocktwin.app.answers.paging import cursor, page, read_cursor, refuse
from stocktwin.app.answers.reserved import STANDING
from stocktwin.app.answers.values import exact, iso, number, plain_answer
from stocktwin.domain.errors import NotFoundError, UsageError
from stocktwin.domain.identity import CONDITIONS
from stocktwin.ledger.account_query import Account, Times, history_of, levels_of, spot
from stocktwin.ledger.learned import balances_learned, learned_range

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stocktwin.ledger.ledger import Ledger

Row = dict[str, Any]
Asked = dict[str, str | None]
HISTORY = "history"
_INSTANTS = ("event_time", "known_at", "recorded_at", "source_recorded_at")
_QUANTITIES = ("quantity", "stated", "balance", "on_hand")
CURVE_POINTS = 2_000


def times_of(asked: Mapping[str, str | None], timezone: str) -> Times:
    """The moments a user typed. UsageError for one that is none, and for `known_at` beside `learned_by`."""
    if asked.get("known_at") and asked.get("learned_by"):
        raise UsageError("known_at and learned_by: give one of them")
    names = ("since", "at", "known_at", "learned_by")
    return Times(**{name: moment(asked.get(name) or None, timezone, name, name != "since") for name in names})


def history(
    ledger: Ledger, timezone: str, account: Account, asked: Asked, *, limit: int | None, after: str | None
) -> Row:
    """Every fact of an account with its source and the balance after it, newest first, a page at a time."""
    times = times_of(asked, timezone)
    if account.condition not in (None, *CONDITIONS):
        raise UsageError(f"condition: no condition {account.condition!r}; known: {', '.join(CONDITIONS)}")
    before = None if after is None else _spot(after)
    rows, total = history_of(ledger, account, times, None if limit is None else limit + 1, before)
    if not total and account.lot is not None:
        _refuse_unknown(ledger, account)
    shown = rows if limit is None else rows[:limit]
    following = cursor(HISTORY, spot(shown[-1])) if len(rows) > len(shown) else None
    told = {**asdict(account), "book": account.book or "record"}
    return plain_answer(
        {**told, **_moments(times), "rows": [_fact(row) for row in shown], "total": total, "next": following}
    )


def _refuse_unknown(ledger: Ledger, account: Account) -> None:
    """NotFoundError for a lot that no fact of the item names, in any book."""
    books = (None, *(source["system"] for source in ledger.status()["sources"]))
    if not any(history_of(ledger, Account(account.item, lot=account.lot, book=book), Times(), 1)[1] for book in books):
        raise NotFoundError("lot", f"{account.lot} of {account.item}")


def _spot(after: str) -> Any:
    """The spot in a cursor of a history; UsageError for another list's."""
    key = read_cursor(HISTORY, after)
    if [type(part) for part in key] != [int, int, int, str, bool]:
        refuse(after)
    return key


def _moments(times: Times) -> Row:
    return {name: iso(value) for name, value in asdict(times).items()}


def _fact(row: Row) -> Row:
    places = row["scale"] or 0
    told = {name: value for name, value in row.items() if name not in ("scale", "pos")}
    told |= {name: exact(row[name], places) for name in _QUANTITIES}
    told |= {name: iso(row[name]) for name in _INSTANTS}
    if row["stated"] is not None and row["lot"] is None:
        told["balance"] = None  # it is about all lots together: see on_hand
    told["corrects"] = None if row["corrects"] is None else _link(row["corrects"], places)
    told["corrected_by"] = [_link(one, places) for one in row["corrected_by"]]
    return told


def _link(fact: Row, places: int) -> Row:
    if "quantity" not in fact:
        return dict(fact)
    times = {name: iso(fact[name]) for name in ("event_time", "known_at")}
    return {**fact, **times, "quantity": exact(fact["quantity"], places)}


def then(
    ledger: Ledger,
    timezone: str,
    asked: Asked,
    *,
    search: str | None = None,
    changed: bool = False,
    limit: int | None = None,
    after: str | None = None,
) -> Row:
    """Stock as of T, as known at D and as known now, per item and location; `changed`: only where they differ."""
    from stocktwin.ledger.lots.expiry import expire

    times = times_of(asked, timezone)
    place: dict[str, Any] = {"item_id": asked.get("item"), "location_id": asked.get("location"), "stocking_only": True}
    now = _levels(expire(ledger, ledger.balances(at=times.at, **place), times.at))
    before = now
    if times.learned_by is not None:
        before = _levels(expire(ledger, balances_learned(ledger, times.learned_by, at=times.at, **place), times.at))
    elif times.known_at is not None:
        told = ledger.balances(at=times.at, known_at=times.known_at, **place)
        before = _levels(expire(ledger, told, times.at, times.known_at))
    rows = [_both(key, before.get(key), now.get(key)) for key in sorted(before.keys() | now.keys())]
    differing = sum(1 for row in rows if row["difference"])
    words = (search or "").casefold().split()
    chosen = [row for row in rows if (row["difference"] or not changed) and _has(row, words)]
    shown, following = page(chosen, _pair, name="then", limit=limit, after=after)
    return {
        "rows": [_exactly(row) for row in shown],
        "total": len(chosen),
        "differing": differing,
        "next": following,
        **_moments(times),
    }


def _levels(table: Any) -> dict[tuple[str, str], Row]:
    """Our unrestricted, unexpired stock by item and location, lots added up."""
    found: dict[tuple[str, str], Row] = {}
    for row in table.to_pylist():
        if row["condition"] in STANDING and row["owner"] is None:
            key = row["item_id"], row["location_id"]
            kept = found.setdefault(key, {**row, "quantity": 0})
            kept["quantity"] += row["quantity"] if row["condition"] != "expired" else 0
    return found


def _both(key: tuple[str, str], before: Row | None, now: Row | None) -> Row:
    one = now or before or {}
    old, new = (None if side is None else side["quantity"] for side in (before, now))
    return {
        "item_id": key[0],
        "location_id": key[1],
        "on_hand": old,
        "on_hand_known_now": new,
        "difference": (new or 0) - (old or 0),
        "anchored": bool((before or one).get("anchored", True)),
        "unit": one.get("unit") or "each",
        "scale": one.get("scale") or 0,
    }


def _exactly(row: Row) -> Row:
    scale = row["scale"]
    names = ("on_hand", "on_hand_known_now", "difference")
    return {name: exact(value, scale) if name in names else value for name, value in row.items() if name != "scale"}


def _has(row: Row, words: list[str]) -> bool:
    text = f"{row['item_id']} {row['location_id']}".casefold()
    return all(word in text for word in words)


def _pair(row: Row) -> tuple[str, str]:
    return row["item_id"], row["location_id"]


def curve(ledger: Ledger, timezone: str, asked: Asked) -> Row:
    """On hand of an item over time: as it was known at D, and as it is known now. Points are [ms, level in base units].

    At most 2,000 points a line: the last of each of so many equal spans.
    """
    times = times_of(asked, timezone)
    item, location = str(asked["item"]), asked.get("location")
    item_row = ledger.balances(item_id=item).to_pylist()
    unit = 10 ** int(item_row[0]["scale"] or 0) if item_row else 1
    known = Times(known_at=times.known_at, learned_by=times.learned_by)
    lines = {"then": levels_of(ledger, item, location, known), "now": levels_of(ledger, item, location, Times())}
    return {
        "item_id": item,
        "location_id": location,
        **_moments(times),
        **{name: [[at // 1000, number(level / unit, 12)] for at, level in _thinned(points)]
           for name, points in lines.items()},
    }  # fmt: skip


def _thinned(points: list[tuple[int, int]]) -> list[tuple[int, int]]:
    if len(points) <= CURVE_POINTS:
        return points
    first, last = points[0][0], points[-1][0]
    kept = {(at - first) * (CURVE_POINTS - 1) // (last - first): (at, level) for at, level in points}
    return list(kept.values())


def span(ledger: Ledger) -> Row:
    """From when to when anything happened, and was learned; nulls where nothing has happened."""
    found = learned_range(ledger) or (None, None, None, None)
    names = ("first_event", "last_event", "first_learned", "last_learned")
    return {name: iso(value) for name, value in zip(names, found, strict=True)}

"""Stock past its date is no longer on hand, in every answer, without anybody posting it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from stocktwin.app.answers.ledger import stock
from stocktwin.app.answers.past import then
from stocktwin.app.answers.reserved import available
from stocktwin.ledger.ledger import Ledger
from stocktwin.ledger.lots.expiry import expire, unexpired
from stocktwin.ledger.lots.kept import newest, twin_clock
from stocktwin.ledger.lots.stock import lot_stock
from stocktwin.ledger.status_query import clock as read_clock

Move = Callable[..., dict[str, Any]]
Deliver = Callable[..., Any]


@pytest.fixture
def shelf(ledger: Ledger, master: list[Any], deliver: Deliver, move: Move) -> Ledger:
    """At D1 10 of lot OLD (until 4 March), 7 of GOOD, 5 without a lot; the last fact is of 5 March, 07:00 UTC."""
    rows = [
        move("1", "receipt", 10, 0, to_id="D1", lot="OLD", expiry=date(2025, 3, 4)),
        move("2", "receipt", 7, 1, to_id="D1", lot="GOOD", expiry=date(2026, 3, 4)),
        move("3", "receipt", 5, 2, to_id="D1"),
        move("4", "receipt", 1, 47, to_id="D2", lot="GOOD"),
    ]
    ledger.append([*master, deliver("movements", *rows)])
    return ledger


def on_hand(ledger: Ledger, at: str | None = None) -> dict[Any, Any]:
    asked = dict.fromkeys(("item", "location", "known_at", "book", "limit", "after"))
    answer = stock(ledger, "UTC", **asked, at=at)
    return {(row["location_id"], row["lot"]): row["on_hand"] for row in answer["rows"]}


def test_stock_leaves_out_what_has_expired(shelf: Ledger) -> None:
    assert on_hand(shelf) == {("D1", "GOOD"): 7, ("D1", None): 5, ("D2", "GOOD"): 1}
    assert on_hand(shelf, "2025-03-03")["D1", "OLD"] == 10
    assert ("D1", "OLD") not in on_hand(shelf, "2025-03-04")


def test_the_snapshot_says_the_same(shelf: Ledger) -> None:
    posted = shelf.snapshot()
    snapshot = unexpired(shelf, posted)
    row = snapshot.row("I", "D1")
    assert (posted.on_hand[row], snapshot.on_hand[row]) == (22, 12)
    assert snapshot.on_hand[snapshot.row("I", "D2")] == 1


def test_the_day_is_that_of_the_place(shelf: Ledger, deliver: Deliver) -> None:
    morning = read_clock(shelf._projection.cursor(), 0) - 28 * 3_600_000_000  # 4 March, 03:00 UTC

    def conditions() -> list[str]:
        told: list[str] = expire(shelf, shelf.balances(item_id="I"), morning).column("condition").to_pylist()
        return told

    assert conditions().count("expired") == 1
    shelf.append([deliver("locations", {"location_id": "D1", "kind": "dc", "timezone": "America/New_York"})])
    assert conditions().count("expired") == 0


def test_a_lot_issued_under_a_wrong_name_does_not_expire_twice(shelf: Ledger, deliver: Deliver, move: Move) -> None:
    wrong = move("5", "sale", 9, 3, from_id="D1", lot="OTHER", expiry=date(2025, 3, 1))
    shelf.append([deliver("movements", wrong)])
    snapshot = unexpired(shelf, shelf.snapshot())
    assert snapshot.on_hand[snapshot.row("I", "D1")] == 12
    shelf.append([deliver("movements", move("6", "sale", 9, 4, from_id="D1", lot="OTHER"))])
    snapshot = unexpired(shelf, shelf.snapshot())
    assert snapshot.on_hand[snapshot.row("I", "D1")] == 4
    assert sum(on_hand(shelf).values()) == 4 + 1


@pytest.mark.parametrize(("sold", "expired"), [(4, 10), (9, 6), (20, 0)])
def test_what_was_issued_without_a_lot_does_not_expire(
    shelf: Ledger, deliver: Deliver, move: Move, sold: int, expired: int
) -> None:
    shelf.append([deliver("movements", move("5", "sale", sold, 3, from_id="D1"))])
    left = 22 - sold - expired
    snapshot = unexpired(shelf, shelf.snapshot())
    assert snapshot.on_hand[snapshot.row("I", "D1")] == left
    assert sum(on_hand(shelf).values()) == left + 1
    asked: dict[str, Any] = dict.fromkeys(("item", "location", "at", "known_at", "limit", "after"))
    levels = {row["location_id"]: row["on_hand"] for row in available(shelf, "UTC", **asked)["rows"]}
    assert levels == {"D1": left, "D2": 1}
    assert {row["location_id"]: row["on_hand"] for row in then(shelf, "UTC", {})["rows"]} == levels
    told = expire(shelf, shelf.balances())
    assert sum(told.column("quantity").to_pylist()) == sum(shelf.balances().column("quantity").to_pylist())


def test_what_is_kept_is_brought_up_to_date(shelf: Ledger, deliver: Deliver, move: Move) -> None:
    assert on_hand(shelf)["D1", "GOOD"] == 7
    shelf.append([deliver("movements", move("7", "receipt", 1, 5, to_id="D2", lot="GOOD", expiry=date(2025, 3, 2)))])
    assert on_hand(shelf) == {("D1", None): 5}
    con = shelf._projection.cursor()
    shelf.append([deliver("movements", move("8", "receipt", 1, 60, to_id="D2"))])
    assert twin_clock(shelf, con) == read_clock(con, 0)


def test_posted_and_told_conditions_stand_beside_each_other(shelf: Ledger, deliver: Deliver, move: Move) -> None:
    posted = move("9", "status", 4, 6, from_id="D1", lot="OLD", condition="unrestricted", to_condition="blocked")
    owned = move("10", "adjustment", 3, 6, to_id="D1", lot="OLD", owner="VENDOR")
    shelf.append([deliver("movements", posted, owned)])
    rows, _ = lot_stock(shelf, item_id="I", location_id="D1")
    told = {(row.lot, row.condition, row.posted_condition, row.owner): row.quantity for row in rows}
    assert told == {
        ("OLD", "expired", "unrestricted", None): 6,
        ("OLD", "blocked", "blocked", None): 4,
        ("OLD", "expired", "unrestricted", "VENDOR"): 3,
        ("GOOD", "unrestricted", "unrestricted", None): 7,
        (None, "unrestricted", "unrestricted", None): 5,
    }


def test_which_items_a_document_touches_is_kept_too(shelf: Ledger, deliver: Deliver, move: Move) -> None:
    def touched(*documents: str) -> list[str]:
        con = shelf._projection.cursor()
        codes = newest(shelf, con, "transforms").items_of(con, documents)
        names = dict(con.execute("SELECT code, item_id FROM item").fetchall())
        return [names[code] for code in codes]

    assert touched("MIX") == []
    for number, item in enumerate("IK"):
        row = move(f"t{number}", "transform", 2, 8, from_id="D1", document="MIX", item_id=item)
        shelf.append([deliver("movements", row)])
        assert touched("MIX", "OTHER") == ["I", "K"][: number + 1]

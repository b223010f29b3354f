"""The history of an account: whole, in order, with its sources, links and running balances; in pages too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stocktwin.domain.calendar import MICROSECONDS_PER_DAY
from stocktwin.domain.errors import NotFoundError
from stocktwin.domain.ports import FixedClock
from stocktwin.domain.rules import Rules
from stocktwin.ledger.account_query import Account, Times, history_of, levels_of, spot
from stocktwin.ledger.learned import balances_learned
from stocktwin.ledger.ledger import Ledger

HOUR = MICROSECONDS_PER_DAY // 24
Deliver = Callable[..., Any]
Move = Callable[..., dict[str, Any]]


@pytest.fixture
def told(
    ledger: Ledger, clock: FixedClock, master: list[Any], deliver: Deliver, move: Move, see: Move
) -> tuple[Ledger, int, int]:
    """A ledger in two deliveries of a day apart, with their record times: lots, a lane, a status, a count, a
    correction."""
    first = [
        move("r", "receipt", 3, 1, unit="case", to_id="D1", lot="L1", document="GR-1"),
        move("r2", "receipt", 10, 2, to_id="D1"),
        move("s", "sale", 4, 3, from_id="D1", lot="L1", order_id="SO", line="2"),
        move("o", "transfer_out", 5, 3, from_id="D1", to_id="D2"),
        move("b", "status", 2, 4, from_id="D1", to_condition="blocked"),
    ]
    ledger.append([*master, deliver("movements", *first, file="day-1.csv")])
    known = clock.now()
    ledger.append([deliver("observations", see("c", "cycle_count", 29, 5))])
    clock.advance(MICROSECONDS_PER_DAY)
    again = [
        move("s-r", "sale", 4, 3, from_id="customer", to_id="D1", lot="L1", corrects="s", reason="wrong customer"),
        move("i", "transfer_in", 5, 6, from_id="D1", to_id="D2"),
    ]
    ledger.append([deliver("movements", *again, file="day-2.csv")])
    return ledger, known, clock.now()


def test_every_fact_with_where_it_came_from(told: tuple[Ledger, int, int]) -> None:
    ledger, _, _ = told
    rows, total = history_of(ledger, Account("I", "D1"), Times())
    assert total == len(rows) == 8
    assert [row["event_id"] for row in rows] == ["c", "b", "b", "s-r", "o", "s", "r2", "r"]
    receipt = rows[-1]
    assert (receipt["file"], receipt["row"], receipt["source"], receipt["system"]) == ("day-1.csv", 1, "erp", "erp")
    assert (receipt["quantity"], receipt["document"], receipt["counterpart"]) == (36, "GR-1", "supplier")
    assert rows[5]["order_line"] == "2"
    count = rows[0]
    assert (count["table"], count["kind"], count["stated"], count["quantity"]) == (
        "observations", "cycle_count", 29, None)  # fmt: skip
    assert count["on_hand"] == 36 + 10 - 5 - 2, "the record beside the count"


def test_a_correction_stands_beside_what_it_corrects_once_it_is_known(told: tuple[Ledger, int, int]) -> None:
    ledger, first, _ = told
    rows = {row["event_id"]: row for row in history_of(ledger, Account("I", "D1"), Times())[0]}
    assert rows["s-r"]["corrects"]["event_id"] == "s"
    assert [one["event_id"] for one in rows["s"]["corrected_by"]] == ["s-r"]
    before = {row["event_id"]: row for row in history_of(ledger, Account("I", "D1"), Times(known_at=first))[0]}
    assert "s-r" not in before
    assert before["s"]["corrected_by"] == []


def test_balances_are_those_of_the_ledger_at_every_moment(told: tuple[Ledger, int, int]) -> None:
    ledger, first, _ = told
    for times in (Times(), Times(known_at=first)):
        rows = history_of(ledger, Account("I"), times)[0]
        for row in rows:
            accounts = ledger.balances(at=row["event_time"], known_at=times.known_at, stocking_only=False).to_pylist()
            here = [one for one in accounts if (one["item_id"], one["location_id"]) == ("I", row["location_id"])]
            free = [one["quantity"] for one in here if one["condition"] == "unrestricted"]
            later = [one for one in rows if one["event_time"] == row["event_time"] and spot(one) > spot(row)]
            if not [one for one in later if one["location_id"] == row["location_id"]]:
                assert row["on_hand"] == sum(free), row
                mine = [
                    one["quantity"] for one in here if (one["lot"], one["condition"]) == (row["lot"], row["condition"])
                ]
                assert row["balance"] == sum(mine), row


def test_pages_make_up_the_whole(told: tuple[Ledger, int, int]) -> None:
    ledger, _, _ = told
    whole, total = history_of(ledger, Account("I"), Times())
    for size in (1, 3):
        pages: list[dict[str, Any]] = []
        while len(pages) < total:
            page, counted = history_of(ledger, Account("I"), Times(), size, spot(pages[-1]) if pages else None)
            assert counted == total
            pages += page
        assert pages == whole
    assert history_of(ledger, Account("I"), Times(), 3, spot(whole[-1])) == ([], total)


def test_an_account_can_be_narrowed(told: tuple[Ledger, int, int]) -> None:
    ledger, _, _ = told

    def ids(account: Account, times: Times = Times()) -> list[str]:  # noqa: B008 (frozen)
        return [row["event_id"] for row in history_of(ledger, account, times)[0]]

    assert ids(Account("I", "D1", lot="L1")) == ["s-r", "s", "r"]
    assert ids(Account("I", "D1", condition="blocked")) == ["b"]
    assert ids(Account("I", "D1→D2")) == ["i", "o"]
    assert ids(Account("I", "customer")) == ["s-r", "s"]
    at = 4 * HOUR + history_of(ledger, Account("I", "D1"), Times())[0][-1]["event_time"] - HOUR
    assert ids(Account("I", "D1"), Times(at=at - 1)) == ["s-r", "o", "s", "r2", "r"]
    assert ids(Account("I", "D1"), Times(since=at)) == ["c", "b", "b"]
    assert ids(Account("I", "D1", owner="it's")) == []
    assert ids(Account("I", "D1", book="erp"))[0] == "c"


@pytest.mark.parametrize("account", [Account("X"), Account("I", "X"), Account("I", book="x")])
def test_what_the_twin_does_not_know_is_named(told: tuple[Ledger, int, int], account: Account) -> None:
    with pytest.raises(NotFoundError, match=r"[Xx]"):
        history_of(told[0], account, Times())


def test_an_opening_is_a_fact_of_the_history(
    ledger: Ledger, master: list[Any], deliver: Deliver, move: Move, see: Move
) -> None:
    ledger.configure(Rules(opening={"erp": "snapshot"}))
    ledger.append([*master, deliver("observations", see("c", "cycle_count", 40, 2))])
    ledger.append(
        [deliver("movements", move("old", "sale", 9, 1, from_id="D1"), move("s", "sale", 1, 3, from_id="D1"))]
    )
    rows = history_of(ledger, Account("I", "D1"), Times())[0]
    assert [(row["table"], row["on_hand"]) for row in rows] == [
        ("movements", 39),
        ("observations", 40),
        ("opening", 40),
    ]


def test_what_was_learned_by_a_day_of_loaded_history(
    ledger: Ledger, clock: FixedClock, master: list[Any], deliver: Deliver, move: Move
) -> None:
    start = move("x", "sale", 1)["event_time"]
    rows = [
        move("r", "receipt", 50, to_id="D1", recorded_at=start),
        move("late", "sale", 4, 1, from_id="D1", recorded_at=start + 40 * HOUR),
        move("s", "sale", 1, 2, from_id="D1", recorded_at=start + 2 * HOUR),
    ]
    ledger.append([*master, deliver("movements", *rows)])
    by = start + 10 * HOUR
    assert balances_learned(ledger, by, item_id="I", location_id="D1").column("quantity").to_pylist() == [49]
    assert [row["event_id"] for row in history_of(ledger, Account("I", "D1"), Times(learned_by=by))[0]] == ["s", "r"]
    assert levels_of(ledger, "I", None, Times(learned_by=by)) == [(start, 50), (start + 2 * HOUR, 49)]
    now = clock.now()
    clock.advance(3 * MICROSECONDS_PER_DAY)
    ledger.append([deliver("movements", move("n", "sale", 7, 80, from_id="D1"))])
    for by in (now + 2 * MICROSECONDS_PER_DAY, clock.now()):
        assert balances_learned(ledger, by).equals(ledger.balances(known_at=by)), "after its history: what it knew"

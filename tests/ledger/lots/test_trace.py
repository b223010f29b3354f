"""The recall trace: where a lot is, who received it, what it was made from, in any order of delivery."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocktwin.app.answers.lots import documents_csv, trace_answer
from stocktwin.domain.errors import NotFoundError, UsageError
from stocktwin.domain.ports import FixedClock
from stocktwin.domain.rules import Rules
from stocktwin.ledger.journal.memory import MemoryJournal
from stocktwin.ledger.ledger import Ledger

Row = dict[str, Any]
Move = Callable[..., Row]
Deliver = Callable[..., Any]


@pytest.fixture
def places(deliver: Deliver) -> Any:
    """Two customers."""
    return deliver(
        "locations", *({"location_id": name, "kind": "customer", "name": f"Shop {name}"} for name in ("C1", "C2"))
    )


def tell(ledger: Ledger, item: str, lot: str, direction: str = "both", **asked: Any) -> Row:
    """The answer of `trace`."""
    blank: Row = dict.fromkeys(("at", "known_at", "book", "limit", "after"))
    return trace_answer(ledger, "UTC", item, lot, direction=direction, **(blank | asked))


def where(answer: Row) -> dict[tuple[str, str], Any]:
    """(place, lot) → quantity."""
    return {(row["location_id"], row["lot"]): row["quantity"] for row in answer["where"]}


@pytest.fixture
def shipped(ledger: Ledger, master: list[Any], places: Any, deliver: Deliver, move: Move) -> Ledger:
    """Lot X: 100 to D1, 40 on to D2 (10 still on the lane), 25 to C1 of which 5 came back, 7 to C2, 2 scrapped."""
    rows = [
        move("r", "receipt", 100, 0, from_id="S", to_id="D1", lot="X", expiry="2025-03-05", document="GR-1"),
        move("o", "transfer_out", 40, 1, from_id="D1", to_id="D2", lot="X", document="TO-1"),
        move("i", "transfer_in", 30, 5, from_id="D1", to_id="D2", lot="X", document="TO-1"),
        move("s1", "sale", 25, 6, from_id="D1", to_id="C1", lot="X", document="INV-1", order_id="SO-1"),
        move("b1", "return", 5, 7, from_id="C1", to_id="D1", lot="X", document="RMA-1"),
        move("s2", "sale", 9, 8, from_id="D2", to_id="C2", lot="X", document="INV-2"),
        move("s2x", "sale", 2, 9, from_id="C2", to_id="D2", lot="X", document="INV-2", corrects="s2"),
        move("d", "scrap", 2, 10, from_id="D1", lot="X"),
        move("y", "receipt", 11, 2, from_id="S", to_id="D2", lot="Y"),
    ]
    for row in rows:
        row["expiry"] = _date(row.get("expiry"))
    ledger.append([*master, places, deliver("movements", *rows)])
    return ledger


def _date(text: str | None) -> Any:
    from datetime import date

    return None if text is None else date.fromisoformat(text)


def test_a_lot_is_found_wherever_it_went(shipped: Ledger) -> None:
    answer = tell(shipped, "I", "X")
    elsewhere = {place: quantity for (place, _), quantity in where(answer).items() if place != "D1"}
    assert elsewhere == {"D2": 23, "D1→D2": 10, "C1": 20, "C2": 7, "scrap": 2}
    at_d1 = {row["condition"]: row["quantity"] for row in answer["where"] if row["location_id"] == "D1"}
    assert at_d1 == {"unrestricted": 33, "returned": 5}
    assert answer["totals"] | {"lost": 0} == {
        "came_in": 100, "on_hand": 61, "in_transit": 10, "delivered": 27, "scrapped": 2, "lost": 0, "used_up": 0,
        "returned_to_supplier": 0,
    }  # fmt: skip


def test_stock_is_expired_from_its_date_on_though_nobody_posts_it(shipped: Ledger) -> None:
    for day, condition in (("2025-03-04", "unrestricted"), ("2025-03-05", "expired")):
        answer = tell(shipped, "I", "X", at=day)
        assert answer["expired"] == (condition == "expired")
        at_d1 = {row["condition"]: row["quantity"] for row in answer["where"] if row["location_id"] == "D1"}
        assert at_d1 == {condition: 33, "returned": 5}


def test_who_received_it_is_told_with_the_documents(shipped: Ledger) -> None:
    answer = tell(shipped, "I", "X")
    told = [(row["location_id"], row["name"], row["quantity"], row["returned"]) for row in answer["customers"]]
    assert told == [("C1", "Shop C1", 25, 5), ("C2", "Shop C2", 7, 0)]
    invoice = next(row for row in answer["documents"] if row["event_id"] == "s1")
    assert (invoice["document"], invoice["order_id"], invoice["to_id"], invoice["system"]) == (
        "INV-1",
        "SO-1",
        "C1",
        "erp",
    )
    text = documents_csv(answer["documents"]).splitlines()
    assert len(text) == 1 + answer["total"] == 9
    assert text[0].startswith("time,kind,item_id,lot,from_id,to_id,quantity,document")


def test_what_was_cancelled_is_no_way_that_it_took(shipped: Ledger) -> None:
    ways = {(way["from_id"], way["to_id"]): way["quantity"] for way in tell(shipped, "I", "X")["flows"]}
    assert ways == {
        ("S", "D1"): 100, ("D1", "D1→D2"): 40, ("D1→D2", "D2"): 30, ("D1", "C1"): 25, ("C1", "D1"): 5, ("D2", "C2"): 7,
        ("D1", "scrap"): 2,
    }  # fmt: skip


def test_both_clocks_apply(shipped: Ledger, deliver: Deliver, move: Move, clock: FixedClock) -> None:
    known = clock.now()
    assert where(tell(shipped, "I", "X", at="2025-03-03T10:00:00Z")) == {("D1", "X"): 60, ("D1→D2", "X"): 40}
    fresh = tell(shipped, "I", "X", at="2025-03-03T10:00:00Z")
    assert {row["condition"] for row in fresh["where"]} == {"unrestricted"}
    shipped._clock = FixedClock(known + 10)
    shipped.append([deliver("movements", move("late", "sale", 3, 3, from_id="D1", to_id="C2", lot="X"))])
    assert where(tell(shipped, "I", "X"))[("C2", "X")] == 10
    from stocktwin.domain.calendar import format_instant

    assert where(tell(shipped, "I", "X", known_at=format_instant(known)))[("C2", "X")] == 7


def test_bad_use_names_the_value(shipped: Ledger) -> None:
    for item, lot in (("I", "NO"), ("NO", "X")):
        with pytest.raises(NotFoundError, match="NO"):
            tell(shipped, item, lot)
    with pytest.raises(NotFoundError, match="tms"):
        tell(shipped, "I", "X", book="tms")
    with pytest.raises(UsageError, match="sideways"):
        tell(shipped, "I", "X", direction="sideways")


# ---- transforms


@pytest.fixture
def made(ledger: Ledger, master: list[Any], places: Any, deliver: Deliver, move: Move) -> Ledger:
    """Lots A (of I) and P (of K, kilograms) go into kit lot Q (of I), Q is repacked into R and R2, R sold."""

    def step(event: str, hour: int, document: str, quantity: Any, **more: Any) -> Row:
        return move(event, "transform", quantity, hour, document=document, **more)

    rows = [
        move("ra", "receipt", 50, 0, from_id="S", to_id="D1", lot="A"),
        move("rp", "receipt", "2.5", 0, from_id="S", to_id="D1", lot="P", item_id="K"),
        step("k1", 1, "KIT-1", 20, from_id="D1", lot="A"),
        step("k2", 1, "KIT-1", "1.25", from_id="D1", lot="P", item_id="K"),
        step("k3", 1, "KIT-1", 20, to_id="D1", lot="Q"),
        step("p1", 2, "PACK-1", 20, from_id="D1", lot="Q"),
        step("p2", 2, "PACK-1", 12, to_id="D1", lot="R"),
        step("p3", 2, "PACK-1", 7, to_id="D1", lot="R2"),
        move("s", "sale", 4, 3, from_id="D1", to_id="C1", lot="R"),
    ]
    ledger.append([*master, places, deliver("movements", *rows)])
    return ledger


def tied(answer: Row) -> set[tuple[str, str, str, int]]:
    return {(row["item_id"], row["lot"], row["relation"], row["level"]) for row in answer["lots"]}


def test_what_was_made_of_a_lot_is_followed_level_by_level(made: Ledger) -> None:
    answer = tell(made, "K", "P", "forward")
    assert tied(answer) == {
        ("K", "P", "self", 0), ("I", "Q", "made_into", 1), ("I", "R", "made_into", 2), ("I", "R2", "made_into", 2)
    }  # fmt: skip
    assert [(row["location_id"], row["lot"], row["quantity"]) for row in answer["customers"]] == [("C1", "R", 4)]
    kit = next(link for link in answer["links"] if link["document"] == "KIT-1" and link["from"]["item_id"] == "K")
    assert (kit["from"]["quantity"], kit["to"]["quantity"], kit["certain"]) == ("1.250", 20, True)
    assert answer["totals"]["used_up"] == "1.250"


def test_what_a_lot_was_made_from_is_followed_back(made: Ledger) -> None:
    answer = tell(made, "I", "R", "back")
    assert tied(answer) == {
        ("I", "R", "self", 0), ("I", "Q", "made_from", 1), ("I", "A", "made_from", 2), ("K", "P", "made_from", 2)
    }  # fmt: skip
    assert ("S", "D1", "P") in {(way["from_id"], way["to_id"], way["lot"]) for way in answer["flows"]}
    assert {row["lot"] for row in answer["documents"]} == {"R"}


def test_a_document_that_does_not_add_up_is_told(made: Ledger, deliver: Deliver, move: Move) -> None:
    assert any("PACK-1: unbalanced: 20 went in and 19 came out" in text for text in tell(made, "I", "Q")["warnings"])
    half = move("h", "transform", 3, 4, from_id="D1", lot="A", document="HALF")
    bare = move("n", "transform", 2, 4, from_id="D1", lot="A")
    made.append([deliver("movements", half, bare)])
    warnings = tell(made, "I", "A")["warnings"]
    assert "HALF: half told: nothing came out" in warnings
    assert any(text.startswith("1 transforms name no document") for text in warnings)


def test_a_cancelled_transform_ties_nothing(made: Ledger, deliver: Deliver, move: Move) -> None:
    undo = move("k2x", "transform", "1.25", 5, to_id="D1", lot="P", item_id="K", document="KIT-1", corrects="k2")
    made.append([deliver("movements", undo)])
    assert tied(tell(made, "K", "P", "forward")) == {("K", "P", "self", 0)}
    assert {row[:2] for row in tied(tell(made, "I", "R", "back"))} == {("I", "R"), ("I", "Q"), ("I", "A")}


# ---- lots that nobody named


@pytest.fixture
def unnamed(ledger: Ledger, master: list[Any], places: Any, deliver: Deliver, move: Move) -> Ledger:
    """Receipts name lots, issues do not."""
    rows = [
        move("r1", "receipt", 10, 0, from_id="S", to_id="D1", lot="LATE", expiry=_date("2026-05-01")),
        move("r2", "receipt", 10, 1, from_id="S", to_id="D1", lot="SOON", expiry=_date("2026-04-01")),
        move("s1", "sale", 12, 2, from_id="D1", to_id="C1"),
        move("s2", "sale", 3, 3, from_id="D1", to_id="C2"),
    ]
    ledger.append([*master, places, deliver("movements", *rows)])
    return ledger


def test_issues_without_a_lot_are_attributed_and_marked(unnamed: Ledger) -> None:
    answer = tell(unnamed, "I", "SOON")
    assert where(answer) == {("C1", "SOON"): 10}
    assert [row["inferred"] for row in answer["where"]] == [True]
    late = tell(unnamed, "I", "LATE")
    assert where(late) == {("D1", "LATE"): 5, ("C1", "LATE"): 2, ("C2", "LATE"): 3}
    assert {row["event_id"]: row["inferred"] for row in late["documents"]} == {"r1": False, "s1": True, "s2": True}


def test_the_rule_is_that_of_the_settings(unnamed: Ledger) -> None:
    unnamed.configure(Rules(issue="fifo"))
    assert where(tell(unnamed, "I", "LATE")) == {("C1", "LATE"): 10}
    unnamed.configure(Rules(issue="fifo", issue_by_location={"D1": "as_told"}))
    answer = tell(unnamed, "I", "LATE")
    assert where(answer) == {("D1", "LATE"): 10}


def test_dates_that_contradict_each_other_are_told_and_the_earliest_counts(
    unnamed: Ledger, deliver: Deliver, move: Move
) -> None:
    again = move("r3", "receipt", 1, 4, from_id="S", to_id="D1", lot="LATE", expiry=_date("2025-01-01"))
    unnamed.append([deliver("movements", again)])
    answer = tell(unnamed, "I", "LATE")
    assert (answer["expiry"], answer["expired"], answer["expiries"]) == (
        "2025-01-01",
        True,
        ["2025-01-01", "2026-05-01"],
    )
    assert any("told to expire on 2025-01-01 and on 2026-05-01" in text for text in answer["warnings"])


def test_systems_that_name_different_lots_are_set_side_by_side(
    ledger: Ledger, master: list[Any], deliver: Deliver, move: Move
) -> None:
    erp = move("e", "receipt", 8, 0, from_id="S", to_id="D1", lot="X", document="GR-9")
    wms = move("w", "receipt", 8, 0, from_id="S", to_id="D1", lot="X-WRONG", document="GR-9", system="wms")
    ledger.append([*master, deliver("movements", erp), deliver("movements", wms, source="wms")])
    ledger.configure(Rules(authority={"default": "wms"}))
    answer = tell(ledger, "I", "X")
    assert answer["where"] == []
    assert [(row["system"], row["other_system"], row["other_lot"]) for row in answer["disagreements"]] == [
        ("erp", "wms", "X-WRONG")
    ]
    assert [(row["system"], row["on_hand"]) for row in answer["books"]] == [("erp", 8)]
    assert where(tell(ledger, "I", "X", book="erp")) == {("D1", "X"): 8}
    right = move("w2", "receipt", 8, 1, from_id="D1", to_id="S", lot="X-WRONG", document="GR-9", system="wms",
                 corrects="w")  # fmt: skip
    good = move("w3", "receipt", 8, 1, from_id="S", to_id="D1", lot="X", document="GR-9", system="wms")
    ledger.append([deliver("movements", right, good, source="wms")])
    assert tell(ledger, "I", "X")["disagreements"] == []


@pytest.fixture
def history(move: Move) -> list[Row]:
    """Facts in which much depends on order, if it may."""
    return [
        move("1", "sale", 4, 2, from_id="D1"),
        move("2", "receipt", 6, 1, from_id="S", to_id="D1", lot="B"),
        move("3", "receipt", 6, 1, from_id="S", to_id="D1", lot="A"),
        move("4", "transfer_out", 5, 3, from_id="D1", to_id="D2"),
        move("5", "transfer_in", 5, 3, from_id="D1", to_id="D2"),
        move("6", "sale", 2, 3, from_id="D2"),
        move("7", "sale", 2, 3, from_id="D2", to_id="D1", corrects="6"),
        move("8", "sale", 1, 5, from_id="D1", lot="A"),
    ]


@settings(max_examples=12)
@given(order=st.permutations(range(8)), cut=st.integers(1, 7))
def test_no_order_of_delivery_matters(order: list[int], cut: int, request: pytest.FixtureRequest) -> None:
    rows, deliver = request.getfixturevalue("history"), request.getfixturevalue("deliver")
    answers = [_answers(request, deliver, parts) for parts in ([rows], [[rows[k] for k in order[:cut]],
                                                                        [rows[k] for k in order[cut:]]])]  # fmt: skip
    assert answers[0] == answers[1]


def _answers(request: pytest.FixtureRequest, deliver: Deliver, parts: list[list[Row]]) -> list[Row]:
    with Ledger.open(MemoryJournal(), None, FixedClock(request.getfixturevalue("clock").now())) as ledger:
        ledger.append(request.getfixturevalue("master"))
        for part in parts:
            ledger.append([deliver("movements", *part)])
        return [tell(ledger, "I", lot) for lot in "AB"]

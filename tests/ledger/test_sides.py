"""Books side by side, and what is in flight between two of them told apart from what differs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stocktwin.domain.ports import FixedClock
from stocktwin.domain.rules import Rules
from stocktwin.ledger import balances as balance_query
from stocktwin.ledger.ledger import Ledger
from stocktwin.ledger.sides import side_by_side
from stocktwin.reconcile.books import Comparison, compare_sides
from stocktwin.tables.batch import Delivery

Deliver = Callable[..., Delivery]
Make = Callable[..., dict[str, Any]]
HOUR = 3_600_000_000


def told(ledger: Ledger) -> dict[tuple[str, str], dict[str, tuple[int, int]]]:
    """By item-location: on hand and in flight of each book that speaks of it; the record under no name."""
    sides = side_by_side(ledger, ("erp", "wms"))
    out = {}
    for row, pair in enumerate(zip(sides.item_id.to_pylist(), sides.location_id.to_pylist(), strict=True)):
        books = {name: book for name, book in sides.books.items() if book.told[row]}
        out[pair] = {"": (int(sides.record[row]), 0)} | {
            name: (int(book.on_hand[row]), int(book.in_flight[row])) for name, book in books.items()
        }
    return out


def compared(ledger: Ledger) -> Comparison:
    return compare_sides(side_by_side(ledger, ("erp", "wms")), {"I": 2.0})


@pytest.fixture
def slow_erp(
    ledger: Ledger, master: list[Delivery], deliver: Deliver, move: Make, see: Make, clock: FixedClock
) -> Ledger:
    """The WMS, which is the record, tells at once; the ERP what happened ten hours ago."""
    clock.advance(move("", "sale", 1)["event_time"] - clock.now())
    ledger.configure(Rules(authority={"default": "wms"}))
    ledger.append([*master, deliver("observations", see("first", "erp_book", 0, item_id="K"))])
    for hour in range(24):
        rows = [move(f"w{hour}", "receipt", 5, hour, to_id="D1", system="wms")]
        ledger.append([deliver("movements", *rows, source="wms", file=f"w{hour}")])
        if hour >= 10:
            rows = [move(f"e{hour}", "receipt", 5, hour - 10, to_id="D1")]
            ledger.append([deliver("movements", *rows, file=f"e{hour}")])
        clock.advance(HOUR)
    return ledger


def test_what_is_not_due_is_in_flight(slow_erp: Ledger) -> None:
    assert told(slow_erp) == {("I", "D1"): {"": (120, 0), "erp": (70, -50), "wms": (120, 0)}}
    assert (compared(slow_erp).differing, compared(slow_erp).only_in_flight) == ([], 1)


def test_what_is_overdue_differs(slow_erp: Ledger, deliver: Deliver, move: Make) -> None:
    missed = move("missed", "receipt", 7, 2, to_id="D1", system="wms")
    slow_erp.append([deliver("movements", missed, source="wms", file="missed")])
    (one,) = compared(slow_erp).differing
    assert (one.difference, one.value, one.record, one.books, one.in_flight) == (
        -7, 14.0, 127, {"erp": 70, "wms": 127}, {"erp": -50},
    )  # fmt: skip


def test_a_different_quantity_within_the_lag_is_due_later(slow_erp: Ledger, deliver: Deliver, move: Make) -> None:
    rows = [move("e", "receipt", 4, 23, to_id="D1")]
    slow_erp.append([deliver("movements", *rows, file="e")])
    assert told(slow_erp)["I", "D1"]["erp"] == (74, -46)
    assert compared(slow_erp).differing == []


def test_an_opening_within_the_lag_leaves_nothing_in_flight(
    slow_erp: Ledger, deliver: Deliver, move: Make, see: Make
) -> None:
    slow_erp.configure(Rules(authority={"default": "wms"}, opening={"wms": "snapshot"}))
    seen = see("o", "wms_book", 100, 20, system="wms")
    slow_erp.append([deliver("observations", seen, source="wms")])
    assert told(slow_erp)["I", "D1"] == {"": (115, 0), "erp": (70, 0), "wms": (115, 0)}


def test_a_book_that_is_silent_says_nothing(slow_erp: Ledger, deliver: Deliver, move: Make) -> None:
    rows = [move("k", "receipt", 2, 1, item_id="K", to_id="D2", system="wms")]
    slow_erp.append([deliver("movements", *rows, source="wms", file="k")])
    assert told(slow_erp)["K", "D2"] == {"": (2_000, 0), "wms": (2_000, 0)}
    assert [one.item_id for one in compared(slow_erp).differing] == []


@pytest.mark.parametrize("many", [0, 10**9])
def test_lots_owners_and_routes_are_added_up(
    slow_erp: Ledger, deliver: Deliver, move: Make, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    """From dense columns and from SQL alike."""
    monkeypatch.setattr(balance_query, "MANY_MOVEMENTS", many)
    rows = [
        move("h", "shipment", 9, 1, from_id="S", to_id="D2", shipment_id="H", system="wms"),
        move("r", "receipt", 4, 23, from_id="S", to_id="D2", shipment_id="H", lot="L", system="wms"),
        move("o", "receipt", 3, 1, to_id="D2", owner="they", system="wms"),
        move("b", "receipt", 8, 23, to_id="D2", to_condition="blocked", system="wms"),
    ]
    slow_erp.append([deliver("movements", *rows, source="wms", file="r")])
    slow_erp.append([deliver("movements", move("e0", "receipt", 3, 1, to_id="D2"), file="e0")])
    assert told(slow_erp)["I", "D2"] == {"": (7, 0), "erp": (3, -4), "wms": (7, 0)}

"""What becomes of delivered rows: units, parking, conflicts, duplicates, authority, openings, both clocks, transit."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest

from stocktwin.domain.calendar import FUTURE_TOLERANCE_US, format_instant
from stocktwin.domain.ports import FixedClock
from stocktwin.ledger.journal.memory import MemoryJournal
from stocktwin.ledger.ledger import Ledger
from stocktwin.tables.batch import Delivery

Deliver = Callable[..., Delivery]
Row = dict[str, Any]
Make = Callable[..., Row]


def stock(ledger: Ledger, **asked: Any) -> dict[str, int]:
    """Balance of each place of ours, lanes included where asked; accounts at zero are left out."""
    total: dict[str, int] = {}
    for row in ledger.balances(**asked).to_pylist():
        total[row["location_id"]] = total.get(row["location_id"], 0) + row["quantity"]
    return {place: quantity for place, quantity in total.items() if quantity}


def told(ledger: Ledger) -> list[tuple[str, str, str | None]]:
    """State, column and value of each quarantined row."""
    return [(row["state"], row["column"], row["value"]) for row in ledger.quarantine().to_pylist()]


def counted(ledger: Ledger) -> tuple[int, int, int, int]:
    """Delivered, accepted, duplicates, quarantined; the sum is checked in all and per system."""
    status = ledger.status()
    for counts in (status, *status["sources"]):
        assert counts["delivered"] == counts["accepted"] + counts["duplicates"] + counts["quarantined"]
    return status["delivered"], status["accepted"], status["duplicates"], status["quarantined"]


def hold_laws(ledger: Ledger) -> None:
    """Every law of the ledger holds."""
    assert [law for law in ledger.verify() if not law.ok] == []


# ---- units


def by_lot(ledger: Ledger) -> dict[str, dict[str, int]]:
    """Balances of each lot by place, virtual ones included: several small histories in one ledger."""
    found: dict[str, dict[str, int]] = {}
    for row in ledger.balances(stocking_only=False).to_pylist():
        if row["quantity"]:
            found.setdefault(row["lot"], {})[row["location_id"]] = row["quantity"]
    return found


def test_quantities_become_whole_atomic_units(
    ledger: Ledger, master: list[Delivery], deliver: Deliver, move: Make
) -> None:
    cases: list[tuple[str, Any, str | None, int]] = [
        ("I", 5, None, 5),
        ("I", 5, "each", 5),
        ("I", 2, "case", 24),
        ("I", "0.25", "case", 3),
        ("I", 3, "third", 1),
        ("I", 10**11, "case", 12 * 10**11),
        ("K", "1.5", None, 1500),
        ("K", "0.001", "kg", 1),
        ("K", "0.003", "third", 1),
    ]
    thirds = deliver("units", *({"item_id": item, "unit": "third", "factor": "1/3"} for item in "IK"))
    rows = [
        move(str(n), "receipt", quantity, item_id=item, unit=unit, to_id="D1", lot=str(n))
        for n, (item, quantity, unit, _) in enumerate(cases)
    ]
    ledger.append([*master, thirds, deliver("movements", *rows)])
    assert by_lot(ledger) == {str(n): {"D1": case[3], "supplier": -case[3]} for n, case in enumerate(cases)}


def test_what_does_not_come_out_even_or_is_absurd_is_quarantined_with_its_value(
    ledger: Ledger, master: list[Delivery], deliver: Deliver, move: Make
) -> None:
    cases = [("I", "0.5", None), ("I", "0.3", "case"), ("K", "0.0005", None), ("I", 1, "third"), ("I", 10**13, None)]
    rows = [move(q, "receipt", q, item_id=item, unit=unit, to_id="D1") for item, q, unit in map(_texts, cases)]
    third = deliver("units", {"item_id": "I", "unit": "third", "factor": "1/3"})
    ledger.append([*master, third, deliver("movements", *rows)])
    found = [(state, column, float(value or 0)) for state, column, value in told(ledger)]
    assert found == [("rejected", "quantity", float(case[1])) for case in cases]
    assert stock(ledger) == {}
    assert counted(ledger) == (len(cases) + 7, 7, 0, len(cases))


def _texts(case: tuple[str, Any, str | None]) -> tuple[str, str, str | None]:
    return case[0], str(case[1]), case[2]


# ---- parked, resolved


def test_rows_wait_for_their_item_their_place_and_their_unit(
    ledger: Ledger, master: list[Delivery], deliver: Deliver, move: Make, clock: FixedClock
) -> None:
    items, units, locations = master
    rows = [move("r", "receipt", 2, unit="case", to_id="D1"), move("s", "sale", 1, 1, from_id="D1")]
    told_at = ledger.append([deliver("movements", *rows)]).record_time
    assert told(ledger) == [("parked", "item_id", "I"), ("parked", "item_id", "I")]
    clock.advance(10)
    ledger.append([items])
    assert told(ledger) == [("parked", "to_id", "D1"), ("parked", "from_id", "D1")]
    clock.advance(10)
    ledger.append([locations])
    assert told(ledger) == [("parked", "unit", "case")]
    clock.advance(10)
    resolved = ledger.append([units])
    assert (resolved.accepted, resolved.quarantined) == (2, -1)
    assert told(ledger) == []
    assert stock(ledger) == {"D1": 23}
    assert stock(ledger, known_at=resolved.record_time - 1) == {"D1": -1}, "the receipt was not understood yet"
    assert stock(ledger, known_at=told_at) == {}
    assert counted(ledger) == (8, 8, 0, 0)
    hold_laws(ledger)


def test_a_quarantined_row_names_file_line_column_value_and_reason(
    ledger: Ledger, deliver: Deliver, move: Make
) -> None:
    ledger.append([deliver("movements", move("r", "receipt", 2, to_id="D1"), file="a.csv")])
    (row,) = ledger.quarantine().to_pylist()
    assert (row["source"], row["system"], row["table"], row["file"]) == ("erp", "erp", "movements", "a.csv")
    assert (row["row"], row["line"], row["column"], row["value"]) == (1, 2, "item_id", "I")
    assert row["reason"] == "unknown item"
    assert '"event_id":"r"' in row["raw"]
    assert row["quarantine_id"] == 1_000_000


def test_a_parked_row_delivered_again_is_a_duplicate(ledger: Ledger, deliver: Deliver, move: Make) -> None:
    rows = [move("r", "receipt", 2, to_id="D1")]
    ledger.append([deliver("movements", *rows), deliver("movements", *rows, file="again.csv")])
    assert counted(ledger) == (2, 0, 1, 1)


def test_a_replay_takes_its_rows_out_of_the_quarantine_and_counts_nothing_twice(
    ledger: Ledger, master: list[Delivery], deliver: Deliver, move: Make
) -> None:
    ledger.append([*master, deliver("movements", move("r", "receipt", 2, item_id="X", to_id="D1"))])
    (held,) = ledger.quarantine()["quarantine_id"].to_pylist()
    mended = deliver("movements", move("r", "receipt", 2, to_id="D1"), replays=(held,))
    ledger.append([mended])
    assert told(ledger) == []
    assert stock(ledger) == {"D1": 2}
    assert counted(ledger) == (7, 7, 0, 0)
    hold_laws(ledger)


# ---- duplicates, conflicts, versions


def test_the_first_delivery_of_an_event_stands(
    ledger: Ledger, master: list[Delivery], deliver: Deliver, move: Make
) -> None:
    first = move("r", "receipt", 24, to_id="D1")
    same = {**first, "quantity": 2, "unit": "case", "recorded_at": first["event_time"]}
    ledger.append([*master, deliver("movements", first, same)])
    before = ledger.state_hash
    ledger.append([deliver("movements", same, {**first, "quantity": 25})])
    assert told(ledger) == [("conflict", "event_id", "r")]
    assert "other content" in ledger.quarantine()["reason"][0].as_py()
    assert stock(ledger) == {"D1": 24}
    assert ledger.state_hash == before
    assert counted(ledger) == (10, 7, 2, 1)
    hold_laws(ledger)


def test_one_event_id_of_two_systems_is_two_events(
    ledger: Ledger, master: list[Delivery], deliver: Deliver, move: Make
) -> None:
    rows = [move("r", "receipt", 1, to_id="D1"), move("r", "receipt", 2, to_id="D1", system="wms")]
    ledger.append([*master, deliver("movements", *rows)])
    assert [stock(ledger, book=name) for name in ("erp", "wms")] == [{"D1": 1}, {"D1": 2}]


def test_the_very_same_file_leaves_a_header_only_but_its_rows_are_counted(
    ledger: Ledger, master: list[Delivery], deliver: Deliver, move: Make
) -> None:
    ledger.append(master)
    file = deliver("movements", move("r", "receipt", 1, to_id="D1"), raw_digest="ab" * 32)
    ledger.append([file])
    again = ledger.append([file])
    assert (again.delivered, again.accepted, again.duplicates) == (1, 0, 1)
    assert ledger.journal.blob(again.head) is None
    hold_laws(ledger)


@pytest.mark.parametrize(
    ("changed", "column"), [({"scale": 2}, "scale"), ({"unit": "box"}, "unit")], ids=["scale", "unit"]
)
def test_scale_and_base_unit_of_an_item_are_fixed(
    ledger: Ledger, master: list[Delivery], deliver: Deliver, changed: Row, column: str
) -> None:
    ledger.append([*master, deliver("items", {"item_id": "I", "description": "new", **changed})])
    assert told(ledger) == [("conflict", column, str(changed[column]))]
    assert ledger.current("items").to_pylist()[0]["description"] is None


def test_a_pack_may_not_change_its_size(ledger: Ledger, master: list[Delivery], deliver: Deliver) -> None:
    ledger.append([*master, deliver("units", {"item_id": "I", "unit": "case", "factor": "10"})])
    assert told(ledger) == [("conflict", "unit", "case")]


def test_master_data_takes_the_latest_statement_also_when_it_returns(
    ledger: Ledger, master: list[Delivery], deliver: Deliver
) -> None:
    ledger.append(master)
    for name in ("a", "b", "a"):
        ledger.append([deliver("locations", {"location_id": "D1", "kind": "dc", "name": name})])
    current = {row["location_id"]: row["name"] for row in ledger.current("locations").to_pylist()}
    assert current["D1"] == "a"
    assert counted(ledger) == (9, 8, 1, 0)
    hold_laws(ledger)


def test_an_order_line_takes_its_latest_update_whatever_came_last(
    ledger: Ledger, master: list[Delivery], deliver: Deliver, move: Make
) -> None:
    base = {"order_id": "O", "line": "1", "kind": "purchase", "item_id": "I", "to_id": "D1", "from_id": "S"}
    at = move("x", "sale", 1)["event_time"]
    rows = [{**base, "quantity": q, "ordered_at": at, "updated_at": at + hour} for q, hour in ((5, 2), (7, 3), (6, 1))]
    for row in rows:
        ledger.append([*master, deliver("orders", row)])
    assert [int(row["quantity"]) for row in ledger.current("orders").to_pylist()] == [7]
    assert ledger.rows("orders").num_rows == 3


def test_a_fact_more_than_five_minutes_ahead_is_quarantined(
    ledger: Ledger, master: list[Delivery], deliver: Deliver, move: Make, clock: FixedClock
) -> None:
    edge = clock.now() + FUTURE_TOLERANCE_US
    rows = [move(name, "receipt", 1, to_id="D1") | {"event_time": at} for name, at in (("a", edge), ("b", edge + 1))]
    ledger.append([*master, deliver("movements", *rows)])
    assert told(ledger) == [("future", "event_time", format_instant(edge + 1)[:19] + "Z")]
    assert stock(ledger) == {"D1": 1}
    clock.advance(10)
    ledger.append([deliver("movements", *rows, file="later.csv")])
    assert stock(ledger) == {"D1": 2}, "told again when it is no longer ahead"
    hold_laws(ledger)


# ---- booking


BOOKED: list[tuple[Row, dict[str, int]]] = [
    ({"kind": "receipt", "to_id": "D1"}, {"D1": 5, "supplier": -5}),
    ({"kind": "receipt", "from_id": "S", "to_id": "D1"}, {"D1": 5, "S": -5}),
    ({"kind": "shipment", "from_id": "S", "to_id": "D1"}, {"S→D1": 5, "S": -5}),
    ({"kind": "transfer_out", "from_id": "D1", "to_id": "D2"}, {"D1": -5, "D1→D2": 5}),
    ({"kind": "transfer_in", "from_id": "D1", "to_id": "D2"}, {"D1→D2": -5, "D2": 5}),
    ({"kind": "sale", "from_id": "D1"}, {"D1": -5, "customer": 5}),
    ({"kind": "return", "to_id": "D1"}, {"D1": 5, "customer": -5}),
    ({"kind": "adjustment", "from_id": "D1"}, {"D1": -5, "loss": 5}),
    ({"kind": "adjustment", "to_id": "D1"}, {"D1": 5, "gain": -5}),
    ({"kind": "scrap", "from_id": "D1"}, {"D1": -5, "scrap": 5}),
    ({"kind": "transform", "from_id": "D1"}, {"D1": -5, "transform": 5}),
    ({"kind": "transform", "to_id": "D1"}, {"D1": 5, "transform": -5}),
    ({"kind": "adjustment", "from_id": "D1→D2", "to_id": "loss"}, {"D1→D2": -5, "loss": 5}),
]


def test_each_kind_books_its_two_accounts(ledger: Ledger, master: list[Delivery], deliver: Deliver, move: Make) -> None:
    rows = [move(str(n), quantity=5, lot=str(n), **row) for n, (row, _) in enumerate(BOOKED)]
    ledger.append([*master, deliver("movements", *rows)])
    assert by_lot(ledger) == {str(n): after for n, (_, after) in enumerate(BOOKED)}
    assert ledger.conservation_residual == 0


def test_a_movement_without_a_usable_side_is_quarantined(
    ledger: Ledger, master: list[Delivery], deliver: Deliver, move: Make
) -> None:
    cases: list[tuple[str, Row, str]] = [
        ("receipt", {}, "to_id"),
        ("sale", {"to_id": "D1"}, "from_id"),
        ("transfer_out", {"from_id": "D1"}, "to_id"),
        ("adjustment", {}, "from_id"),
        ("status", {}, "from_id"),
    ]
    rows = [move(kind, kind, 5, **given) for kind, given, _ in cases]
    ledger.append([*master, deliver("movements", *rows)])
    assert told(ledger) == [("rejected", column, None) for _, _, column in cases]


def test_conditions_lots_and_owners_are_accounts_of_their_own(
    ledger: Ledger, master: list[Delivery], deliver: Deliver, move: Make
) -> None:
    rows = [
        move("1", "receipt", 9, to_id="D1", lot="L"),
        move("2", "status", 4, 1, to_id="D1", lot="L", to_condition="blocked"),
        move("3", "return", 2, 2, to_id="D1"),
        move("4", "transform", 1, 3, from_id="D1", to_id="D1", lot="L", to_lot="M", to_owner="X"),
    ]
    ledger.append([*master, deliver("movements", *rows)])
    accounts = [(row["lot"], row["condition"], row["owner"], row["quantity"]) for row in ledger.balances().to_pylist()]
    assert accounts == [
        (None, "returned", None, 2),
        ("L", "blocked", None, 4),
        ("L", "unrestricted", None, 4),
        ("M", "unrestricted", "X", 1),
    ]


def test_a_correction_is_one_more_movement(
    ledger: Ledger, master: list[Delivery], deliver: Deliver, move: Make, clock: FixedClock
) -> None:
    ledger.append([*master, deliver("movements", move("r", "receipt", 10, to_id="D1"))])
    before = clock.now()
    clock.advance(10)
    undo = move("r-undo", "receipt", 10, 1, from_id="D1", to_id="supplier", corrects="r")
    ledger.append([deliver("movements", undo, move("r-new", "receipt", 8, 1, to_id="D1", corrects="r"))])
    assert stock(ledger) == {"D1": 8}
    assert stock(ledger, known_at=before) == {"D1": 10}
    assert stock(ledger, at=undo["event_time"] - 1) == {"D1": 10}
    history = ledger.movements_of("I", "D1").to_pylist()
    assert {row["event_id"]: row["corrects"] for row in history} == {"r-new": "r", "r-undo": "r", "r": None}


def test_the_history_of_a_place_is_told_by_book_and_its_claims_apart(
    ledger: Ledger, master: list[Delivery], deliver: Deliver, move: Make
) -> None:
    ours = [move("r", "receipt", 10, to_id="D1"), move("s", "sale", 3, 2, from_id="D1")]
    theirs = move("w", "receipt", 12, 1, to_id="D1", system="wms")
    seen = {"event_id": "c", "event_time": theirs["event_time"], "method": "cycle_count", "item_id": "I",
            "location_id": "D1", "quantity": 9, "system": "wms"}  # fmt: skip
    ledger.append([*master, deliver("movements", *ours, theirs), deliver("observations", seen)])
    on_hand = {book: ledger.movements_of("I", "D1", book=book).column("on_hand").to_pylist() for book in ("erp", "wms")}
    assert on_hand == {"erp": [7, 10], "wms": [12]}
    assert ledger.claims_of("I", "D1").to_pylist() == [
        {"event_time": theirs["event_time"], "method": "cycle_count", "system": "wms", "lot": None, "quantity": 9,
         "event_id": "c", "scope": None, "scale": 0, "unit": "each"}
    ]  # fmt: skip


# ---- transit, in any order


def test_a_transfer_balances_whichever_end_speaks_first(
    master: list[Delivery], deliver: Deliver, move: Make, clock: FixedClock
) -> None:
    out = deliver("movements", move("o", "transfer_out", 10, from_id="D1", to_id="D2"))
    into = deliver("movements", move("i", "transfer_in", 9, 5, from_id="D1", to_id="D2"), file="b.csv")
    for order in permutations([out, into]):
        with Ledger.open(MemoryJournal(), None, clock) as ledger:
            ledger.append([*master, *order])
            assert stock(ledger, stocking_only=False) == {"D1": -10, "D1→D2": 1, "D2": 9}, "one is still under way"


def test_a_receipt_leaves_the_lane_its_shipment_was_posted_onto(
    master: list[Delivery], deliver: Deliver, move: Make, clock: FixedClock
) -> None:
    posted = deliver("movements", move("s", "shipment", 10, from_id="S", to_id="D1", shipment_id="SH"))
    rows = [move("r", "receipt", 5, 5, to_id="D1", shipment_id="SH", from_id="S"),
            move("q", "receipt", 3, 5, to_id="D1", shipment_id="SH")]  # fmt: skip
    arrived = deliver("movements", *rows, file="b.csv")
    other = deliver("movements", move("o", "receipt", 3, 6, to_id="D1", shipment_id="SH-2"), file="c.csv")
    for order in permutations([posted, arrived, other]):
        with Ledger.open(MemoryJournal(), None, clock) as ledger:
            ledger.append([*master, *order])
            assert stock(ledger, stocking_only=False) == {"S": -10, "S→D1": 2, "D1": 11, "supplier": -3}
            assert ledger.conservation_residual == 0


def test_before_the_shipment_was_told_its_receipt_came_from_the_supplier(
    ledger: Ledger, master: list[Delivery], deliver: Deliver, move: Make, clock: FixedClock
) -> None:
    arrived = deliver("movements", move("r", "receipt", 8, 5, to_id="D1", shipment_id="SH"))
    then = ledger.append([*master, arrived]).record_time
    clock.advance(10)
    ledger.append([deliver("movements", move("s", "shipment", 8, from_id="S", to_id="D1", shipment_id="SH"))])
    assert stock(ledger, stocking_only=False, known_at=then) == {"D1": 8, "supplier": -8}
    assert stock(ledger, stocking_only=False) == {"D1": 8, "S": -8}
    hold_laws(ledger)

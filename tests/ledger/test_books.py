"""The record and the books of systems, openings, two clocks, and leaks that the laws see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stocktwin.domain.errors import NotFoundError, UsageError
from stocktwin.domain.ports import FixedClock
from stocktwin.domain.rules import Rules
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


# ---- the record and the books


@pytest.fixture
def both(ledger: Ledger, master: list[Delivery], deliver: Deliver, move: Make) -> Ledger:
    """ERP and WMS report the same receipts differently, at both places."""
    erp = [move(f"e{place}", "receipt", 10, to_id=place) for place in ("D1", "D2")]
    wms = [move(f"w{place}", "receipt", 9, to_id=place, system="wms") for place in ("D1", "D2")]
    sale = move("s", "sale", 1, 1, from_id="D1", system="wms")
    ledger.append([*master, deliver("movements", *erp), deliver("movements", *wms, sale, source="wms")])
    return ledger


def test_undeclared_the_first_system_is_the_record_and_status_warns(both: Ledger) -> None:
    assert stock(both) == {"D1": 9, "D2": 10}, "the sale is reported by the wms alone"
    (warning,) = both.status()["warnings"]
    assert "erp, wms all report receipt" in warning
    assert stock(both, book="wms") == {"D1": 8, "D2": 9}
    assert stock(both, book="erp") == {"D1": 10, "D2": 10}


def test_authority_is_declared_by_kind_and_by_location(both: Ledger) -> None:
    both.configure(Rules(authority={"default": "wms"}))
    assert stock(both) == {"D1": 8, "D2": 9}
    assert both.status()["warnings"] == []
    both.configure(Rules(authority={"default": "wms"}, authority_by_location={"D2": {"receipt": "erp"}}))
    assert stock(both) == {"D1": 8, "D2": 10}
    hold_laws(both)


def test_an_authority_that_reports_nothing_leaves_the_record_empty_and_is_named(both: Ledger) -> None:
    both.configure(Rules(authority={"receipt": "tms"}))
    assert stock(both) == {"D1": -1}
    assert any("declared authority tms reports none" in warning for warning in both.status()["warnings"])


def test_the_past_is_told_under_the_rules_of_the_past(both: Ledger, clock: FixedClock) -> None:
    before = clock.now()
    clock.advance(10)
    rules = Rules(authority={"default": "wms"})
    assert both.configure(rules)
    assert not both.configure(rules), "the same rules are no news"
    assert stock(both, known_at=before) == {"D1": 9, "D2": 10}
    assert stock(both) == {"D1": 8, "D2": 9}


# ---- openings


def test_an_account_opens_with_its_earliest_complete_level(
    ledger: Ledger, master: list[Delivery], deliver: Deliver, move: Make, see: Make
) -> None:
    ledger.configure(Rules(opening={"erp": "snapshot"}))
    moves = [
        move("0", "receipt", 7, 1, to_id="D1"),
        move("1", "sale", 3, 5, from_id="D1"),
        move("2", "receipt", 4, 5, to_id="D2"),
    ]
    seen = [
        see("a", "erp_book", 1, 2, lot="L"),
        see("b", "rfid", 2, 2),
        see("c", "cycle_count", 3, 2, scope="shelf"),
        see("d", "erp_book", 50, 4),
        see("e", "cycle_count", 99, 6),
    ]
    deliveries = [deliver("movements", *moves), *(deliver("observations", row, file=row["event_id"]) for row in seen)]
    ledger.append([*master, *deliveries[::-1]])
    rows = {row["location_id"]: (row["quantity"], row["anchored"]) for row in ledger.balances().to_pylist()}
    assert rows == {"D1": (47, True), "D2": (4, False)}
    assert ledger.status()["unanchored"] == 1
    everywhere = stock(ledger, stocking_only=False)
    assert everywhere == {"D1": 47, "D2": 4, "customer": 3, "supplier": -11, "unknown": -43}
    assert sum(everywhere.values()) == ledger.conservation_residual == 0
    assert stock(ledger, at=seen[3]["event_time"]) == {"D1": 50}
    hold_laws(ledger)


def test_by_default_accounts_open_empty(
    ledger: Ledger, master: list[Delivery], deliver: Deliver, move: Make, see: Make
) -> None:
    level = deliver("observations", see("d", "erp_book", 50, 4))
    ledger.append([*master, level, deliver("movements", move("1", "sale", 3, 5, from_id="D1"))])
    assert stock(ledger) == {"D1": -3}, "negative stock is recorded"
    assert ledger.status()["unanchored"] == 0


def test_an_opening_told_later_is_known_later(
    ledger: Ledger, master: list[Delivery], deliver: Deliver, move: Make, see: Make, clock: FixedClock
) -> None:
    ledger.configure(Rules(opening={"erp": "snapshot"}))
    ledger.append([*master, deliver("movements", move("1", "sale", 3, 5, from_id="D1"))])
    before = clock.now()
    clock.advance(10)
    ledger.append([deliver("observations", see("d", "erp_book", 50, 4))])
    assert stock(ledger) == {"D1": 47}
    assert stock(ledger, known_at=before) == {"D1": -3}


# ---- questions


def test_back_dated_facts_change_the_past_but_not_what_was_known(
    ledger: Ledger, master: list[Delivery], deliver: Deliver, move: Make, clock: FixedClock
) -> None:
    ledger.append([*master, deliver("movements", move("r", "receipt", 10, 4, to_id="D1"))])
    before, event = clock.now(), move("x", "sale", 1, 4)["event_time"]
    clock.advance(10)
    ledger.append([deliver("movements", move("late", "sale", 2, 2, from_id="D1"))])
    assert stock(ledger, at=event) == {"D1": 8}
    assert stock(ledger, at=event, known_at=before) == {"D1": 10}
    assert stock(ledger, at=event - 1) == {"D1": -2}


def test_unknown_names_are_refused(both: Ledger, deliver: Deliver) -> None:
    for asked in ({"item_id": "Z"}, {"location_id": "Z"}, {"book": "Z"}):
        with pytest.raises(NotFoundError, match="'Z'"):
            both.balances(**asked)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="'stock'"):
        both.current("stock")


def test_rejected_rows_are_counted_under_their_source(ledger: Ledger, deliver: Deliver) -> None:
    fault = {"row": 1, "line": 2, "column": "qty", "value": "x", "reason": "not a number", "raw": "{}"}
    whole = {"row": 0, "line": None, "column": None, "value": None, "reason": "odd encoding", "raw": None}
    ledger.append([deliver("movements", rejected=[fault, whole], source="feed")])
    assert counted(ledger) == (1, 0, 0, 1)
    assert ledger.status()["sources"][0]["system"] == "feed"
    assert told(ledger) == [("rejected", "qty", "x"), ("rejected", None, None)]


def test_decisions_are_kept_in_order(ledger: Ledger, clock: FixedClock) -> None:
    first = ledger.decide({"approve": "R-1"})
    second = ledger.decide({"reject": "R-2"})
    assert ledger.decisions() == [
        {"approve": "R-1", "seq": first, "recorded_at": clock.now()},
        {"reject": "R-2", "seq": second, "recorded_at": clock.now()},
    ]


def test_a_leak_is_seen(ledger: Ledger, master: list[Delivery], deliver: Deliver, move: Make) -> None:
    """Planted faults: a place that vanishes leaks, a changed row is not what the journal gives."""
    ledger.append([*master, deliver("movements", move("r", "receipt", 10, to_id="D1"))])
    ledger._projection.con.execute("UPDATE fact_movements SET into_place = 99")
    failed = {law.law for law in ledger.verify() if not law.ok}
    assert {"conservation", "replay", "order_independence"} <= failed


def test_a_changed_quantity_is_seen(
    ledger: Ledger, master: list[Delivery], deliver: Deliver, move: Make, clock: FixedClock
) -> None:
    ledger.append([*master, deliver("movements", move("r", "receipt", 10, to_id="D1"))])
    clock.advance(10)
    ledger.decide({"note": "so that there is a past to compare"})
    ledger._projection.con.execute("UPDATE fact_movements SET quantity = 11")
    failed = {law.law for law in ledger.verify() if not law.ok}
    assert {"replay", "state_hash", "two_clocks", "order_independence"} <= failed
    assert "conservation" not in failed, "both legs changed alike"

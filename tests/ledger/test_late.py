"""Late facts: found by the habits of their system, and what each changed is what the ledger says with and without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocktwin.domain.calendar import MICROSECONDS_PER_DAY
from stocktwin.domain.ports import FixedClock
from stocktwin.ledger import late_query
from stocktwin.ledger.journal.memory import MemoryJournal
from stocktwin.ledger.late_query import Late, Wanted, late_facts, place_names
from stocktwin.ledger.learned import habits
from stocktwin.ledger.ledger import Ledger

HOUR = MICROSECONDS_PER_DAY // 24
Deliver = Callable[..., Any]
Move = Callable[..., dict[str, Any]]


def ids(found: Late) -> list[str]:
    return [row["event_id"] for row in found.rows]


def test_a_fact_of_last_week_is_late_and_says_what_was_believed(
    ledger: Ledger, clock: FixedClock, master: list[Any], deliver: Deliver, move: Move
) -> None:
    ledger.append([*master, deliver("movements", move("r", "receipt", 50, to_id="D1"))])
    clock.advance(MICROSECONDS_PER_DAY)
    ledger.append([deliver("movements", move("s", "sale", 20, 95, from_id="D1"))])
    clock.advance(5 * MICROSECONDS_PER_DAY)
    ledger.append([deliver("movements", move("late", "receipt", 7, 90, to_id="D1"))])
    clock.advance(MICROSECONDS_PER_DAY)
    ledger.append([deliver("movements", move("t", "sale", 5, 239, from_id="D1"))])
    found = late_facts(ledger, Wanted())
    assert ids(found) == ["late"]
    change = found.rows[0]["changes"][0]
    assert place_names(ledger)[change.place] == "D1"
    assert (change.quantity, change.then, change.now) == (7, 50, 57)
    assert (change.until_then, change.until_now) == (30, 37)
    assert ids(late_facts(ledger, Wanted(hours=0.5))) == ["t", "late", "s"]
    assert ids(late_facts(ledger, Wanted(hours=0.5, item="K"))) == []
    assert ids(late_facts(ledger, Wanted(hours=0.5, location="D2"))) == []


def test_history_that_is_loaded_is_judged_by_its_sources_clock(
    ledger: Ledger, master: list[Any], deliver: Deliver, move: Move
) -> None:
    """Nobody asked the twin before it listened: what was late then was late to its source."""
    start = move("x", "sale", 1)["event_time"]
    rows = [
        move("on time", "receipt", 50, to_id="D1", recorded_at=start + HOUR // 4),
        move("late", "sale", 4, 1, from_id="D1", recorded_at=start + 40 * HOUR),
        *(move(f"s{k}", "sale", 1, 2 + k, from_id="D1", recorded_at=start + (2 + k) * HOUR + 1) for k in range(20)),
        move("undated", "sale", 2, 30, from_id="D1"),
    ]
    ledger.append([*master, deliver("movements", *rows)])
    found = late_facts(ledger, Wanted())
    assert ids(found) == ["late"]
    change = found.rows[0]["changes"][0]
    assert (change.then, change.now, change.until_then, change.until_now) == (50, 46, 28, 24)
    assert "1 of erp's facts of history without a time of recording" in found.assumed[0]


def test_a_system_that_is_connected_later_brings_history_not_late_facts(
    ledger: Ledger, clock: FixedClock, master: list[Any], deliver: Deliver, move: Move
) -> None:
    ledger.append([*master, deliver("movements", move("r", "receipt", 50, to_id="D1"))])
    clock.advance(30 * MICROSECONDS_PER_DAY)
    ledger.append([deliver("movements", move("w", "receipt", 50, 1, to_id="D1", system="wms"), source="wms")])
    assert ids(late_facts(ledger, Wanted())) == []
    clock.advance(3 * MICROSECONDS_PER_DAY)
    ledger.append([deliver("movements", move("w2", "receipt", 5, 2, to_id="D1", system="wms"), source="wms")])
    found = late_facts(ledger, Wanted())
    assert ids(found) == ["w2"]
    assert found.rows[0]["lag"] == 3 * MICROSECONDS_PER_DAY, "for so long was it asked without knowing"
    assert found.rows[0]["changes"] == [], "the record takes receipts from erp"


def test_a_nightly_system_is_not_late_every_day(
    ledger: Ledger, clock: FixedClock, master: list[Any], deliver: Deliver, move: Move
) -> None:
    """Ten facts a day, told a night later: the usual lag of such a system."""
    ledger.append([*master, deliver("movements", move("r", "receipt", 900, to_id="D1"))])
    number = 0
    for day in range(3, 20):
        clock.advance(MICROSECONDS_PER_DAY)
        rows = [move(f"s{day}-{k}", "sale", 1, 24 * day + 2 * k - 18, from_id="D1") for k in range(10)]
        number += len(rows)
        ledger.append([deliver("movements", *rows)])
    assert habits(ledger)[0].nine_of_ten > 12 * HOUR
    assert ids(late_facts(ledger, Wanted())) == []
    clock.advance(9 * MICROSECONDS_PER_DAY)
    ledger.append([deliver("movements", move("late", "sale", 1, 24 * 5, from_id="D1"))])
    assert ids(late_facts(ledger, Wanted())) == ["late"]


def test_counts_and_orders_can_be_late_too(
    ledger: Ledger, clock: FixedClock, master: list[Any], deliver: Deliver, move: Move, see: Move
) -> None:
    on_time = [move(f"r{k}", "receipt", 50, to_id="D1") for k in range(20)]
    ledger.append([*master, deliver("movements", *on_time)])
    clock.advance(9 * MICROSECONDS_PER_DAY)
    line = {"order_id": "P", "line": "1", "kind": "purchase", "item_id": "I", "quantity": 5, "to_id": "D1"}
    line |= {"ordered_at": move("x", "sale", 1, 100)["event_time"], "system": "erp"}
    ledger.append([deliver("observations", see("c", "cycle_count", 9, 99)), deliver("orders", line)])
    tables = [(row["table"], row["order_id"], row["changes"]) for row in late_facts(ledger, Wanted()).rows]
    assert sorted(tables) == [("observations", None, []), ("orders", "P", [])]


# ---- any history, against the ledger's own answers


@st.composite
def told(draw: st.DrawFn) -> list[list[tuple[str, str, int, int, str | None]]]:
    """Deliveries a day apart: (kind, location, quantity, days before it was told, condition)."""
    one = st.tuples(
        st.sampled_from(["receipt", "sale", "transfer_out", "scrap", "status"]),
        st.sampled_from(["D1", "D2"]),
        st.integers(1, 30),
        st.integers(0, 6),
        st.sampled_from([None, None, "blocked"]),
    )
    return draw(st.lists(st.lists(one, min_size=1, max_size=3), min_size=1, max_size=6))


def build(days: list[list[tuple[str, str, int, int, str | None]]], tools: tuple[Any, Deliver, Move]) -> Ledger:
    master, deliver, move = tools
    clock = FixedClock(move("x", "sale", 1)["event_time"] + 8 * MICROSECONDS_PER_DAY)
    ledger = Ledger.open(MemoryJournal(), None, clock)
    ledger.append([*master, deliver("movements", move("first", "receipt", 100, 190, to_id="D1"))])
    for day, facts in enumerate(days):
        clock.advance(MICROSECONDS_PER_DAY)
        rows = []
        for k, (kind, place, quantity, late, condition) in enumerate(facts):
            side = "to_id" if kind == "receipt" else "from_id"
            row = move(f"{day}-{k}", kind, quantity, 24 * (9 + day - late) - 1, **{side: place}, condition=condition)
            if kind == "transfer_out":
                row["to_id"] = "D2" if place == "D1" else "D1"
            rows.append(row | ({"to_condition": "blocked"} if kind == "status" else {}))
        ledger.append([deliver("movements", *rows)])
    return ledger


def free(ledger: Ledger, place: str, at: int, known_at: int | None) -> int:
    rows = ledger.balances(item_id="I", location_id=place, at=at, known_at=known_at).to_pylist()
    return sum(row["quantity"] for row in rows if row["condition"] == "unrestricted")


def disagreements(ledger: Ledger) -> list[str]:
    """Changes that the ledger, asked for both moments with and without, does not confirm."""
    names, wrong = place_names(ledger), []
    for row in late_facts(ledger, Wanted(hours=25)).rows:
        for one in row["changes"]:
            place, before = names[one.place], row["known_at"] - 1
            asked = (
                (free(ledger, place, one.event_time, before), free(ledger, place, one.event_time, None)),
                (free(ledger, place, before, before), free(ledger, place, before, None)),
            )
            if asked != ((one.then, one.now), (one.until_then, one.until_now)):
                wrong.append(row["event_id"])
    return wrong


@pytest.fixture(scope="module")
def tools(master: list[Any], deliver: Deliver, move: Move) -> tuple[Any, Deliver, Move]:
    return master, deliver, move


@settings(max_examples=6)
@given(days=told())
def test_what_was_believed_is_what_the_ledger_said(days: Any, tools: tuple[Any, Deliver, Move]) -> None:
    with build(days, tools) as ledger:
        assert disagreements(ledger) == []
        expected = sum(1 for facts in days[1:] for fact in facts if fact[3] > 1)  # it listened from the day before
        assert len(late_facts(ledger, Wanted(hours=25)).rows) == expected


@pytest.mark.parametrize(
    ("good", "bad"),
    [('here["learned"] < learned', 'here["learned"] <= learned'), ("<= happened", "< happened")],
)
def test_a_defect_in_the_sums_is_found(
    good: str, bad: str, tools: tuple[Any, Deliver, Move], monkeypatch: pytest.MonkeyPatch
) -> None:
    import inspect

    source = inspect.getsource(late_query._change)
    assert good in source
    names: dict[str, Any] = dict(vars(late_query))
    exec(compile(source.replace(good, bad), "mutant", "exec"), names)
    monkeypatch.setattr(late_query, "_change", names["_change"])
    days: Any = [[("receipt", "D1", 9, 4, None), ("sale", "D1", 3, 3, None)], [("sale", "D1", 2, 3, None)]]
    with build(days, tools) as ledger:
        assert disagreements(ledger) != []

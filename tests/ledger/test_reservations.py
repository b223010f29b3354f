"""Reservations: what open lines reserve is what a plain model of their facts says, at every moment."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocktwin.domain.calendar import MICROSECONDS_PER_DAY, format_instant
from stocktwin.domain.ports import FixedClock
from stocktwin.ledger import reservations as module
from stocktwin.ledger.journal.memory import MemoryJournal
from stocktwin.ledger.ledger import Ledger
from stocktwin.ledger.reservations import reservations

HOUR = MICROSECONDS_PER_DAY // 24
Deliver = Callable[..., Any]
Move = Callable[..., dict[str, Any]]
Tools = tuple[list[Any], Deliver, Move]


def order(move: Move, number: str, hour: float, quantity: int, **more: Any) -> dict[str, Any]:
    """A sales line of item I from D1, ordered at an hour after the start."""
    at = move("x", "sale", 1, hour)["event_time"]
    expires = more.pop("expires", None)
    row = {"order_id": number, "line": "1", "kind": "sales", "item_id": "I", "quantity": quantity, "from_id": "D1"}
    attributes = None if expires is None else json.dumps({"expires_at": expires})
    return {**row, "to_id": "C", "ordered_at": at, "system": "erp", "attributes": attributes, **more}


def told(ledger: Ledger, at: int | None = None, **asked: Any) -> dict[str, tuple[str, int]]:
    rows, _ = reservations(ledger, at=at, **asked)
    return {row["order_id"]: (row["state"], row["pending"]) for row in rows}


def test_from_pending_to_posted_void_and_expired(
    ledger: Ledger, master: list[Any], deliver: Deliver, move: Move
) -> None:
    start = move("x", "sale", 1)["event_time"]
    customer = deliver("locations", {"location_id": "C", "kind": "customer"})
    lines = [
        order(move, "served", 1, 10, updated_at=start + HOUR),
        order(move, "void", 1, 5, updated_at=start + HOUR),
        order(move, "void", 1, 5, updated_at=start + 4 * HOUR, status="cancelled"),
        order(move, "lapses", 1, 7, updated_at=start + HOUR, expires=format_instant(start + 6 * HOUR)),
        order(move, "part", 1, 9, updated_at=start + HOUR, quantity_cancelled=2),
        order(move, "typo", 1, 3, updated_at=start + HOUR, expires="soon"),
    ]
    posts = [
        move("s1", "sale", 4, 2, from_id="D1", order_id="served", line="1"),
        move("s2", "sale", 6, 5, from_id="D1", order_id="served", line="1"),
        move("s3", "sale", 3, 2, from_id="D1", order_id="part", line="1"),
        move("s3r", "sale", 1, 3, from_id="C", to_id="D1", order_id="part", line="1", corrects="s3"),
    ]
    ledger.append([*master, customer, deliver("orders", *lines), deliver("movements", *posts)])
    assert told(ledger, start) == {}
    assert told(ledger, start + 3 * HOUR) == {
        "served": ("pending", 6), "void": ("pending", 5), "lapses": ("pending", 7), "part": ("pending", 5),
        "typo": ("pending", 3)}  # fmt: skip
    assert told(ledger, start + 8 * HOUR) == {
        "served": ("posted", 0), "void": ("void", 0), "lapses": ("expired", 0), "part": ("pending", 5),
        "typo": ("pending", 3)}  # fmt: skip
    assert "'soon'" in reservations(ledger)[1][0]
    assert told(ledger, start + 3 * HOUR, location_id="D2") == {}
    assert told(ledger, start + 3 * HOUR, known_at=start) == {}


def test_a_transfer_reserves_where_it_leaves_until_it_left(
    ledger: Ledger, master: list[Any], deliver: Deliver, move: Move
) -> None:
    line = order(move, "T", 1, 8, kind="transfer", to_id="D2")
    purchase = order(move, "P", 1, 8, kind="purchase", from_id="S", to_id="D1")
    out = move("o", "transfer_out", 8, 5, from_id="D1", to_id="D2", order_id="T", line="1")
    arrived = move("i", "transfer_in", 8, 9, from_id="D1", to_id="D2", order_id="T", line="1")
    ledger.append([*master, deliver("orders", line, purchase), deliver("movements", out, arrived)])
    start = move("x", "sale", 1)["event_time"]
    assert told(ledger, start + 4 * HOUR) == {"T": ("pending", 8)}
    assert told(ledger, start + 6 * HOUR) == {"T": ("posted", 0)}


def test_a_lone_row_says_nothing_of_its_end_before_it_was_updated(
    ledger: Ledger, master: list[Any], deliver: Deliver, move: Move
) -> None:
    start = move("x", "sale", 1)["event_time"]
    line = order(move, "L", 1, 8, status="closed", updated_at=start + 9 * HOUR)
    ledger.append([*master, deliver("locations", {"location_id": "C", "kind": "customer"}), deliver("orders", line)])
    assert told(ledger, start + 4 * HOUR) == {"L": ("pending", 8)}
    assert told(ledger, start + 9 * HOUR) == {"L": ("posted", 0)}


# ---- any history, against a model

Step = tuple[str, int, int, int]
"""(what, which order, hour, how much)."""


@st.composite
def steps(draw: st.DrawFn) -> list[Step]:
    what = st.sampled_from(["open", "sale", "cancel", "cancel part", "close", "more"])
    return draw(st.lists(st.tuples(what, st.integers(0, 2), st.integers(1, 20), st.integers(1, 9)), max_size=10))


def model(history: list[Step], hour: int, expires: int) -> dict[str, int]:
    """What each order reserves at an hour: the latest version of the line, less what was sold of it."""
    found: dict[str, int] = {}
    for number in range(3):
        versions = [(at, what, size) for what, which, at, size in history if which == number and what != "sale"]
        sold = sum(size for what, which, at, size in history if which == number and what == "sale" and at <= hour)
        quantity, cancelled, over = 20, 0, False
        for _, what, size in sorted({at: (at, what, size) for at, what, size in versions if at <= hour}.values()):
            quantity, cancelled, over = 20, 0, what in ("cancel", "close")
            quantity += size if what == "more" else 0
            cancelled = size if what == "cancel part" else 0
        left = 0 if over or (hour >= expires and number == 0) else max(0, quantity - cancelled - sold)
        found[f"O{number}"] = left
    return found


def build(history: list[Step], expires: int, tools: Tools) -> tuple[Ledger, int]:
    master, deliver, move = tools
    start = move("x", "sale", 1)["event_time"]
    ledger = Ledger.open(MemoryJournal(), None, FixedClock(start + 3 * MICROSECONDS_PER_DAY))
    lapse = format_instant(start + expires * HOUR)
    versions = {}
    for what, which, hour, size in [("open", n, 0, 0) for n in range(3)] + [s for s in history if s[0] != "sale"]:
        row = order(move, f"O{which}", 0, 20 + (size if what == "more" else 0), expires=None if which else lapse)
        row |= {"cancel": {"status": "cancelled"}, "close": {"status": "closed"}}.get(what, {})
        row |= {"quantity_cancelled": size} if what == "cancel part" else {}
        versions[which, hour] = row | {"updated_at": start + hour * HOUR}
    sales = [
        move(f"s{k}", "sale", size, hour, from_id="D1", order_id=f"O{which}", line="1")
        for k, (what, which, hour, size) in enumerate(history)
        if what == "sale"
    ]
    customer = deliver("locations", {"location_id": "C", "kind": "customer"})
    told = [deliver("orders", *versions.values()), *([deliver("movements", *sales)] if sales else [])]
    ledger.append([*master, customer, *told])
    return ledger, start


@pytest.fixture(scope="module")
def tools(master: list[Any], deliver: Deliver, move: Move) -> Tools:
    return master, deliver, move


@settings(max_examples=12)
@given(history=steps(), expires=st.integers(1, 25), hours=st.lists(st.integers(0, 24), min_size=1, max_size=3))
def test_what_is_reserved_is_what_the_model_says(
    history: list[Step], expires: int, hours: list[int], tools: Tools
) -> None:
    ledger, start = build(history, expires, tools)
    with ledger:
        for hour in hours:
            found = {number: left for number, (_, left) in told(ledger, start + hour * HOUR).items()}
            assert found == model(history, hour, expires)
            assert min(found.values()) >= 0


def test_a_defect_would_be_found(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    history: list[Step] = [("sale", 1, 3, 4), ("cancel", 2, 5, 1)]
    monkeypatch.setattr(module, "POSTS", {"sales": ("receipt",), "transfer": ("transfer_out",)})
    ledger, start = build(history, 30, tools)
    with ledger:
        found = {number: left for number, (_, left) in told(ledger, start + 9 * HOUR).items()}
    assert found != model(history, 9, 30)

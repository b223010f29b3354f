"""The snapshot that is spliced after each batch is the one read from nothing, on any history."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocktwin.domain.calendar import MICROSECONDS_PER_DAY, parse_instant
from stocktwin.domain.ports import FixedClock
from stocktwin.domain.rules import Rules
from stocktwin.ledger import snapshots, splice
from stocktwin.ledger.journal.memory import MemoryJournal
from stocktwin.ledger.ledger import Ledger
from stocktwin.ledger.snapshot_query import Part
from stocktwin.ledger.snapshots import Standing, standing
from stocktwin.tables.batch import Delivery
from stocktwin.tables.history import History
from stocktwin.tables.snapshot import Snapshot

START = parse_instant("2025-03-03T08:00:00Z")
HOUR = MICROSECONDS_PER_DAY // 24
NOON = "2025-03-10T12:00:00Z"
ITEMS = ("A", "B", "C", "D", "E", "F")
PLACES = ("D1", "D2", "S")
MOVES: dict[str, tuple[str | None, str | None]] = {
    "receipt": (None, "D1"), "shipment": ("S", "D1"), "transfer_out": ("D1", "D2"), "transfer_in": ("D1", "D2"),
    "sale": ("D1", None), "return": (None, "D2"), "adjustment": ("D2", None), "scrap": ("D1", None),
    "transform": ("D1", None), "status": ("D2", None),
}  # fmt: skip

Deliver = Callable[..., Delivery]
Row = dict[str, Any]
Step = tuple[str, Any]
"""A table and rows of it, or `rules` and rules, or `decision` and one."""


# ---- the law


def differing(one: Snapshot, other: Snapshot) -> list[str]:
    """Names of the fields in which two snapshots differ, bit for bit."""
    return [f.name for f in fields(Snapshot) if not same(getattr(one, f.name), getattr(other, f.name))]


def same(one: Any, other: Any) -> bool:
    """Whether two columns are equal in type and value."""
    if isinstance(one, np.ndarray):
        return bool(one.dtype == other.dtype) and np.array_equal(one, other)
    if isinstance(one, pa.Table):
        return bool(one.schema.equals(other.schema) and one.equals(other))
    if isinstance(one, History):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(History))
    return bool(one == other)


class Watched:
    """A ledger whose snapshot is held against one read from nothing after each step."""

    def __init__(self, ledger: Ledger, clock: FixedClock, deliver: Deliver) -> None:
        self.ledger, self._clock, self._deliver = ledger, clock, deliver
        self._standing: Standing | None = None
        self.spliced = 0

    def take(self, step: Step) -> None:
        """Journals a step, a minute later."""
        table, content = step
        self._clock.advance(HOUR // 60)
        if table == "rules":
            self.ledger.configure(content)
        elif table == "decision":
            self.ledger.decide(content)
        else:
            rows = [row for row in content if row is not None]
            source = next((row["system"] for row in rows if "system" in row), "erp")
            self.ledger.append([self._deliver(table, *rows, source=source)])

    def check(self) -> None:
        """Brings the snapshot up to date; it is that read anew."""
        con = self.ledger._projection.cursor()
        told: dict[str, Any] = {"currency": "USD", "default": Rules(), "now": self._clock.now()}
        con.execute("BEGIN")
        old, self._standing = self._standing, standing(con, self._standing, **told)
        self.spliced += old is not None and self._standing.frame is old.frame
        oracle = standing(con, None, **told).snapshot
        con.execute("ROLLBACK")
        assert differing(self._standing.snapshot, oracle) == []


def watch(deliver: Deliver) -> Watched:
    """A ledger with six items, two DCs and a supplier."""
    clock = FixedClock(START + 20 * MICROSECONDS_PER_DAY)
    watched = Watched(Ledger.open(MemoryJournal(), None, clock), clock, deliver)
    watched.take(("items", [{"item_id": item, "scale": int(item == "F")} for item in ITEMS]))
    places = [{"location_id": "D1", "kind": "dc", "timezone": "Europe/Paris"}, {"location_id": "D2", "kind": "dc"}]
    watched.take(("locations", [*places, {"location_id": "S", "kind": "supplier"}]))
    watched.take(("sourcing", [{"item_id": "A", "location_id": "D2", "source_id": "S", "mode": "road"}]))
    watched.check()
    return watched


@pytest.fixture
def watched(deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """A watched ledger that splices whatever it may; every kind of movement has been reported before."""
    monkeypatch.setattr(snapshots, "MANY", 1.0)
    found = watch(deliver)
    with found.ledger:
        ends = ((kind, {"from_id": left, "to_id": into}) for kind, (left, into) in MOVES.items())
        found.take(("movements", [move(kind, kind, 1, "F", 8, **more) for kind, more in ends]))
        found.check()
        yield found


# ---- a history in which everything happens


def move(id: str, kind: str, quantity: int, item: str = "A", day: float = 0, **more: Any) -> Row:
    """A movement some days after the start."""
    at = START + int(day * MICROSECONDS_PER_DAY)
    row = {"event_id": id, "kind": kind, "quantity": quantity, "item_id": item, "event_time": at, "system": "erp"}
    return row | more


def see(id: str, quantity: int, item: str = "A", day: float = 0, **more: Any) -> Row:
    """A count at D1."""
    at = START + int(day * MICROSECONDS_PER_DAY)
    row = {"event_id": id, "method": "cycle_count", "quantity": quantity, "item_id": item, "event_time": at}
    return {**row, "location_id": "D1", "system": "erp", **more}


def order(id: str, kind: str, quantity: int, item: str = "A", day: float = 0, version: float = 0, **more: Any) -> Row:
    """A version of line 1 of an order."""
    at = START + int(day * MICROSECONDS_PER_DAY)
    row = {"order_id": id, "line": "1", "kind": kind, "quantity": quantity, "item_id": item, "ordered_at": at}
    return {**row, "updated_at": at + int(version * MICROSECONDS_PER_DAY), "system": "erp", **more}


EVENTFUL: tuple[Step, ...] = (
    ("movements", [move("r1", "receipt", 90, to_id="D1"), move("r2", "receipt", 50, "B", to_id="D2", day=8)]),
    ("movements", [move("s1", "sale", 5, from_id="D1", day=8.1), move("s2", "sale", 7, "B", from_id="D2", day=8.1)]),
    ("movements", [move("c1", "sale", 5, from_id="customer", to_id="D1", day=8.2, corrects="s1")]),
    ("movements", [move("l1", "scrap", 1, from_id="D1", lot="L", day=3), move("v1", "status", 4, from_id="D1",
                   to_condition="blocked", day=8.2)]),
    ("movements", [move("t1", "transfer_out", 9, from_id="D1", to_id="D2", day=8.3)]),
    ("movements", [move("h1", "shipment", 9, "C", from_id="S", to_id="D1", shipment_id="H", day=8.3)]),
    ("movements", [move("h2", "receipt", 4, "C", from_id="S", to_id="D1", shipment_id="H", day=8.4)]),
    ("observations", [see("o1", 40, "D", day=-3)]),
    ("orders", [order("P1", "purchase", 30, from_id="S", to_id="D1", day=2), order("W1", "sales", 6, "B", from_id="D2",
                day=2, requested_at=START + 8 * MICROSECONDS_PER_DAY + 10 * HOUR)]),
    ("orders", [order("P1", "purchase", 30, "E", from_id="S", to_id="D1", day=2, version=1)]),
    ("movements", [move("p1", "receipt", 30, "E", from_id="S", to_id="D1", order_id="P1", line="1", day=8.5)]),
    ("shipments", [{"shipment_id": "H1", "origin_id": "S", "destination_id": "D1", "order_id": "P1", "mode": "sea"}]),
    ("movements", [move("late", "sale", 2, "C", from_id="D1", day=8.45)]),
    ("movements", [move("n1", "receipt", 3, "N", to_id="D1", day=8.46)]),
    ("movements", [move("n2", "sale", 3, "D", from_id="D1", day=8.47)]),
    ("items", [{"item_id": "N"}]),
    ("movements", [move("n3", "sale", 1, "N", from_id="D1", day=8.51)]),
    ("policies", [{"item_id": "A", "location_id": "D2", "policy": "min_max", "reorder_point": 3}]),
    ("decision", {"decision": "approve"}),
    ("movements", [move("w1", "receipt", 80, system="wms", to_id="D1", day=8.52)]),
    ("rules", Rules(authority={"receipt": "wms"}, opening={"erp": "snapshot"})),
    ("movements", [move("q1", "sale", 2, "D", from_id="D1", day=-4)]),
    ("movements", [move("q2", "sale", 2, "D", from_id="D1", day=8.53)]),
    ("observations", [see("o2", 35, "C", day=-2), see("o3", 3, "E", day=8.54, lot="L")]),
    ("movements", [move("d1", "sale", 2, from_id="D1", day=12)]),
)  # fmt: skip


def live(watched: Watched) -> None:
    """Takes the eventful history, held against one read anew after each step."""
    for step in EVENTFUL:
        watched.take(step)
        watched.check()


def test_whatever_happens_the_spliced_snapshot_is_the_one_read_anew(watched: Watched) -> None:
    live(watched)
    assert watched.spliced >= 12


def test_several_batches_at_once(watched: Watched) -> None:
    for at, step in enumerate(EVENTFUL):
        watched.take(step)
        if at % 4 == 0:
            watched.check()
    watched.check()


def _plant(patch: pytest.MonkeyPatch, name: str) -> None:
    """Breaks one thing that the splice relies on."""
    if name.startswith("not framing: "):
        left = tuple(table for table in snapshots.FRAMING if table != name.removeprefix("not framing: "))
        patch.setattr(snapshots, "FRAMING", left)
    elif name.startswith("not touching: "):
        rest = {table: sql for table, sql in snapshots.TOUCHING.items() if table != name.removeprefix("not touching: ")}
        patch.setattr(snapshots, "TOUCHING", rest)
    elif name == "earlier items of a line forgotten":
        patch.setitem(snapshots.TOUCHING, "orders", "SELECT item FROM fact_orders WHERE seq > {0}")
    elif name == "the last batch forgotten":
        patch.setitem(snapshots.TOUCHING, "movements", "SELECT item FROM fact_movements WHERE seq > {0} + 1")
    elif name == "rules not looked at":
        patch.setattr(snapshots, "RULES", "no such kind")
        patch.setattr(snapshots, "make_view", lambda con: WHATEVER)
    elif name == "receipts of orders not looked at":
        patch.setattr(snapshots, "splice", lambda *args, arrived: splice.splice(*args, arrived=False))
    elif name == "one column is not put in":
        patch.setattr(snapshots, "splice", _without_transit)


class _Whatever:
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


WHATEVER = _Whatever()


def _without_transit(old: Part, *args: Any, arrived: bool) -> Part:
    made = splice.splice(old, *args, arrived=arrived)
    kept = np.resize(old.in_transit, len(made.in_transit)) if len(old.in_transit) else np.zeros_like(made.in_transit)
    return replace(made, in_transit=kept)


MUTANTS = (
    "not framing: items",
    "not framing: policies",
    "not framing: shipments",
    "not touching: movements",
    "not touching: observations",
    "not touching: orders",
    "earlier items of a line forgotten",
    "the last batch forgotten",
    "rules not looked at",
    "receipts of orders not looked at",
    "one column is not put in",
)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_planted_defects_are_found(watched: Watched, monkeypatch: pytest.MonkeyPatch, mutant: str) -> None:
    _plant(monkeypatch, mutant)

    with pytest.raises((AssertionError, KeyError, IndexError)):
        live(watched)


# ---- any history

HOURS = st.integers(-90 * 24, 12 * 24)
ENDS = st.sampled_from((None, *PLACES, "D1→D2", "customer", "X"))
NAMES = st.sampled_from((*ITEMS[:3], "N"))
NUMBERS = st.sampled_from((None, None, "1", "2"))


@st.composite
def movements(draw: st.DrawFn) -> Row:
    """Any movement: mostly bookable, some parked, in conflict, correcting, of lots, orders and shipments."""
    kind = draw(st.sampled_from(tuple(MOVES)))
    left, into = MOVES[kind] if draw(st.booleans()) else (draw(ENDS), draw(ENDS))
    row = move(f"e{draw(st.integers(0, 40))}", kind, draw(st.integers(1, 9)), draw(NAMES), draw(HOURS) / 24)
    system, lot = draw(st.sampled_from(("erp", "erp", "wms"))), draw(NUMBERS)
    number, shipment, corrects = draw(NUMBERS), draw(NUMBERS), draw(NUMBERS)
    blocked = draw(st.sampled_from((None, None, "blocked")))
    named = {"from_id": left, "to_id": into, "order_id": number and f"P{number}", "line": number and "1"}
    told = {"lot": lot, "shipment_id": shipment, "corrects": corrects and f"e{corrects}", "to_condition": blocked}
    return {**row, **named, **told, "system": system}


@st.composite
def orders(draw: st.DrawFn) -> Row:
    """Any version of one of a few order lines, the item of which may change."""
    kind = draw(st.sampled_from(("purchase", "transfer", "sales")))
    row = order(f"P{draw(st.integers(1, 4))}", kind, draw(st.integers(1, 9)), draw(NAMES), draw(HOURS) / 24,
                draw(st.integers(0, 5)))  # fmt: skip
    ends = {"from_id": draw(st.sampled_from(("S", "D1", "D2"))), "to_id": draw(st.sampled_from((None, "D1", "D2")))}
    told = {"status": draw(st.sampled_from((None, "open", "closed"))), "system": draw(st.sampled_from(("erp", "wms")))}
    return row | ends | told | {"quantity_received": draw(st.sampled_from((None, 0, 3)))}


def steps() -> st.SearchStrategy[Step]:
    """Any batch; facts more often than what frames them."""
    counts = st.builds(
        lambda id, quantity, item, hour, lot: see(f"o{id}", quantity, item, hour / 24, lot=lot),
        st.integers(0, 9), st.integers(0, 99), NAMES, HOURS, NUMBERS,
    )  # fmt: skip
    facts = st.one_of(
        st.tuples(st.just("movements"), st.lists(movements(), min_size=1, max_size=5)),
        st.tuples(st.just("movements"), st.lists(movements(), min_size=1, max_size=2)),
        st.tuples(st.just("orders"), st.lists(orders(), min_size=1, max_size=2)),
        st.tuples(st.just("observations"), st.lists(counts, min_size=1, max_size=2)),
    )
    return st.one_of(facts, facts, st.sampled_from(FRAMES))


FRAMES: Sequence[Step] = (
    ("items", [{"item_id": "N"}]),
    ("locations", [{"location_id": "X", "kind": "store", "timezone": "Asia/Tokyo", "cutoff": "18:00"}]),
    ("lanes", [{"origin_id": "S", "destination_id": "D1", "mode": "sea", "lead_time_days": 9}]),
    ("sourcing", [{"item_id": "B", "location_id": "D1", "source_id": "S"}]),
    ("demand", [{"item_id": "C", "location_id": "D2", "distribution": "poisson", "mean": 2}]),
    ("shipments", [{"shipment_id": "H", "origin_id": "S", "destination_id": "D1", "order_id": "P1", "mode": "air"}]),
    ("rules", Rules(authority={"default": "wms"})),
    ("rules", Rules(opening={"erp": "snapshot"}, timezone="America/New_York")),
    ("rules", Rules(authority_by_location={"D1": {"sale": "wms"}})),
    ("decision", {"decision": "reject"}),
)


def _live(deliver: Deliver, history: Sequence[Step]) -> None:
    watched = watch(deliver)
    with watched.ledger, pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshots, "MANY", 1.0)
        for step in history:
            watched.take(step)
            watched.check()


@settings(max_examples=4, deadline=None)
@given(history=st.lists(steps(), min_size=4, max_size=8))
def test_any_history_is_spliced_as_it_is_read(deliver: Deliver, history: list[Step]) -> None:
    _live(deliver, history)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(history=st.lists(steps(), min_size=4, max_size=16))
def test_any_long_history_is_spliced_as_it_is_read(deliver: Deliver, history: list[Step]) -> None:
    _live(deliver, history)

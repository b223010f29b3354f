"""The live state is the fold in SQL, bit for bit, after every batch of any history."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocktwin.domain.calendar import MICROSECONDS_PER_DAY, parse_instant
from stocktwin.domain.ports import FixedClock
from stocktwin.domain.rules import Rules
from stocktwin.kernels import accounts as kernels
from stocktwin.ledger import backward, live, status_query
from stocktwin.ledger import balances as balance_query
from stocktwin.ledger.accounts import Accounts, Names
from stocktwin.ledger.balances import balances, stocking_sql
from stocktwin.ledger.journal.memory import MemoryJournal
from stocktwin.ledger.ledger import Ledger
from stocktwin.ledger.live import Live, newest
from stocktwin.tables.batch import Delivery

START = parse_instant("2025-03-03T08:00:00Z")
HOUR = MICROSECONDS_PER_DAY // 24
ITEMS = ("B", "A", "C")
LATER = ("Z", "D9")
"""An item and a place that become known late, or never."""
KINDS: dict[str, tuple[tuple[str | None, ...], tuple[str | None, ...]]] = {
    "receipt": ((None, "S"), ("D1", "D2", "D9")), "shipment": (("S", "D1"), ("D1", "D2")),
    "transfer_out": (("D1",), ("D2",)), "transfer_in": (("D1",), ("D2",)), "sale": (("D1", "D2"), (None,)),
    "return": ((None,), ("D1",)), "adjustment": (("D2", None), ("D1",)), "scrap": (("D1",), (None,)),
    "transform": (("D1",), (None,)), "status": (("D2",), (None,)),
}  # fmt: skip

Deliver = Callable[..., Delivery]
Row = dict[str, Any]
Step = tuple[str, Any]


@st.composite
def movements(draw: st.DrawFn, number: int) -> Step:
    """A batch of movements of one system."""
    system = draw(st.sampled_from(["erp", "erp", "wms"]))
    rows = []
    for at in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["receipt", "receipt", "shipment", "sale", *KINDS]))
        row: Row = {
            "event_id": f"{number}-{at}",
            "kind": kind,
            "quantity": draw(st.integers(1, 9)),
            "event_time": START + draw(st.integers(0, 60)) * HOUR,
            "item_id": draw(st.sampled_from([*ITEMS, "Z"])),
            "system": system,
            "from_id": draw(st.sampled_from(KINDS[kind][0])),
            "to_id": draw(st.sampled_from(KINDS[kind][1])),
            "lot": draw(st.sampled_from([None, None, "L2", "L1"])),
            "owner": draw(st.sampled_from([None, None, "they"])),
            "to_condition": draw(st.sampled_from([None, None, "blocked"])),
        }
        if kind in ("receipt", "shipment"):
            row["shipment_id"] = draw(st.sampled_from(["H", "G", None]))
        rows.append(row)
    return "movements", rows


@st.composite
def levels(draw: st.DrawFn, number: int) -> Step:
    """A batch of levels."""
    system = draw(st.sampled_from(["erp", "wms"]))
    method = st.sampled_from(["cycle_count", "erp_book", "rfid"])
    rows = [
        {
            "event_id": f"o{number}-{at}", "method": draw(method), "quantity": draw(st.integers(0, 50)),
            "event_time": START + draw(st.integers(0, 60)) * HOUR, "item_id": draw(st.sampled_from([*ITEMS, "Z"])),
            "location_id": draw(st.sampled_from(["D1", "D2", "D9"])), "lot": draw(st.sampled_from([None, None, "L1"])),
            "system": system,
        }
        for at in range(draw(st.integers(1, 2)))
    ]  # fmt: skip
    return "observations", rows


RULES = (
    Rules(),
    Rules(authority={"default": "wms"}),
    Rules(authority={"receipt": "wms"}, authority_by_location={"D2": {"sale": "wms"}}),
    Rules(opening={"erp": "snapshot"}),
    Rules(opening={"erp": "snapshot", "wms": "snapshot"}, authority={"default": "erp"}),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """Rules, movements and levels in any order, names that come late, some of it told twice."""
    steps: list[Step] = []
    for number in range(draw(st.integers(2, 7))):
        steps.append(draw(st.one_of(movements(number), movements(number), levels(number))))
    steps.insert(draw(st.integers(0, len(steps))), ("items", [{"item_id": "Z"}]))
    steps.insert(draw(st.integers(0, len(steps))), ("locations", [{"location_id": "D9", "kind": "store"}]))
    steps.insert(draw(st.sampled_from([0, 0, len(steps) // 2])), ("rules", draw(st.sampled_from(RULES))))
    again = draw(st.sampled_from(steps))
    return [*steps, again]


class Watched:
    """A ledger, and its live states held against the SQL fold."""

    def __init__(self, deliver: Deliver) -> None:
        self.clock = FixedClock(START + 20 * MICROSECONDS_PER_DAY)
        self.ledger = Ledger.open(MemoryJournal(), None, self.clock)
        self._deliver = deliver
        self._states: dict[int | None, Live] = {}
        self.kept = 0
        self.take(("items", [{"item_id": item} for item in ITEMS]))
        places = [{"location_id": place, "kind": "dc"} for place in ("D2", "D1")]
        self.take(("locations", [*places, {"location_id": "S", "kind": "supplier"}]))

    def take(self, step: Step) -> None:
        """Journals a step, a minute later."""
        table, content = step
        self.clock.advance(HOUR // 60)
        if table == "rules":
            self.ledger.configure(content)
        else:
            source = next((row["system"] for row in content if "system" in row), "erp")
            self.ledger.append([self._deliver(table, *content, source=source)])

    def check(self) -> None:
        """Brings the record and every book up to date; they are what SQL adds up."""
        con = self.ledger._projection.cursor()
        systems = con.execute("SELECT code, name FROM system").fetchall()
        for system, book in [(None, None), *systems]:
            old = self._states.get(system)
            state = self._states[system] = newest(con, old, system)
            self.kept += state is old
            for shown, stocking in ((True, stocking_sql()), (False, None)):
                told = live.answer(con, state, stocking)
                assert told.equals(balances(con, book=book, stocking_only=shown)), (book, shown)


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few items are many here: the live state is kept whatever was touched."""
    monkeypatch.setattr(live, "MANY", 1.0)
    monkeypatch.setattr(backward, "HALF", 1.0)
    monkeypatch.setattr(backward, "FEW", 1.0)
    monkeypatch.setattr(balance_query, "MANY_MOVEMENTS", 0)


@pytest.fixture
def watched(deliver: Deliver) -> Iterator[Watched]:
    made = Watched(deliver)
    with made.ledger:
        yield made


def live_through(deliver: Deliver, steps: list[Step]) -> int:
    """Checks after every step; how often a state was brought up to date in place."""
    made = Watched(deliver)
    with made.ledger:
        for step in steps:
            made.take(step)
            made.check()
    return made.kept


@settings(max_examples=25)
@given(steps=histories())
def test_after_every_batch_it_is_what_sql_adds_up(deliver: Deliver, steps: list[Step]) -> None:
    live_through(deliver, steps)


def move(id: str, kind: str, quantity: int, hour: int, item: str = "A", **more: Any) -> Row:
    """A movement of the ERP."""
    at = START + hour * HOUR
    row = {"event_id": id, "kind": kind, "quantity": quantity, "item_id": item, "event_time": at, "system": "erp"}
    return row | more


def see(id: str, quantity: int, hour: int, item: str = "A", **more: Any) -> Row:
    """A count of the ERP at D1."""
    at = START + hour * HOUR
    row = {"event_id": id, "method": "cycle_count", "quantity": quantity, "item_id": item, "event_time": at}
    return {**row, "location_id": "D1", "system": "erp", **more}


EVENTFUL: tuple[Step, ...] = (
    ("movements", [move("k", kind, 1, 1, "C", from_id=f[-1], to_id=t[0]) | {"event_id": kind}
                   for kind, (f, t) in KINDS.items()]),
    ("movements", [move("r1", "receipt", 5, 2, to_id="D1", from_id="S", shipment_id="H")]),
    ("movements", [move("h1", "shipment", 5, 1, from_id="S", to_id="D1", shipment_id="H")]),
    ("movements", [move("r2", "receipt", 2, 3, to_id="D1", shipment_id="H")]),
    ("movements", [move("z1", "receipt", 3, 3, "Z", to_id="D1"), move("s1", "sale", 1, 3, from_id="D1")]),
    ("items", [{"item_id": "Z"}]),
    ("movements", [move("l1", "receipt", 3, 4, to_id="D2", lot="M"), move("l2", "receipt", 3, 4, to_id="D2", lot="K")]),
    ("movements", [move("l3", "scrap", 3, 5, from_id="D2", lot="M", owner="they")]),
    ("rules", Rules(opening={"erp": "snapshot"})),
    ("observations", [see("o1", 40, 6)]),
    ("movements", [move("s2", "sale", 2, 7, from_id="D1")]),
    ("movements", [move("s3", "sale", 2, 5, from_id="D1")]),
    ("observations", [see("o2", 30, 4)]),
    ("observations", [see("o3", 9, 4, "B")]),
    ("movements", [move("b1", "sale", 1, 8, "B", from_id="D1", system="wms")]),
    ("movements", [move("b2", "sale", 1, 9, "B", from_id="D1")]),
    ("movements", [move("b3", "receipt", 1, 9, "B", to_id="D2")]),
    ("observations", [see("o4", 9, 4, "B", location_id="D2")]),
)  # fmt: skip
"""Each thing that is more than adding, once."""


def test_what_is_more_than_adding_is_added_up_anew(deliver: Deliver) -> None:
    assert live_through(deliver, list(EVENTFUL)) >= 2 * len(EVENTFUL) - 14


def _plant(patch: pytest.MonkeyPatch, name: str) -> None:
    """Breaks one thing that the live state relies on."""
    if name == "routes are additive":
        patch.setattr(live, "ROUTABLE", "false")
        patch.setattr(live, "_entangled", _without(live._entangled, "shipment"))
    elif name == "freed facts are forgotten":
        patch.setattr(live, "_entangled", _without(live._entangled, "tally"))
    elif name == "levels open nothing":
        patch.setattr(live, "_opened", lambda con, state: set())
    elif name == "late postings are added":
        patch.setattr(live, "_reopening", lambda con, state, side: side.item[:0])
    elif name == "nothing is redirected":
        patch.setattr(Accounts, "redirect", lambda *given: None)
    elif name == "lots are not told apart":
        patch.setattr(Names, "numbers", lambda self, column: np.zeros(len(column), np.int64))
    elif name == "clearing forgets nothing":
        patch.setattr(kernels, "clear", lambda *given: None)


def _without(asked: Callable[..., Any], word: str) -> Callable[..., Any]:
    """The same question to a connection that leaves out what speaks of a word."""

    class Deaf:
        def __init__(self, con: Any) -> None:
            self._con = con

        def execute(self, sql: str) -> Any:
            if word == "tally" and "tally" in sql:
                return self._con.execute("SELECT CAST(NULL AS BIGINT)")
            return self._con.execute("SELECT item FROM fact_movements WHERE false" if "shipment" in sql else sql)

        def sql(self, sql: str) -> Any:
            return self._con.sql(sql)

    return lambda con, *given: asked(Deaf(con), *given)


@pytest.mark.parametrize(
    "name",
    ["routes are additive", "freed facts are forgotten", "levels open nothing", "late postings are added",
     "nothing is redirected", "lots are not told apart", "clearing forgets nothing"],
)  # fmt: skip
def test_planted_bugs_are_found(deliver: Deliver, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    _plant(monkeypatch, name)
    with pytest.raises(AssertionError):
        live_through(deliver, list(EVENTFUL))


def test_the_ledger_answers_from_it(watched: Watched) -> None:
    for step in EVENTFUL:
        watched.take(step)
        con = watched.ledger._projection.cursor()
        assert watched.ledger.balances().equals(balances(con))
        assert watched.ledger.balances(book="erp", stocking_only=False).equals(
            balances(con, book="erp", stocking_only=False)
        )
        assert watched.ledger.conservation_residual == 0
        assert watched.ledger.status()["unanchored"] == status_query.unanchored(con)


@settings(max_examples=12)
@given(steps=histories(), at=st.integers(0, 60), back=st.integers(0, 9), of=st.booleans())
def test_the_past_is_what_sql_adds_up(deliver: Deliver, steps: list[Step], at: int, back: int, of: bool) -> None:
    made = Watched(deliver)
    with made.ledger as ledger:
        for step in steps:
            made.take(step)
        if of:
            ledger.balances()
        con = ledger._projection.cursor()
        time, known = START + at * HOUR, made.clock.now() - back * HOUR // 60
        for asked in ({"at": time}, {"known_at": known}, {"at": time, "known_at": known}):
            for book in (None, "erp") if _knows(con, "erp") else (None,):
                more: dict[str, Any] = {"book": book, "stocking_only": False, **asked}
                assert ledger.balances(**more).equals(balances(con, **more)), more


@pytest.mark.parametrize("planted", [False, True])
def test_a_shipment_after_the_moment_routed_nothing_then(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, planted: bool
) -> None:
    """Also the planted bug is found: that it routed."""
    routed = {"from_id": "S", "to_id": "D1", "shipment_id": "H"}
    watched.take(("movements", [move("r", "receipt", 5, 2, **routed), move("h", "shipment", 5, 9, **routed)]))
    con = watched.ledger._projection.cursor()
    watched.ledger.balances()
    if planted:
        monkeypatch.setattr(backward, "_rerouted", lambda *given: np.zeros(0, np.int32))
    for hour in (1, 2, 8, 9):
        asked: dict[str, Any] = {"at": START + hour * HOUR, "stocking_only": False}
        same = watched.ledger.balances(**asked).equals(balances(con, **asked))
        assert same != (planted and 2 <= hour < 9)


def _knows(con: Any, system: str) -> bool:
    return bool(con.execute("SELECT 1 FROM system WHERE name = ?", [system]).fetchall())


def test_more_names_than_a_key_can_hold_are_left_to_sql(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in EVENTFUL[:7]:
        watched.take(step)
    monkeypatch.setattr(Names, "__init__", lambda self, most=0: _small(self))
    con = watched.ledger._projection.cursor()
    assert watched.ledger.balances().equals(balances(con))
    assert watched.ledger._projection.live._crowded


def _small(names: Names) -> None:
    names.texts, names._numbers, names.most = [None], {}, 1

"""A twin on disk that lives through anything, beside the plain Python that knows what it must say."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stocktwin.domain.ports import FixedClock
from stocktwin.domain.rules import Rules
from stocktwin.ledger.invariants import Case, judge
from stocktwin.ledger.journal.sqlite import SqliteJournal
from stocktwin.ledger.ledger import Ledger
from stocktwin.tables.batch import REJECTED_SCHEMA, Delivery

SECOND = 1_000_000


def _laws() -> ModuleType:
    """Tests are no package: the oracle is loaded from the neighbour by its path."""
    spec = importlib.util.spec_from_file_location("laws_oracle", Path(__file__).with_name("test_laws.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


laws = _laws()
laws.SCALES |= {f"P{number}": 0 for number in range(5)}
Row = dict[str, Any]
Key = tuple[str, str]
RULES = [
    Rules(),
    Rules(authority={"default": "wms"}),
    Rules(authority={"default": "erp", "sale": "wms"}),
    Rules(authority={"default": "erp"}, authority_by_location={"D1": {"default": "wms"}}),
    Rules(authority={"default": "wms"}, authority_by_location={"D1": {"default": "erp"}, "D2": {"receipt": "erp"}}),
]
KINDS = ("receipt", "sale", "transfer_out", "transfer_in", "adjustment", "scrap")


@st.composite
def movements(draw: st.DrawFn) -> list[Row]:
    """A few movements; the machine numbers them."""
    rows = draw(st.lists(laws.movement(0).filter(lambda row: row["kind"] in KINDS), min_size=1, max_size=4))
    for row in rows:
        row |= {"system": draw(st.sampled_from(["erp", "wms"])), "shipment_id": None}
    return list(rows)


class Twin(RuleBasedStateMachine):
    """The rules are what can happen to a ledger; the invariants what must hold at every moment."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="stocktwin-machine-"))
        self.folder = self.home / "0"
        self.folder.mkdir()
        self.clock = FixedClock(laws.NOW)
        self.ledger = self.opened()
        self.number = 0
        self.known: dict[Key, Row] = {}
        """Key → the content that was delivered first, of what is accepted or parked."""
        self.waiting: set[Key] = set()
        self.named = {"I", "K"}
        self.sent: list[list[Row]] = []
        self.rules = Rules()
        self.delivered, self.quarantined, self.cursor = 0, 0, 0
        self.unread: list[Row] = []
        self.past: list[tuple[int, dict[Any, int]]] = []

    def opened(self) -> Ledger:
        """The twin as a new process finds it."""
        return Ledger.open(SqliteJournal(self.folder / "journal.sqlite"), self.folder / "projection.duckdb", self.clock)

    def teardown(self) -> None:
        self.ledger.close()
        shutil.rmtree(self.home)

    # ---- what plain Python expects

    def record(self) -> list[Row]:
        """The movements that are the record, under the rules in force."""
        rows = [row for key, row in self.known.items() if key not in self.waiting]
        told = {kind: tuple({row["system"] for row in rows if row["kind"] == kind}) for kind in KINDS}

        def site(row: Row) -> str:
            into = row["kind"] in ("receipt", "transfer_in") or not row.get("from_id")
            return (row.get("to_id") if into else row.get("from_id")) or ""

        return [row for row in rows if row["system"] == self.rules.system_of(row["kind"], site(row), told[row["kind"]])]

    def expected(self) -> dict[Any, int]:
        """Balances of the record."""
        return dict(laws.oracle(self.record()))

    # ---- what happens

    def deliver(self, rows: list[Row], ledger: Ledger | None = None, **more: Any) -> None:
        """One delivery, and what becomes of its rows."""
        self.cursor += 1
        (delivery,) = laws.deliveries([("movements", row) for row in rows])
        (ledger or self.ledger).append([replace(delivery, cursor=str(self.cursor), **more)])
        self.note(rows)

    def note(self, rows: list[Row]) -> None:
        """What becomes of delivered rows: new, parked, duplicate or in conflict."""
        for row in rows:
            self.delivered += 1
            key = row["system"], row["event_id"]
            if row["item_id"] not in self.named and key not in self.known:
                self.waiting.add(key)
                self.quarantined += 1
            elif key in self.known and laws.atomic(row) != laws.atomic(self.known[key]):
                self.quarantined += 1
            self.known.setdefault(key, row)

    def numbered(self, rows: list[Row]) -> list[Row]:
        """The rows with ids that no other has."""
        fresh = []
        for row in rows:
            self.number += 1
            fresh.append({**row, "event_id": str(self.number)})
        return fresh

    @initialize()
    def begin(self) -> None:
        self.ledger.append(laws.deliveries(laws.MASTER))
        self.delivered += len(laws.MASTER)

    @rule(rows=movements())
    def deliver_new(self, rows: list[Row]) -> None:
        rows = self.numbered(rows)
        self.sent.append(rows)
        self.deliver(rows)

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), raw=st.booleans())
    def deliver_again(self, data: st.DataObject, raw: bool) -> None:
        """Whole or in part, in another order, as the same file or not."""
        rows = data.draw(st.permutations(data.draw(st.sampled_from(self.sent))))
        kept = rows[: data.draw(st.integers(1, len(rows)))]
        self.deliver(kept, raw_digest="f" * 64 if raw else "")

    @rule(rows=movements(), data=st.data())
    def deliver_in_pieces(self, rows: list[Row], data: st.DataObject) -> None:
        """Several deliveries share a commit, and overlap."""
        rows = self.numbered(rows)
        self.sent.append(rows)
        cut = data.draw(st.integers(0, len(rows) - 1))
        pieces = [rows[: cut + 1], rows[cut:]]
        told = [laws.deliveries([("movements", row) for row in piece])[0] for piece in pieces]
        self.ledger.append(told)
        for piece in pieces:
            self.note(piece)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def correct(self, data: st.DataObject) -> None:
        """The same quantity the other way round, pointing at what it corrects."""
        row = self.known[data.draw(st.sampled_from(sorted(self.known)))]
        if row["item_id"] not in self.named:
            return
        back = {**row, "kind": "adjustment", "from_id": row.get("to_id"), "to_id": row.get("from_id")}
        if back["from_id"] or back["to_id"]:
            self.deliver(self.numbered([{**back, "corrects": row["event_id"]}]))

    @precondition(lambda self: self.known.keys() - self.waiting)
    @rule(data=st.data(), more=st.integers(1, 9))
    def contradict(self, data: st.DataObject, more: int) -> None:
        """The key of an accepted fact with another content."""
        row = self.known[data.draw(st.sampled_from(sorted(self.known.keys() - self.waiting)))]
        self.deliver([{**row, "quantity": row["quantity"] + 1000 * more + self.number}])
        self.number += 1

    @precondition(lambda self: len(self.named) < 7)
    @rule(rows=movements())
    def speak_of_an_unknown_item(self, rows: list[Row]) -> None:
        item = f"P{len(self.named) - 2}"
        self.deliver(self.numbered([{**rows[0], "item_id": item, "unit": None}]))

    @precondition(lambda self: self.waiting)
    @rule()
    def name_the_unknown_item(self) -> None:
        item = f"P{len(self.named) - 2}"
        self.ledger.append(laws.deliveries([("items", {"item_id": item})]))
        self.delivered += 1
        self.named.add(item)
        free = {key for key in self.waiting if self.known[key]["item_id"] == item}
        self.quarantined -= len(free)
        self.waiting -= free

    @rule(rows=movements())
    def deliver_what_cannot_be_read(self, rows: list[Row]) -> None:
        (row,) = self.numbered(rows[:1])
        told = {"row": 1, "line": 2, "column": "quantity", "value": "x", "reason": "not a number: 'x'",
                "raw": f'{{"event_id": "{row["event_id"]}"}}', "system": row["system"]}  # fmt: skip
        (delivery,) = laws.deliveries([("movements", row)])
        rejected = pa.Table.from_pylist([told], REJECTED_SCHEMA)
        self.ledger.append([Delivery("erp", "movements", "bad.csv", delivery.facts.slice(0, 0), rejected)])
        self.unread.append(row)
        self.delivered += 1
        self.quarantined += 1

    @precondition(lambda self: self.unread)
    @rule()
    def read_it_again(self) -> None:
        held = [row for row in self.ledger.quarantine().to_pylist() if row["state"] == "rejected"]
        row = self.unread.pop(0)
        ids = [one["quarantine_id"] for one in held if f'"{row["event_id"]}"' in one["raw"]]
        self.delivered -= 1
        self.quarantined -= 1
        self.deliver([row], replays=tuple(ids))

    @rule(rules=st.sampled_from(RULES))
    def change_authority(self, rules: Rules) -> None:
        self.ledger.configure(rules)
        self.rules = rules

    @rule()
    def crash(self) -> None:
        """What a killed process leaves: the files as they are, nothing closed."""
        after = self.home / str(int(self.folder.name) + 1)
        shutil.copytree(self.folder, after)
        self.ledger.close()
        self.folder = after
        self.ledger = self.opened()

    @rule()
    def lose_the_projection(self) -> None:
        self.ledger.close()
        (self.folder / "projection.duckdb").unlink()
        self.ledger = self.opened()

    @rule(rows=movements(), more=movements())
    def another_writer_comes_between(self, rows: list[Row], more: list[Row]) -> None:
        with Ledger.open(SqliteJournal(self.folder / "journal.sqlite"), None, self.clock) as other:
            self.deliver(self.numbered(rows), other)
        self.deliver(self.numbered(more))

    @rule(hours=st.integers(1, 30))
    def set_the_clock_back(self, hours: int) -> None:
        self.clock.advance(-hours * SECOND - 1)  # not onto the very instant: what shares it became known together

    @rule()
    def remember(self) -> None:
        """What is known at a moment is not told otherwise later."""
        head = self.ledger.journal.head()
        recorded = head.header.record_time if head else 0
        self.clock.advance(max(recorded - self.clock.now(), 0) + SECOND)
        self.past.append((recorded, self.expected()))

    # ---- what must hold

    @invariant()
    def balances_are_the_oracles(self) -> None:
        assert laws.balances(self.ledger) == self.expected()
        assert self.ledger.conservation_residual == 0

    @invariant()
    def every_row_is_counted_once(self) -> None:
        status = self.ledger.status()
        assert status["delivered"] == status["accepted"] + status["duplicates"] + status["quarantined"]
        assert (status["delivered"], status["quarantined"]) == (self.delivered, self.quarantined)
        assert status["movements"] == len(self.known) - len(self.waiting)
        assert self.ledger.quarantine().num_rows == self.quarantined

    @invariant()
    def the_cursor_is_that_of_the_last_delivery(self) -> None:
        if self.cursor:
            assert self.ledger.cursors()["erp", "movements.csv"] == str(self.cursor)

    @invariant()
    def record_time_never_goes_back(self) -> None:
        times = [batch.header.record_time for batch in self.ledger.journal.batches()]
        assert times == sorted(times)

    @invariant()
    def the_past_is_told_as_it_was_known(self) -> None:
        for known_at, then in self.past[-1:]:
            assert laws.balances(self.ledger, known_at=known_at) == then

    @precondition(lambda self: self.number > 5)
    @rule(data=st.data())
    def tell_a_new_twin_all_of_it(self, data: st.DataObject) -> None:
        """The same accepted facts in any order, in one go: the same state, to the last bit."""
        facts = [("items", {"item_id": item}) for item in sorted(self.named - {"I", "K"})]
        facts += [("movements", row) for key, row in self.known.items() if key not in self.waiting]
        assert judge("state_hash", Case(self.ledger.journal, self.ledger._projection)).ok
        with laws.twin([data.draw(st.permutations([*laws.MASTER, *facts]))], self.rules) as fresh:
            assert fresh.state_hash == self.ledger.state_hash
            assert laws.balances(fresh) == self.expected()

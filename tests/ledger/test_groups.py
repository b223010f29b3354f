"""Folding many batches at once gives, row for row, what folding one after the other gives."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocktwin.domain.ports import FixedClock
from stocktwin.domain.rules import Rules
from stocktwin.ledger import fold as folding
from stocktwin.ledger import replay, seen, suspects
from stocktwin.ledger.ahead import ahead
from stocktwin.ledger.journal.blob import decode, encode, grouped, no_rejected
from stocktwin.ledger.journal.memory import MemoryJournal
from stocktwin.ledger.layout import FORMS
from stocktwin.ledger.ledger import Ledger
from stocktwin.tables.batch import Delivery
from stocktwin.tables.schema import TABLES

Deliver = Callable[..., Delivery]
Move = Callable[..., dict[str, Any]]

ENDS = ("D1", "D2", "S", "D1→D2", "D2→D1", "D9", None)
"""Known places, lanes named by hand, a place that nobody knows, none."""
EVENT = st.tuples(
    st.integers(0, 8),
    st.sampled_from(["sale", "receipt", "transfer_out", "transfer_in", "shipment", "adjustment"]),
    st.sampled_from([1, 2, 0.5]),
    st.sampled_from(["I", "K", "unknown"]),
    st.sampled_from(ENDS),
    st.sampled_from(ENDS),
    st.sampled_from(["erp", "wms", None]),
    st.sampled_from([None, "case"]),
    st.integers(0, 60),
)
STEP = st.one_of(
    st.tuples(st.just("movements"), st.lists(EVENT, min_size=1, max_size=5)),
    st.tuples(st.just("observations"), st.lists(EVENT, min_size=1, max_size=3)),
    st.tuples(st.just("orders"), st.lists(EVENT, min_size=1, max_size=3)),
    st.tuples(st.sampled_from(["naming", "rules", "again"]), st.just([])),
)


def folded(journal: MemoryJournal, portions: bool, indexed: bool = False) -> tuple[Any, ...]:
    """Watermark and fingerprints of a projection folded in portions or batch by batch, with an index of keys or not."""
    with pytest.MonkeyPatch.context() as patch, replay.empty(journal) as (projection, fold):
        if indexed:
            patch.setattr(seen, "SMALL", 1)
            patch.setattr(seen, "MUCH", 1)
            patch.setattr(seen, "FIRST_SLOTS", 3)
        if portions:
            fold.apply_all(list(journal.batches()))
        else:
            for batch in journal.batches():
                fold.apply(batch)
        seq, own_hash, _, state = projection.watermark()
        return seq, own_hash, state, replay.fingerprints(projection.con)


def delivery(deliver: Deliver, move: Move, table: str, events: list[Any]) -> Delivery:
    rows = []
    for number, kind, quantity, item, left, into, system, unit, hour in events:
        row = move(f"e{number}", kind, quantity, hour, item_id=item, system=system, unit=unit)
        if table == "movements":
            rows.append(row | {"from_id": left, "to_id": into})
        elif table == "observations":
            rows.append(row | {"method": "cycle_count", "location_id": into or "D1"})
        else:
            order = {"order_id": f"o{number}", "line": "1", "kind": "purchase", "ordered_at": row["event_time"]}
            rows.append({**order, "item_id": item, "quantity": quantity, "system": system, "to_id": into or "D1"})
    return deliver(table, *rows, source=events[0][6] or "file")


@settings(max_examples=12, deadline=None)
@given(st.lists(STEP, min_size=2, max_size=9))
def test_many_at_once_is_one_after_the_other(
    deliver: Deliver, move: Move, master: list[Delivery], steps: list[Any]
) -> None:
    """Duplicates, conflicts, parked rows, lanes, units, several systems: rows, codes, counts and state are the same."""
    journal = MemoryJournal()
    clock = FixedClock(move("e", "sale", 1, 40)["event_time"])
    naming = [deliver("items", {"item_id": "unknown"}), deliver("locations", {"location_id": "D9", "kind": "dc"})]
    with Ledger.open(journal, None, clock) as ledger:
        ledger.append(master)
        last: list[Delivery] = master[:1]
        for table, events in steps:
            if table == "rules":
                ledger.configure(Rules(authority={"default": "wms"}))
            else:
                last = naming if table == "naming" else last if table == "again" else [
                    delivery(deliver, move, table, events)]  # fmt: skip
                ledger.append(last)
        state, counts = ledger.state_hash, ledger._counts()
    one_by_one = folded(journal, portions=False)
    assert folded(journal, portions=True) == one_by_one
    assert folded(journal, portions=False, indexed=True) == one_by_one
    assert f"{one_by_one[2]:032x}" == state
    assert counts[0] >= 3


def test_runs_keep_what_depends_on_order_apart(
    ledger: Ledger, deliver: Deliver, move: Move, master: list[Delivery]
) -> None:
    """Events of all tables run together; names, rules, decisions and repeated files stand alone."""
    ledger.append(master)
    sale = deliver("movements", move("a", "sale", 1, from_id="D1"), raw_digest="x")
    ledger.append([sale, deliver("movements", move("b", "sale", 1, from_id="D1"))])
    ledger.append([deliver("observations", move("c", "sale", 1, method="cycle_count", location_id="D1"))])
    ledger.append([sale])
    ledger.decide({"kind": "note"})
    tables = [[batch.header.table or batch.header.kind for batch in run]
              for run in folding.runs(ledger.journal.batches())]  # fmt: skip
    events = ["movements", "movements", "observations"]
    assert tables == [["items"], ["units"], ["locations"], events, ["movements"], ["decision"]]


def test_a_run_is_bounded(monkeypatch: pytest.MonkeyPatch, ledger: Ledger, deliver: Deliver, move: Move) -> None:
    """Neither many rows nor many batches are held in memory at once."""
    ledger.append([deliver("movements", move(str(n), "sale", 1), move(f"{n}b", "sale", 1)) for n in range(5)])
    monkeypatch.setattr(folding, "FOLD_ROWS", 4)
    assert [len(run) for run in folding.runs(ledger.journal.batches())] == [2, 2, 1]
    monkeypatch.setattr(folding, "FOLD_BATCHES", 1)
    assert [len(run) for run in folding.runs(ledger.journal.batches())] == [1] * 5


def test_facts_laid_down_by_item(
    monkeypatch: pytest.MonkeyPatch, ledger: Ledger, deliver: Deliver, move: Move, master: list[Delivery]
) -> None:
    """A large group lies by item, so that zone maps tell where an item's facts are not."""
    monkeypatch.setattr("stocktwin.ledger.accept.SORTED_ROWS", 4)
    ledger.append(master)
    ledger.append(
        [deliver("movements", *(move(f"{n}", "sale", 1, item_id="KI"[n % 2], from_id="D1") for n in range(6)))]
    )
    rows = ledger._projection.con.execute("SELECT item FROM fact_movements ORDER BY rowid").fetchall()
    assert rows == [(0,)] * 3 + [(1,)] * 3


def test_suspects_are_repeated_or_known(ledger: Ledger, deliver: Deliver, move: Move, master: list[Delivery]) -> None:
    """Only keys that stand twice or were seen before are judged."""
    ledger.append([*master, deliver("movements", move("old", "sale", 1, from_id="D1"))])
    names = ("old", "new", "twice", "twice")
    ledger.append([deliver("movements", *(move(name, "sale", 1, from_id="D1") for name in names))])
    con = ledger._projection.con
    assert suspects.suspects(con, FORMS["movements"], seen.Seen()) == "true"
    found = con.execute("SELECT DISTINCT event_id FROM stage SEMI JOIN suspect USING (key) ORDER BY 1").fetchall()
    assert found == [("new",), ("old",), ("twice",)]  # all are facts by now
    assert con.execute("SELECT count(*) FROM judged").fetchall() == [(2,)]


def test_a_blob_leaves_empty_columns_out() -> None:
    """And reading it brings them back, with their types; an empty table keeps its columns."""
    schema = TABLES["movements"].arrow_schema()
    facts = schema.empty_table().from_pylist([{"event_id": "a", "_row": 1}], schema)
    data = encode(facts, no_rejected())
    assert decode(data, "movements")[0].equals(facts)
    assert b"shipment_id" not in data
    assert decode(encode(schema.empty_table(), no_rejected()), "movements")[0].schema == schema


def test_groups_grow(deliver: Deliver, move: Move) -> None:
    """The first commit comes soon, later ones carry more."""
    piece = (deliver("movements", move("a", "sale", 1)), b"")
    assert [len(group) for group in grouped([piece] * 50)] == [4, 8, 16, 16, 6]


def test_ahead_keeps_order_and_raises() -> None:
    """What is made ahead comes in order; what the maker raises comes when its turn is."""

    def making() -> Iterator[int]:
        yield from range(4)
        raise ValueError("the fifth")

    made = ahead(making(), 2)
    assert [next(made) for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="the fifth"):
        next(made)


def test_ahead_ends_when_nobody_takes() -> None:
    """A consumer that stops leaves no thread behind, and the maker made no more than it may."""
    made: list[int] = []

    def making() -> Iterator[int]:
        for number in range(1_000):
            made.append(number)
            yield number

    taking = ahead(making(), 3)
    assert [next(taking), next(taking)] == [0, 1]
    taking.close()
    assert len(made) <= 7
    assert not [thread for thread in threading.enumerate() if thread.name == "stocktwin-ahead"]


def test_an_index_names_the_batches_to_look_at(
    monkeypatch: pytest.MonkeyPatch, ledger: Ledger, deliver: Deliver, move: Move, master: list[Delivery]
) -> None:
    """Only there is a suspect's fact looked for; where a key stands in several batches, everywhere."""
    monkeypatch.setattr(seen, "SMALL", 0)
    monkeypatch.setattr(seen, "MUCH", 0)
    ledger.append(master)
    for number in range(4):
        ledger.append([deliver("movements", move(f"e{number}", "sale", 1, from_id="D1"))])
    con, index = ledger._projection.con, ledger._projection.seen.index(ledger._projection.con, "movements", 1)
    assert index is not None
    assert len(index) == 4
    prints = np.array([p for (p,) in con.execute(f"SELECT {seen.PRINT} FROM fact_movements ORDER BY seq").fetchall()],
                      np.uint64)  # fmt: skip
    assert suspects._looked_up(index, prints[1:3])[1] == "seq IN (5, 6)"
    assert suspects._looked_up(index, prints[:1] + np.uint64(1))[1] == "false"
    index.add(prints[:1], np.array([9], np.uint32))
    assert suspects._looked_up(index, prints[:2])[1] == "true"
    monkeypatch.setattr(suspects, "FEW_BATCHES", 1)
    assert suspects._looked_up(index, prints[1:])[1] == "seq BETWEEN 5 AND 7"

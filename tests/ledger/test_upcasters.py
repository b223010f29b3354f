"""Blobs of every version that ever was are read by today's code: golden ones of every table, and synthetic older ones.

`STOCKTWIN_WRITE_GOLDEN=1` writes those of the version of today, once, when it is new.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from stocktwin.domain.errors import EnvironmentFault
from stocktwin.domain.ports import FixedClock
from stocktwin.domain.rules import Rules
from stocktwin.ledger.journal import blob
from stocktwin.ledger.journal.blob import conform, decode, encode, no_rejected
from stocktwin.ledger.journal.memory import MemoryJournal
from stocktwin.ledger.journal.protocol import DECISION, FACTS, RULES, SCHEMA_VERSION, Batch, digest, stored_batch
from stocktwin.ledger.ledger import Ledger
from stocktwin.tables.batch import Delivery
from stocktwin.tables.schema import TABLES, ColumnType

GOLDEN = Path(__file__).parent / "golden"
NOW = 1_740_000_000_000_000
PLAIN: dict[ColumnType, Any] = {
    ColumnType.TEXT: "Ærö, \u201cquoted\u201d",
    ColumnType.INTEGER: 3,
    ColumnType.FLAG: True,
    ColumnType.DECIMAL: Decimal("1.5"),
    ColumnType.LEVEL: Decimal("7"),
    ColumnType.QUANTITY: Decimal("12"),
    ColumnType.FACTOR: "12",
    ColumnType.INSTANT: NOW - 3_600_000_000,
    ColumnType.DATE: date(2025, 2, 19),
}
NAMED: dict[str, Any] = {
    "item_id": "I", "parent": "I", "component": "J", "substitute": "J", "location_id": "D", "destination_id": "D",
    "source_id": "S", "origin_id": "S", "from_id": "S", "to_id": "D", "unit": "each", "scale": 0, "timezone": "UTC",
    "cutoff": "17:00", "priority": 1, "share": Decimal("1"), "receiving_calendar": None, "departure_calendar": None,
    "order_calendar": None, "via": None, "days_to_via": None, "corrects": None, "to_lot": None, "to_condition": None,
    "to_owner": None, "lot_controlled": False, "customer": "C", "gtin": "04012345678901",
}  # fmt: skip
CHOICES = {
    "locations": {"kind": "dc"}, "movements": {"kind": "receipt", "condition": "unrestricted"},
    "observations": {"method": "cycle_count", "scope": None, "lot": None}, "demand": {"distribution": "normal"},
    "policies": {"policy": "min_max", "parameter_unit": "units", "shortage": "lost"}, "crossref": {"kind": "item"},
    "orders": {"kind": "purchase", "status": "open"}, "units": {"unit": "case"},
}  # fmt: skip


def sample(table: str) -> list[dict[str, Any]]:
    """A row with something in nearly every column and one with the required columns only, of an exchange table."""
    full: dict[str, Any] = {}
    for column in TABLES[table].columns:
        value = PLAIN.get(column.type, column.name.upper())
        full[column.name] = CHOICES.get(table, {}).get(column.name, NAMED.get(column.name, value))
    bare = {name: full[name] for name in TABLES[table].required} | {"attributes": '{"colour": "red"}'}
    bare |= {
        "items": {"item_id": "J"},
        "locations": {"location_id": "S", "kind": "supplier"},
        "units": {"unit": "pallet"},
        "movements": {"event_id": "second", "to_id": "D"},
        "observations": {"event_id": "second"},
    }.get(table, {})
    rows = [full, bare]
    return [{**row, "_row": number} for number, row in enumerate(rows, 1)]


def written() -> tuple[list[tuple[Batch, bytes]], str]:
    """A journal of today with a batch of every table, of rules and of a decision; and its state hash."""
    journal = MemoryJournal()
    with Ledger.open(journal, None, FixedClock(NOW)) as ledger:
        ledger.configure(Rules(authority={"default": "erp"}, opening={"wms": "snapshot"}))
        for table in TABLES:
            facts = pa.Table.from_pylist(sample(table), TABLES[table].arrow_schema())
            ledger.append([Delivery("erp", table, f"{table}.csv", facts, no_rejected(), cursor=f"{table}.csv:1")])
        ledger.decide({"id": "r1", "decision": "approve", "by": "Maya", "reason": "agreed"})
        state = ledger.state_hash
    return [(batch, journal.blob(batch.seq) or b"") for batch in journal.batches()], state


def as_text(facts: pa.Table) -> list[dict[str, str]]:
    """Rows without nulls, every value as text."""
    return [{name: str(value) for name, value in row.items() if value is not None} for row in facts.to_pylist()]


def write_golden(path: Path) -> None:
    """Writes the golden journal of today's version, and beside it, readable, what is in it."""
    batches, state = written()
    lines = [
        [b.seq, b.text, b.prev_hash, b.hash, b.header.blob, base64.b64encode(data).decode()] for b, data in batches
    ]
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    rows = {b.header.table: as_text(decode(data, b.header.table)[0]) for b, data in batches if b.header.kind == FACTS}
    told = {"state_hash": state, "rows": rows}
    path.with_suffix(".json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_golden(version: int) -> tuple[list[tuple[Batch, bytes]], dict[str, Any]]:
    """The golden journal of a version and what is in it."""
    path = GOLDEN / f"v{version}.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    expected: dict[str, Any] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return [(stored_batch(*line[:5]), base64.b64decode(line[5])) for line in lines], expected


@pytest.fixture(params=range(1, SCHEMA_VERSION + 1))
def version(request: pytest.FixtureRequest) -> int:
    """Every version that ever was."""
    number = int(request.param)
    if os.environ.get("STOCKTWIN_WRITE_GOLDEN") == "1" and number == SCHEMA_VERSION:
        write_golden(GOLDEN / f"v{number}.jsonl")
    return number


def test_every_golden_blob_says_today_what_it_said_then(version: int) -> None:
    batches, expected = read_golden(version)
    seen = set()
    for batch, data in batches:
        assert digest(data) == batch.header.blob
        if batch.header.kind == FACTS:
            table = batch.header.table
            facts, rejected = decode(data, table, batch.header.schema_version)
            assert as_text(facts) == expected["rows"][table]
            assert facts.schema == TABLES[table].arrow_schema(), "in the columns of today"
            assert rejected.num_rows == 0
            seen.add(table)
    assert seen == set(expected["rows"])
    assert {batch.header.kind for batch, _ in batches} == {FACTS, RULES, DECISION}


def test_a_golden_journal_folds_to_the_state_it_had_then(version: int) -> None:
    batches, expected = read_golden(version)
    journal = MemoryJournal()
    journal.adopt(batches)
    with Ledger.open(journal, None, FixedClock(NOW)) as ledger:
        assert ledger.state_hash == expected["state_hash"]
        assert ledger.quarantine().to_pylist() == []
        assert ledger.status()["accepted"] + ledger.status()["duplicates"] == 2 * len(expected["rows"])
        assert ledger.rules().authority == {"default": "erp"}
        assert ledger.decisions()[0]["by"] == "Maya"
        assert [law for law in ledger.verify() if not law.ok] == []


def test_todays_version_has_golden_blobs_of_every_table() -> None:
    assert set(read_golden(SCHEMA_VERSION)[1]["rows"]) >= set(TABLES) - {"__new__"}


# ---- lifting


def items(*names: str) -> pa.Table:
    """Items of today."""
    rows = [{"item_id": name, "_row": row} for row, name in enumerate(names, 1)]
    return pa.Table.from_pylist(rows, TABLES["items"].arrow_schema())


def test_a_blob_climbs_every_step_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Version −1 called the column `sku` and wrote it in small letters; version 0 still called it `sku`."""
    steps: list[tuple[int, str]] = []

    def step(number: int, lift: Callable[[pa.Table], pa.Table]) -> blob.Upcaster:
        def lifted(table: str, facts: pa.Table) -> pa.Table:
            steps.append((number, table))
            return lift(facts)

        return lifted

    def capitals(facts: pa.Table) -> pa.Table:
        at = facts.column_names.index("sku")
        return facts.set_column(at, "sku", pc.utf8_upper(facts.column("sku")))

    def renamed(facts: pa.Table) -> pa.Table:
        return facts.rename_columns(["item_id" if name == "sku" else name for name in facts.column_names])

    monkeypatch.setattr(
        blob, "UPCASTERS", {SCHEMA_VERSION - 2: step(1, capitals), SCHEMA_VERSION - 1: step(2, renamed)}
    )
    old = items("a", "b").rename_columns(["sku" if name == "item_id" else name for name in items().column_names])
    facts, _ = decode(encode(old, no_rejected()), "items", SCHEMA_VERSION - 2)
    assert facts.equals(items("A", "B"))
    facts, _ = decode(encode(old, no_rejected()), "items", SCHEMA_VERSION - 1)
    assert facts.equals(items("a", "b"))
    assert steps == [(1, "items"), (2, "items"), (2, "items")]


def test_a_column_that_was_added_is_null_in_old_facts() -> None:
    old = items("A").drop_columns(["criticality", "gtin"])
    assert decode(encode(old, no_rejected()), "items")[0].equals(items("A"))


def test_the_line_of_a_fact_is_kept() -> None:
    lines = conform("items", items("A", "B").append_column("_line", pa.array([7, 9], pa.int64())))
    assert decode(encode(lines, no_rejected()), "items")[0].column("_line").to_pylist() == [7, 9]


@pytest.mark.parametrize(("version", "told"), [(SCHEMA_VERSION + 1, "newer Stocktwin"), (-5, "no longer reads")])
def test_a_version_that_is_not_known_is_named(version: int, told: str) -> None:
    with pytest.raises(EnvironmentFault, match=f"batch 7.*{told}"):
        decode(encode(items("A"), no_rejected()), "items", version, "batch 7")

"""Builders of small deliveries, so that a test says only what it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from stocktwin.domain.calendar import MICROSECONDS_PER_DAY, parse_instant
from stocktwin.domain.ports import FixedClock
from stocktwin.ledger.journal.memory import MemoryJournal
from stocktwin.ledger.ledger import Ledger
from stocktwin.tables.batch import REJECTED_SCHEMA, Delivery
from stocktwin.tables.schema import TABLES, ColumnType

START = parse_instant("2025-03-03T08:00:00Z")
HOUR = MICROSECONDS_PER_DAY // 24
DECIMALS = (ColumnType.QUANTITY, ColumnType.LEVEL, ColumnType.DECIMAL)

Deliver = Callable[..., Delivery]


def _row(table: str, number: int, given: dict[str, Any]) -> dict[str, Any]:
    row = {"_row": number, **given}
    for column in TABLES[table].columns:
        value = row.get(column.name)
        if column.type in DECIMALS and value is not None:
            row[column.name] = Decimal(str(value))
    return row


@pytest.fixture(scope="session")
def deliver() -> Deliver:
    """`deliver(table, *rows, source=…, …)`: a delivery of rows given as dicts; numbers may be written plainly."""

    def make(table: str, *rows: dict[str, Any], source: str = "erp", **more: Any) -> Delivery:
        facts = pa.Table.from_pylist(
            [_row(table, number, row) for number, row in enumerate(rows, 1)], TABLES[table].arrow_schema()
        )
        rejected = pa.Table.from_pylist(more.pop("rejected", []), REJECTED_SCHEMA)
        return Delivery(source, table, more.pop("file", f"{table}.csv"), facts, rejected, **more)

    return make


@pytest.fixture(scope="session")
def move() -> Callable[..., dict[str, Any]]:
    """`move(event_id, kind, quantity, hour, …)`: a movement of item I at an hour after the start, of system `erp`."""

    def make(event_id: str, kind: str, quantity: Any, hour: float = 0, **more: Any) -> dict[str, Any]:
        at = START + int(hour * HOUR)
        row = {"event_id": event_id, "kind": kind, "quantity": quantity, "event_time": at, "item_id": "I"}
        return {**row, "system": "erp", **more}

    return make


@pytest.fixture(scope="session")
def see() -> Callable[..., dict[str, Any]]:
    """`see(event_id, method, quantity, hour, …)`: an observation of item I at D1."""

    def make(event_id: str, method: str, quantity: Any, hour: float = 0, **more: Any) -> dict[str, Any]:
        at = START + int(hour * HOUR)
        row = {"event_id": event_id, "method": method, "quantity": quantity, "event_time": at, "item_id": "I"}
        return {**row, "location_id": "D1", "system": "erp", **more}

    return make


@pytest.fixture(scope="session")
def master(deliver: Deliver) -> list[Delivery]:
    """Items I (pieces) and K (kilograms to the gram), a case of 12 I, two DCs and a supplier."""
    return [
        deliver("items", {"item_id": "I"}, {"item_id": "K", "unit": "kg", "scale": 3}),
        deliver("units", {"item_id": "I", "unit": "case", "factor": "12"}),
        deliver(
            "locations",
            {"location_id": "D1", "kind": "dc"},
            {"location_id": "D2", "kind": "dc"},
            {"location_id": "S", "kind": "supplier"},
        ),
    ]


@pytest.fixture
def clock() -> FixedClock:
    """A clock three days after the first movement."""
    return FixedClock(START + 3 * MICROSECONDS_PER_DAY)


@pytest.fixture
def ledger(clock: FixedClock) -> Iterator[Ledger]:
    """An empty ledger in memory."""
    with Ledger.open(MemoryJournal(), None, clock) as opened:
        yield opened

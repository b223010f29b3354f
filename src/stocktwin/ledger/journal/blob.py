"""What a batch carries: facts and rejected rows as two zstd-compressed Arrow streams, one after the other. Columns of
facts that are wholly null are left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, Final

import pyarrow as pa
import pyarrow.ipc

from stocktwin.domain.errors import EnvironmentFault, JournalDamaged
from stocktwin.ledger.journal.protocol import SCHEMA_VERSION
from stocktwin.tables.batch import REJECTED_SCHEMA, Delivery
from stocktwin.tables.schema import TABLES

MAX_ROWS: Final = 100_000
MAX_BYTES: Final = 8 * 1024 * 1024
FIRST_GROUP: Final = 4
GROUP_BATCHES: Final = 16
"""Batches that share one durable commit: few at first, so that the fold need not wait, then more; what a bulk load
holds in memory at most is twice as many."""
POSITIONS: Final = 1_000_000
"""Positions a batch may have: `quarantine_id = seq × 10⁶ + position`, rejected rows from `FIRST_REJECTED` on."""
FIRST_REJECTED: Final = 500_000

Upcaster = Callable[[str, pa.Table], pa.Table]
UPCASTERS: Final[Mapping[int, Upcaster]] = {}
"""Schema version → pure function (table name, facts) that lifts facts of that version to the next one."""


def encode(facts: pa.Table, rejected: pa.Table) -> bytes:
    """The blob of some facts and rejected rows; the same rows give the same bytes."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    filled = facts.select([name for name in facts.column_names if facts.column(name).null_count < facts.num_rows])
    for table in (filled if facts.num_rows else facts, rejected):
        with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
            writer.write_table(table.combine_chunks())
    return bytes(sink.getvalue())


def decode(data: bytes, table: str, version: int = SCHEMA_VERSION, where: str = "blob") -> tuple[pa.Table, pa.Table]:
    """Facts, lifted to the schema of today, and rejected rows. `JournalDamaged` when it cannot be read,
    `EnvironmentFault` when a newer Stocktwin wrote it."""
    if version > SCHEMA_VERSION:
        raise EnvironmentFault(
            f"{where} was written by a newer Stocktwin (columns of version {version}, this one knows {SCHEMA_VERSION})"
        )
    try:
        reader = pa.BufferReader(data)
        facts, rejected = (pa.ipc.open_stream(reader).read_all() for _ in range(2))
    except (pa.ArrowInvalid, OSError) as error:
        raise JournalDamaged(f"{where}: cannot be read: {error}") from None
    for step in range(version, SCHEMA_VERSION):
        if step not in UPCASTERS:
            raise EnvironmentFault(f"{where}: this Stocktwin no longer reads columns of version {version}")
        facts = UPCASTERS[step](table, facts)
    return conform(table, facts), _completed(rejected)


def _completed(rejected: pa.Table) -> pa.Table:
    """Rejected rows with the columns that older journals have not, as nulls."""
    columns = [rejected.column(f.name) if f.name in rejected.column_names else _nulls(rejected, f)
               for f in REJECTED_SCHEMA]  # fmt: skip
    return pa.Table.from_arrays(columns, schema=REJECTED_SCHEMA)


def conform(table: str, facts: pa.Table) -> pa.Table:
    """Facts in the canonical schema, plus `_line` (line in a text file) where the reader knows it.

    Columns that are absent become null; columns beyond the schema are dropped. Raises pa.ArrowInvalid on other types.
    """
    schema = _schema(table)
    if facts.schema.equals(schema):
        return facts
    fields = [*schema, pa.field("_line", pa.int64())] if "_line" in facts.column_names else list(schema)
    columns = [
        facts.column(field.name).cast(field.type) if field.name in facts.column_names else _nulls(facts, field)
        for field in fields
    ]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


@cache
def _schema(table: str) -> pa.Schema:
    return TABLES[table].arrow_schema()


def _nulls(facts: pa.Table, field: pa.Field) -> pa.Array:
    return pa.nulls(facts.num_rows, field.type)


def split(delivery: Delivery) -> Iterator[tuple[Delivery, bytes]]:
    """A delivery as pieces of at most 100,000 rows and 8 MiB, each with its blob; the last carries the cursor, the
    first the replays."""
    data = encode(delivery.facts, delivery.rejected)
    rows = delivery.facts.num_rows + delivery.rejected.num_rows
    if rows <= 1 or (rows <= MAX_ROWS and len(data) <= MAX_BYTES):
        yield delivery, data
        return
    facts = _cut(delivery.facts, (delivery.facts.num_rows + 1) // 2)
    rejected = _cut(delivery.rejected, delivery.rejected.num_rows // 2)
    yield from split(replace(delivery, facts=facts[0], rejected=rejected[0], cursor=""))
    yield from split(replace(delivery, facts=facts[1], rejected=rejected[1], replays=()))


def pieces(deliveries: Iterable[Delivery]) -> Iterator[tuple[Delivery, bytes]]:
    """Deliveries in pieces of at most a batch, each with its blob; read lazily."""
    for delivery in deliveries:
        yield from split(delivery)


def grouped(pieces: Iterable[tuple[Delivery, bytes]]) -> Iterator[list[tuple[Delivery, bytes]]]:
    """Pieces that share a commit: `FIRST_GROUP` of them, then twice as many each time up to `GROUP_BATCHES`."""
    size, group = FIRST_GROUP, list[tuple[Delivery, bytes]]()
    for piece in pieces:
        group.append(piece)
        if len(group) == size:
            yield group
            size, group = min(2 * size, GROUP_BATCHES), []
    if group:
        yield group


def _cut(table: pa.Table, at: int) -> tuple[pa.Table, pa.Table]:
    return table.slice(0, at), table.slice(at)


def no_rejected() -> pa.Table:
    """An empty table of rejected rows."""
    return REJECTED_SCHEMA.empty_table()


def encode_json(value: Mapping[str, Any]) -> bytes:
    """Canonical JSON of a rule set or decision."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

"""The fold: one batch of the journal becomes facts, duplicates and quarantined rows, in SQL, the same at every replay.

delivered rows → stage (resolve, convert, digest, find faults) → judge (first delivery of a key wins) → facts
                                                                     └→ quarantine; parked rows are tried again
                                                                        when items, locations or units arrive
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from stocktwin.domain.calendar import FUTURE_TOLERANCE_US
from stocktwin.domain.errors import JournalDamaged
from stocktwin.domain.quantity import parse_factor
from stocktwin.ledger import accept, quarantine
from stocktwin.ledger.codebook import Codebook
from stocktwin.ledger.journal.blob import decode
from stocktwin.ledger.journal.protocol import DECISION, RULES, Batch, BatchHeader, digest
from stocktwin.ledger.layout import FORMS, Form
from stocktwin.ledger.staging import BIGGEST, stage_sql

if TYPE_CHECKING:
    import duckdb

CHUNK_ROWS: Final = 25_000
"""Rows per Arrow chunk: DuckDB scans chunks side by side."""
NAMING_TABLES: Final = ("items", "units", "locations")
"""Tables whose rows may resolve parked facts."""

Load = Callable[[int], bytes | None]


@dataclass(frozen=True)
class Tally:
    """What a fold changed: delivered = accepted + duplicates + quarantined, also of the differences."""

    delivered: int = 0
    accepted: int = 0
    duplicates: int = 0

    @property
    def quarantined(self) -> int:
        """Rows more in quarantine than before."""
        return self.delivered - self.accepted - self.duplicates


class Fold:
    """Applies batches to one projection. The caller opens and commits transactions."""

    def __init__(self, con: duckdb.DuckDBPyConnection, load: Load) -> None:
        self._con, self._load = con, load
        self._systems, self._sources = Codebook(con, "system"), Codebook(con, "source")

    def apply(self, batch: Batch, content: tuple[pa.Table, pa.Table] | None = None) -> None:
        """Folds one batch in and moves the watermark. `content` spares reading the blob again."""
        header = batch.header
        whose = [header.source, header.system or header.source, header.file]
        row = [header.seq, header.kind, header.table, *whose, header.record_time, header.delivered]
        self._con.execute("INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        if header.kind in (RULES, DECISION):
            body = self._blob(header, header.seq).decode()
            self._con.execute(f"INSERT INTO {header.kind} VALUES (?, ?, ?)", [header.seq, header.record_time, body])
        elif header.same_as and not self._worth_folding_again(header):
            quarantine.count_again(self._con, header)
        else:
            self._facts(header, content or self._content(header))
        self._con.execute("UPDATE watermark SET seq = ?, hash = ?", [batch.seq, batch.hash])

    def _worth_folding_again(self, header: BatchHeader) -> bool:
        """Whether the same rows may have another effect than the first time: what lay in the future then, and master
        data, where the latest statement counts."""
        form = FORMS[header.table]
        return (form.table.versioned and not form.clocked) or quarantine.holds_future(self._con, header.same_as)

    def _content(self, header: BatchHeader) -> tuple[pa.Table, pa.Table]:
        seq = header.same_as or header.seq
        return decode(self._blob(header, seq), header.table, header.schema_version, f"batch {seq}")

    def _blob(self, header: BatchHeader, seq: int) -> bytes:
        data = self._load(seq)
        if data is None:
            raise JournalDamaged(f"batch {seq}: its blob is missing")
        if digest(data) != header.blob:
            raise JournalDamaged(f"batch {seq}: its blob is not the one its header speaks of")
        return data

    def _facts(self, header: BatchHeader, content: tuple[pa.Table, pa.Table]) -> None:
        form = FORMS[header.table]
        facts, rejected = content
        quarantine.settle(self._con, header)
        if rejected.num_rows:
            quarantine.reject(self._con, header, rejected)
        if not facts.num_rows:
            return
        self._con.register("arrived", self._prepared(form, header, facts))
        filled = {name for name in facts.column_names if facts.column(name).null_count < facts.num_rows}
        accepted = self._pipeline(form, "arrived", filled, header, header.record_time + FUTURE_TOLERANCE_US)
        self._con.unregister("arrived")
        if accepted and form.name in NAMING_TABLES:
            self._retry(header)

    def _pipeline(self, form: Form, relation: str, filled: set[str], header: BatchHeader, latest: int) -> int:
        """Stages, judges and books the rows of a relation; the number accepted."""
        con = self._con
        if form.name == "movements":
            accept.name_lanes(con, relation)
        con.execute(stage_sql(form, relation, filled, latest))
        if not accept.all_new(con, form):
            accept.judge(con, form)
            quarantine.hold(con, form, relation)
        return accept.book(con, form, relation, header)

    def _retry(self, header: BatchHeader) -> None:
        """Tries parked facts again whose item, location or unit is known now."""
        for name in quarantine.parked_tables(self._con):
            form = FORMS[name]
            if quarantine.take_resolvable(self._con, form):
                filled = {column.name for column in form.table.columns} | {"attributes"}
                self._pipeline(form, "retried", filled, header, BIGGEST)

    def _prepared(self, form: Form, header: BatchHeader, facts: pa.Table) -> pa.Table:
        """Delivered facts with batch, position, source and line beside them, in chunks."""
        rows = facts.num_rows
        source = self._sources.code(header.source)
        if form.has_system:
            facts = _with_system(facts, header)
            for name in sorted(filter(None, facts.column("system").unique().to_pylist())):
                self._systems.code(name)
        extra = {
            "seq": pa.repeat(pa.scalar(header.seq, pa.int32()), rows),
            "pos": facts.column("_pos") if "_pos" in facts.column_names else pa.array(np.arange(rows, dtype=np.int32)),
            "source": pa.repeat(pa.scalar(source, pa.int32()), rows),
            "_row": facts.column("_row"),
            "_line": facts.column("_line") if "_line" in facts.column_names else _lines(header.file, facts),
        }
        if form.name == "units":
            extra |= _factors(facts)
        names = [column.name for column in form.table.columns]
        columns = {**extra, **{name: facts.column(name) for name in [*names, "attributes"]}}
        table = pa.table(columns).combine_chunks()
        return pa.Table.from_batches(table.to_batches(max_chunksize=CHUNK_ROWS), schema=table.schema)


def _with_system(facts: pa.Table, header: BatchHeader) -> pa.Table:
    column = facts.column("system")
    if not column.null_count:
        return facts
    filled = column.fill_null(header.system or header.source)
    return facts.set_column(facts.column_names.index("system"), "system", filled)


def _lines(file: str, facts: pa.Table) -> pa.Array:
    """Lines of a text file with one header line, where the reader did not say; null elsewhere."""
    if not file.endswith((".csv", ".tsv", ".txt")):
        return pa.nulls(facts.num_rows, pa.int64())
    import pyarrow.compute as pc

    return pc.add(facts.column("_row"), 1)


def _factors(facts: pa.Table) -> dict[str, pa.Array]:
    """Reduced numerators and denominators of unit factors (each distinct text parsed once)."""
    texts = facts.column("factor").to_pylist()
    parsed = {text: parse_factor(text) for text in set(texts)}
    return {
        "num": pa.array([parsed[text].numerator for text in texts], pa.int64()),
        "den": pa.array([parsed[text].denominator for text in texts], pa.int64()),
    }


def decode_body(body: str) -> dict[str, object]:
    """The JSON object of a decision batch."""
    value: dict[str, object] = json.loads(body)
    return value

"""The fold: batches of the journal become facts, duplicates and quarantined rows, in SQL, the same at every replay.

delivered rows → stage (resolve, convert, digest, find faults) → judge (first delivery of a key wins) → facts
                                                                     └→ quarantine; parked rows are tried again
                                                                        when items, locations or units arrive

Consecutive batches of events are folded at once: what becomes of a row does not depend on how many.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from stocktwin.domain.errors import JournalDamaged
from stocktwin.domain.quantity import parse_factor
from stocktwin.ledger import accept, quarantine
from stocktwin.ledger.codebook import Codebook
from stocktwin.ledger.journal.blob import decode
from stocktwin.ledger.journal.protocol import DECISION, FACTS, RULES, Batch, BatchHeader, digest
from stocktwin.ledger.layout import CODED, FORMS, Form
from stocktwin.ledger.staging import stage_sql
from stocktwin.ledger.suspects import suspects

if TYPE_CHECKING:
    from stocktwin.ledger.projection import Projection

CHUNK_ROWS: Final = 25_000
"""Rows per Arrow chunk: DuckDB scans chunks side by side."""
NAMING_TABLES: Final = ("items", "units", "locations")
"""Tables whose rows may resolve parked facts."""
FOLD_ROWS: Final = 2_000_000
"""Rows that are folded at once at most."""
FOLD_BATCHES: Final = 4_096
"""Batches that are folded at once at most."""

Load = Callable[[int], bytes | None]
Content = tuple[pa.Table, pa.Table]
Arrived = tuple[str, Form, set[str]]
"""A relation of delivered rows, their form, and the columns that are not wholly null."""


class Fold:
    """Applies batches to one projection. The caller opens and commits transactions."""

    def __init__(self, projection: Projection, load: Load) -> None:
        self._con, self._seen, self._load = projection.con, projection.seen, load
        self._systems, self._sources = Codebook(self._con, "system"), Codebook(self._con, "source")

    def apply(self, batch: Batch, content: Content | None = None) -> None:
        """Folds one batch in and moves the watermark. `content` spares reading the blob again."""
        self.apply_all([batch], {} if content is None else {batch.seq: content})

    def apply_all(self, batches: Sequence[Batch], contents: Mapping[int, Content] | None = None) -> None:
        """Folds batches in, in order; consecutive ones of a table at once."""
        for run in runs(batches):
            self._apply_run(run, contents or {})

    def _apply_run(self, run: Sequence[Batch], contents: Mapping[int, Content]) -> None:
        header, last = run[0].header, run[-1]
        self._con.executemany("INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [_batch_row(b.header) for b in run])
        if header.kind in (RULES, DECISION):
            body = self._blob(header, header.seq).decode()
            self._con.execute(f"INSERT INTO {header.kind} VALUES (?, ?, ?)", [header.seq, header.record_time, body])
        elif header.same_as and not self._worth_folding_again(header):
            quarantine.count_again(self._con, header)
        else:
            self._facts([(b.header, contents.get(b.seq) or self._content(b.header)) for b in run])
        self._con.execute("UPDATE watermark SET seq = ?, hash = ?", [last.seq, last.hash])

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

    def _facts(self, delivered: Sequence[tuple[BatchHeader, Content]]) -> None:
        arrived: dict[str, list[pa.Table]] = {}
        for header, (facts, rejected) in delivered:
            quarantine.settle(self._con, header)
            if rejected.num_rows:
                quarantine.reject(self._con, header, rejected)
            if facts.num_rows:
                arrived.setdefault(header.table, []).append(self._prepared(FORMS[header.table], header, facts))
        rows = {f"arrived_{name}": (FORMS[name], pa.concat_tables(tables)) for name, tables in arrived.items()}
        for relation, (_, table) in rows.items():
            self._con.register(relation, table)
        try:
            accepted = self._arrive(
                [(relation, form, _filled(form, table)) for relation, (form, table) in rows.items()]
            )
        finally:
            for relation in rows:
                self._con.unregister(relation)
        if accepted & set(NAMING_TABLES):
            self._retry(delivered[-1][0])

    def _arrive(self, arrived: Sequence[Arrived]) -> set[str]:
        """Folds registered relations; the tables of which something was accepted."""
        accept.name_lanes(self._con, [one for one in arrived if one[1].coded])
        return {form.name for relation, form, filled in arrived if self._pipeline(form, relation, filled)}

    def _pipeline(self, form: Form, relation: str, filled: set[str], retried_by: BatchHeader | None = None) -> int:
        """Stages, judges and books the rows of a relation; the number accepted."""
        con = self._con
        lanes = form.name == "movements" and accept.has_lanes(con)
        retried = retried_by.record_time if retried_by else None
        con.execute(stage_sql(form, relation, filled, lanes=lanes, retried=retried))
        where = suspects(con, form, self._seen)
        if where is not None:
            accept.judge(con, form, where)
            quarantine.hold(con, form, relation)
        else:
            accept.accept_all(con)
        accepted = accept.book(con, form, filled, retried_by.seq if retried_by else None)
        self._seen.note(con, form.name)
        if where is not None and form.table.versioned and not form.clocked:
            accept.touch(con, form)
        return accepted

    def _retry(self, header: BatchHeader) -> None:
        """Tries parked facts again whose item, location or unit is known now."""
        for name in quarantine.parked_tables(self._con):
            form = FORMS[name]
            if quarantine.take_resolvable(self._con, form):
                filled = {column.name for column in form.table.columns} | {"attributes"}
                if form.coded:
                    accept.name_lanes(self._con, [("retried", form, filled)])
                self._pipeline(form, "retried", filled, header)

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
            "recorded": pa.repeat(pa.scalar(header.record_time, pa.int64()), rows),
            "source": pa.repeat(pa.scalar(source, pa.int32()), rows),
            "_row": facts.column("_row"),
            "_line": facts.column("_line") if "_line" in facts.column_names else _lines(header.file, facts),
        }
        if not form.has_system:
            extra["whose"] = pa.repeat(pa.scalar(header.system or header.source, pa.string()), rows)
        if form.name == "units":
            extra |= _factors(facts)
        names = [column.name for column in form.table.columns]
        columns = {**extra, **{name: facts.column(name) for name in [*names, "attributes"]}}
        table = pa.table(columns).combine_chunks()
        return pa.Table.from_batches(table.to_batches(max_chunksize=CHUNK_ROWS), schema=table.schema)


def _filled(form: Form, rows: pa.Table) -> set[str]:
    """Columns that are not wholly null; of tables other than events all of them."""
    return {name for name in rows.column_names if not form.coded or rows.column(name).null_count < rows.num_rows}


def portions(batches: Iterable[Batch]) -> Iterator[list[Batch]]:
    """Batches in order, as many together as are worth a transaction."""
    portion: list[Batch] = []
    rows = 0
    for batch in batches:
        if portion and (rows + batch.header.delivered > FOLD_ROWS or len(portion) == FOLD_BATCHES):
            yield portion
            portion, rows = [], 0
        portion.append(batch)
        rows += batch.header.delivered
    if portion:
        yield portion


def runs(batches: Iterable[Batch]) -> Iterator[list[Batch]]:
    """Batches in order, those together that are folded at once: plain ones, of whatever tables, and not too many."""
    for portion in portions(batches):
        for plain, run in groupby(portion, _plain):
            together = list(run)
            yield from [together] if plain else [[batch] for batch in together]


def _plain(batch: Batch) -> bool:
    """Whether what becomes of a batch's rows does not depend on when the batches beside it are folded."""
    header = batch.header
    return header.kind == FACTS and header.table in CODED and not header.same_as and not header.replays


def _batch_row(header: BatchHeader) -> list[object]:
    whose = [header.source, header.system or header.source, header.file]
    return [header.seq, header.kind, header.table, *whose, header.record_time, header.delivered]


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

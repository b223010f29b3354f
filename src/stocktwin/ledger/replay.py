"""Folding the journal anew, in memory: the yardstick that `verify` holds the live projection against."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from stocktwin.ledger.balances import balances
from stocktwin.ledger.fold import Fold
from stocktwin.ledger.journal.blob import decode
from stocktwin.ledger.journal.protocol import FACTS, Batch, Journal
from stocktwin.ledger.projection import Projection

if TYPE_CHECKING:
    import duckdb

REPEATED_BATCHES = 3
INSTANTS = 3

Contents = tuple[pa.Table, pa.Table]


@contextmanager
def empty(journal: Journal) -> Iterator[tuple[Projection, Fold]]:
    """An empty projection in memory and its fold."""
    projection = Projection.open(None, journal)
    try:
        yield projection, Fold(projection, journal.blob)
    finally:
        projection.close()


def content(journal: Journal, batch: Batch) -> Contents:
    """Facts and rejected rows of a batch, of the earlier one with the same bytes where it has none of its own."""
    header = batch.header
    data = journal.blob(header.same_as or header.seq)
    return decode(data or b"", header.table, header.schema_version, f"batch {batch.seq}")


def everything(con: duckdb.DuckDBPyConnection) -> pa.Table:
    """Balances of all accounts of the record, real and virtual."""
    return balances(con, stocking_only=False)


@dataclass(frozen=True)
class Replayed:
    """What a fold of the journal from nothing gave."""

    state: int
    tables: dict[str, tuple[int, int]]
    instants: list[tuple[int, bool]]
    """(record time D, whether the live balances known at D equal those of a twin stopped at D)."""
    repeated: tuple[int, int]
    """(rows delivered again, rows accepted of them)."""
    repeated_state: int


def replay(journal: Journal, live: duckdb.DuckDBPyConnection) -> Replayed:
    """Folds the whole journal into an empty projection; stops at a few record times to compare balances."""
    stops, instants = _stops(journal), []
    with empty(journal) as (projection, fold):
        con = projection.con
        for batch in journal.batches():
            _in_transaction(con, lambda batch=batch: fold.apply(batch))  # type: ignore[misc]
            if batch.seq in stops:
                known_at = batch.header.record_time
                then = balances(live, known_at=known_at, stocking_only=False)
                instants.append((known_at, everything(con).equals(then)))
        state, tables = projection.watermark()[3], fingerprints(con)
        repeated = _repeat(journal, con, fold)
        return Replayed(state, tables, instants, repeated, projection.watermark()[3])


def _stops(journal: Journal) -> set[int]:
    """Last batches of a few record times spread over the journal (never the newest: that is law `replay`)."""
    last: dict[int, int] = {}
    for batch in journal.batches():
        last[batch.header.record_time] = batch.seq
    seqs = list(last.values())[:-1]
    return {seqs[len(seqs) * part // (INSTANTS + 1)] for part in range(1, INSTANTS + 1)} if seqs else set()


def _repeat(journal: Journal, con: duckdb.DuckDBPyConnection, fold: Fold) -> tuple[int, int]:
    """Delivers the last batches of facts once more; nothing of it may be accepted."""
    batches = [batch for batch in journal.batches() if batch.header.kind == FACTS][-REPEATED_BATCHES:]
    head = journal.head()
    accepted, rows = _accepted(con), 0
    for number, batch in enumerate(batches, start=1):
        header = replace(batch.header, seq=(head.seq if head else 0) + number, same_as=0, replays=())
        again = replace(batch, header=header)
        found = content(journal, batch)
        _in_transaction(con, lambda again=again, found=found: fold.apply(again, found))  # type: ignore[misc]
        rows += header.delivered
    return rows, _accepted(con) - accepted


def _accepted(con: duckdb.DuckDBPyConnection) -> int:
    return int(con.execute("SELECT coalesce(sum(accepted), 0) FROM tally").fetchall()[0][0])


def permuted(journal: Journal, live: duckdb.DuckDBPyConnection, seed: int = 0) -> tuple[int, pa.Table]:
    """State hash and balances of the same batches folded in another order.

    Rows that contradict an earlier one are left out on both sides: of two contents under one key the first stands, so
    there order counts, and says so in the quarantine.
    """
    conflicts = _conflicts(live)
    batches = list(journal.batches())
    facts = [batch for batch in batches if batch.header.kind == FACTS]
    random.Random(seed).shuffle(facts)
    with empty(journal) as (projection, fold):
        for batch in [batch for batch in batches if batch.header.kind != FACTS] + facts:
            found = _without(content(journal, batch), conflicts.get(batch.seq)) if batch.header.kind == FACTS else None
            own = replace(batch, header=replace(batch.header, same_as=0))
            _in_transaction(projection.con, lambda own=own, found=found: fold.apply(own, found))  # type: ignore[misc]
        return projection.watermark()[3], everything(projection.con)


def _conflicts(con: duckdb.DuckDBPyConnection) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for seq, pos in con.execute("SELECT seq, pos FROM quarantine WHERE state = 'conflict'").fetchall():
        found.setdefault(seq, []).append(pos)
    return found


def _without(found: Contents, positions: list[int] | None) -> Contents:
    facts, rejected = found
    if not positions:
        return found
    kept = np.setdiff1d(np.arange(facts.num_rows), positions)
    return facts.take(pa.array(kept)).append_column("_pos", pa.array(kept.astype(np.int32))), rejected


def fingerprints(con: duckdb.DuckDBPyConnection) -> dict[str, tuple[int, int]]:
    """Per table of a projection: rows and a sum of row hashes (of this engine, to compare two projections at hand)."""
    names = [name for (name,) in con.execute("SELECT table_name FROM duckdb_tables() WHERE NOT temporary").fetchall()]
    return {
        name: con.execute(f"SELECT count(*), coalesce(sum(CAST(hash(t) AS HUGEINT)), 0) FROM {name} t").fetchall()[0]
        for name in names
        if name != "watermark"
    }


def _in_transaction(con: duckdb.DuckDBPyConnection, act: Callable[[], None]) -> None:
    con.execute("BEGIN")
    act()
    con.execute("COMMIT")

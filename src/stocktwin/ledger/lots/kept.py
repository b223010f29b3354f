"""What is read of all facts once per ledger and brought up to date by what each batch adds: expiry dates, the twin's
clock, and which items a document of transforms touches. Derived and disposable; each is read when first asked for."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from stocktwin.ledger.status_query import as_of, last_event

if TYPE_CHECKING:
    import duckdb

    from stocktwin.ledger.ledger import Ledger

Named = tuple[str, str]
"""Item and lot, as ids."""


@dataclass
class Kept:
    """What was read of one projection; `heads` says up to which batch each part is."""

    projection: Any = None
    heads: dict[str, int] = field(default_factory=dict)
    event: int | None = None
    expiry: dict[Named, date] = field(default_factory=dict)
    documents: npt.NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    """Hashes of the documents of transforms, sorted; 12 bytes a pair of document and item."""
    items: npt.NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    """Item of each."""

    def read_clock(self, con: duckdb.DuckDBPyConnection, since: int) -> None:
        """Takes in event times of the batches after one."""
        self.event = last_event(con, since, self.event)

    def read_expiry(self, con: duckdb.DuckDBPyConnection, since: int) -> None:
        """Takes in what the batches after one tell of expiry: the earliest date counts."""
        rows = con.execute(f"""SELECT item_id, coalesce(to_lot, lot) AS named, min(expiry) FROM fact_movements
            JOIN item ON code = item WHERE seq > {since} AND expiry IS NOT NULL AND named IS NOT NULL
            GROUP BY ALL""").fetchall()
        for item, lot, expiry in rows:
            self.expiry[item, lot] = min(expiry, self.expiry.get((item, lot), expiry))

    def read_transforms(self, con: duckdb.DuckDBPyConnection, since: int) -> None:
        """Takes in which items the transforms of the batches after one touch."""
        made = con.sql(f"""SELECT DISTINCT hash(document) AS document, item FROM fact_movements
            WHERE seq > {since} AND kind = 'transform' AND document IS NOT NULL""").to_arrow_table()
        if len(made):
            documents = np.concatenate([self.documents, made.column("document").to_numpy()])
            items = np.concatenate([self.items, made.column("item").to_numpy()])
            order = np.argsort(documents, kind="stable")
            self.documents, self.items = documents[order], items[order]

    def items_of(self, con: duckdb.DuckDBPyConnection, documents: Sequence[str]) -> list[int]:
        """Codes of the items that documents of transforms touch, in any book (and, rarely, of others: hashes)."""
        found: set[int] = set()
        for start in range(0, len(documents), 1_000):
            some = list(documents[start : start + 1_000])
            hashes = con.execute(f"SELECT hash(d) FROM (VALUES {', '.join(['(?)'] * len(some))}) t(d)", some).fetchall()
            wanted = np.array([value for (value,) in hashes], np.uint64)
            low, high = (self.documents.searchsorted(wanted, side) for side in ("left", "right"))
            for first, last in zip(low, high, strict=True):
                found.update(self.items[first:last].tolist())
        return sorted(found)


_KEPT: WeakKeyDictionary[Ledger, Kept] = WeakKeyDictionary()
_LOCK: Final = threading.Lock()


def newest(ledger: Ledger, con: duckdb.DuckDBPyConnection, part: str) -> Kept:
    """What is kept of a ledger; its `part` (`clock`, `expiry` or `transforms`) with all that the projection holds."""
    with _LOCK:
        kept = _KEPT.get(ledger)
        if kept is None or kept.projection is not ledger._projection:
            kept = _KEPT[ledger] = Kept(ledger._projection)
        head, since = int(con.execute("SELECT seq FROM watermark").fetchall()[0][0]), kept.heads.get(part, 0)
        if head > since:
            getattr(kept, f"read_{part}")(con, since)
            kept.heads[part] = head
        return kept


def twin_clock(ledger: Ledger, con: duckdb.DuckDBPyConnection) -> int:
    """The twin's clock, as `status_query.clock` says it, without reading every fact again."""
    event = newest(ledger, con, "clock").event
    told = as_of(con) if event is None else event
    return ledger._clock.now() if told is None else told

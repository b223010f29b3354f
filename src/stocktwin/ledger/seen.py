"""Which keys the facts of large tables have: a disposable index in memory that tells which keys are certainly new.

For all others it names the batch whose facts to look at. It holds 64 bits of each key: two keys that share them only
mean that the facts are looked at. Small tables need none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import duckdb
    import numpy.typing as npt
    import pyarrow as pa

SMALL: Final = 1_000_000
"""Facts of a table up to which asking the database is cheaper than an index."""
READ_ROWS: Final = 1_000_000
FIRST_SLOTS: Final = 1 << 22
FULL: Final = 0.8
"""Share of the slots from which on the table grows, by half."""
PRINT: Final = "CAST(key & CAST(18446744073709551615 AS UHUGEINT) AS UBIGINT)"
"""SQL expression: the fingerprint of a key, its lower 64 bits."""


class KeyIndex:
    """Fingerprints of keys, each with the batch of its fact.

    >>> index = KeyIndex(slots=8)
    >>> index.add(np.array([7, 9], np.uint64), np.array([1, 2], np.uint32))
    >>> index.find(np.array([9, 8], np.uint64)).tolist()
    [2, 0]
    """

    def __init__(self, slots: int = FIRST_SLOTS) -> None:
        self._slots = np.zeros(slots, np.uint64)
        self._batches = np.zeros(slots, np.uint32)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def find(self, prints: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint32]:
        """The batch of each fingerprint, 0 where there is none, `UNSURE` where there may be several."""
        from stocktwin.kernels.keyset import find_keys

        found = np.empty(len(prints), np.uint32)
        find_keys(self._slots, self._batches, prints, found)
        return found

    def add(self, prints: npt.NDArray[np.uint64], batches: npt.NDArray[np.uint32]) -> None:
        """Takes fingerprints in; in ascending order it is fastest."""
        from stocktwin.kernels.keyset import put_keys

        self._make_room(len(prints))
        self._count += put_keys(self._slots, self._batches, prints, batches)

    def _make_room(self, more: int) -> None:
        from stocktwin.kernels.keyset import move_keys

        size = len(self._slots)
        while self._count + more >= FULL * size:
            size += size // 2
        if size > len(self._slots):
            old, batches = self._slots, self._batches
            self._slots, self._batches = np.zeros(size, np.uint64), np.zeros(size, np.uint32)
            move_keys(old, batches, self._slots, self._batches)


class Seen:
    """The key indexes of one projection, made when a table has become large."""

    def __init__(self) -> None:
        self._indexes: dict[str, KeyIndex] = {}

    def index(self, con: duckdb.DuckDBPyConnection, table: str) -> KeyIndex | None:
        """The index of a table of facts; None while it is small."""
        if table not in self._indexes:
            rows = con.execute(f"SELECT count(*) FROM fact_{table}").fetchall()[0][0]
            if rows <= SMALL:
                return None
            index = KeyIndex(max(FIRST_SLOTS, int(rows / FULL * 1.2)))
            facts = con.sql(f"SELECT {PRINT} AS print, seq FROM fact_{table}")
            for part in facts.to_arrow_reader(READ_ROWS):
                _take(index, part)
            self._indexes[table] = index
        return self._indexes[table]

    def note(self, con: duckdb.DuckDBPyConnection, table: str) -> None:
        """Takes the keys of facts that were just accepted into the index, if there is one."""
        if table in self._indexes:
            _take(self._indexes[table], con.sql(f"SELECT {PRINT} AS print, seq FROM accepted").to_arrow_table())


def _take(index: KeyIndex, rows: pa.Table | pa.RecordBatch) -> None:
    prints = rows.column("print").to_numpy()
    order = np.argsort(prints)
    index.add(prints[order], rows.column("seq").to_numpy().astype(np.uint32)[order])

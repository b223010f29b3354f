"""Which keys the facts of large tables have: a disposable index in memory that tells which keys are certainly new.

For all others it names the batch whose facts to look at. It holds 64 bits of each key: two keys that share them only
mean that the facts are looked at. Small tables need none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from stocktwin.ledger import keyfile

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb
    import numpy.typing as npt
    import pyarrow as pa

SMALL: Final = 1_000_000
"""Facts of a table up to which asking the database is cheaper than an index."""
READ_ROWS: Final = 1_000_000
FIRST_SLOTS: Final = 1 << 22
FULL: Final = 0.8
"""Share of the slots from which on the table grows, by half."""
MUCH: Final = 100_000
OFTEN: Final = 20
"""From so many staged rows, or so many askings, since it was opened on an index is worth its making or reading."""
WORTH_WRITING: Final = 0.02
"""Share of the facts that a kept index may lack."""
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

    @classmethod
    def of(cls, kept: keyfile.Kept) -> KeyIndex:
        """The index that was kept."""
        index = cls(0)
        index._count, index._slots, index._batches = kept.count, kept.slots, kept.batches
        return index

    @property
    def columns(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint32]]:
        """Fingerprints and batches, slot by slot."""
        return self._slots, self._batches

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
    """The key indexes of one projection, made or read when a table is large and much is asked.

    They are kept beside the projection's file, from one opening to the next, with the projection's `birth`, the number
    of facts that they cover and a checksum. A file that does not fit is not used.
    """

    def __init__(self, home: Path | None = None, birth: str = "") -> None:
        self._home, self._birth = home, birth
        self._indexes: dict[str, KeyIndex] = {}
        self._asked: dict[str, int] = {}
        self._kept: dict[str, int] = {}

    def index(self, con: duckdb.DuckDBPyConnection, table: str, rows: int) -> KeyIndex | None:
        """The index of a table of facts for so many staged rows; None while asking the database is cheaper."""
        if table not in self._indexes:
            facts = con.execute(f"SELECT count(*) FROM fact_{table}").fetchall()[0][0]
            if facts <= SMALL:
                return None
            self._asked[table] = self._asked.get(table, 0) + max(rows, MUCH // OFTEN)
            if self._asked[table] < MUCH:
                return None
            self._indexes[table] = self._opened(con, table, facts)
        return self._indexes[table]

    def _opened(self, con: duckdb.DuckDBPyConnection, table: str, facts: int) -> KeyIndex:
        kept = None if self._home is None else keyfile.read(self._file(table), self._birth)
        kept = kept if kept and _last(con, table, kept.facts) == kept.last else None
        index = KeyIndex(max(FIRST_SLOTS, int(facts / FULL * 1.2))) if kept is None else KeyIndex.of(kept)
        covered = self._kept[table] = 0 if kept is None else kept.facts
        rest = con.sql(f"SELECT {PRINT} AS print, seq FROM fact_{table} WHERE rowid >= {covered}")
        for part in rest.to_arrow_reader(READ_ROWS):
            _take(index, part)
        return index

    def note(self, con: duckdb.DuckDBPyConnection, table: str) -> None:
        """Takes the keys of facts that were just accepted into the index, if there is one."""
        if table in self._indexes:
            _take(self._indexes[table], con.sql(f"SELECT {PRINT} AS print, seq FROM accepted").to_arrow_table())

    def keep(self, con: duckdb.DuckDBPyConnection) -> None:
        """Writes the indexes that have grown much since they were written. `con` sees what is committed only."""
        for table, index in self._indexes.items() if self._home is not None and self._birth else ():
            facts = con.execute(f"SELECT count(*) FROM fact_{table}").fetchall()[0][0]
            if facts - self._kept[table] > max(SMALL, facts * WORTH_WRITING):
                kept = keyfile.Kept(self._birth, facts, _last(con, table, facts), len(index), *index.columns)
                keyfile.write(self._file(table), kept)

    def _file(self, table: str) -> Path:
        assert self._home is not None
        return keyfile.path_of(self._home, table)


def _last(con: duckdb.DuckDBPyConnection, table: str, facts: int) -> str:
    """What tells the last of so many facts from any other; empty where there are not so many."""
    found = con.execute(f"SELECT key, seq, pos FROM fact_{table} WHERE rowid = {facts - 1}").fetchall()
    return str(found[0]) if found else ""


def _take(index: KeyIndex, rows: pa.Table | pa.RecordBatch) -> None:
    prints = rows.column("print").to_numpy()
    order = np.argsort(prints)
    index.add(prints[order], rows.column("seq").to_numpy().astype(np.uint32)[order])

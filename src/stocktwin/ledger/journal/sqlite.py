"""The journal in one SQLite file: WAL, `synchronous=FULL`, so that what was acknowledged survives a power cut.

Nothing is updated but `cursors`, which repeats what the headers say (law `exactly_once` compares them).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from stocktwin.domain.errors import EnvironmentFault, JournalDamaged
from stocktwin.ledger.journal.protocol import Batch, BatchHeader, seal

LAYOUT = """
CREATE TABLE IF NOT EXISTS batches (
    seq INTEGER PRIMARY KEY, header TEXT NOT NULL, blob_sha256 TEXT NOT NULL, prev_hash TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS blobs (seq INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS batches_by_blob ON batches (blob_sha256);
CREATE TABLE IF NOT EXISTS cursors (
    source TEXT NOT NULL, file TEXT NOT NULL, cursor TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (source, file)
) STRICT;
"""
PAGE = 512
"""Headers read at a time, so that a reader never holds up the writer."""


class SqliteJournal:
    """The journal protocol over one SQLite file, made when absent.

    Raises `EnvironmentFault` when the file cannot be opened or written, `JournalDamaged` when it is no journal.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        try:
            self._con = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30.0)
        except sqlite3.Error as error:
            raise EnvironmentFault(f"cannot open the journal {path}: {error}") from None
        try:
            self._con.execute("PRAGMA journal_mode=WAL")
            self._con.execute("PRAGMA synchronous=FULL")
            self._con.executescript(LAYOUT)
        except sqlite3.OperationalError as error:
            self._con.close()
            raise EnvironmentFault(f"cannot write the journal {path}: {error}") from None
        except sqlite3.DatabaseError as error:
            self._con.close()
            raise JournalDamaged(f"{path} is not a readable journal: {error}") from None

    def append(self, drafts: Sequence[tuple[BatchHeader, bytes | None]]) -> list[Batch]:
        """Appends batches, blobs and cursors in one commit, on disk when this returns."""
        with self._lock:
            try:
                self._con.execute("BEGIN IMMEDIATE")
                sealed = seal([header for header, _ in drafts], self.head())
                for batch, (_, data) in zip(sealed, drafts, strict=True):
                    self._insert(batch, data)
                self._con.execute("COMMIT")
            except BaseException as error:
                if self._con.in_transaction:
                    self._con.execute("ROLLBACK")
                if isinstance(error, sqlite3.OperationalError):
                    raise EnvironmentFault(f"cannot write the journal {self.path}: {error}") from None
                raise
            return sealed

    def _insert(self, batch: Batch, data: bytes | None) -> None:
        header = batch.header
        row = (batch.seq, batch.text, header.blob, batch.prev_hash, batch.hash)
        self._con.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?)", row)
        if data is not None:
            self._con.execute("INSERT INTO blobs VALUES (?, ?)", (batch.seq, data))
        if header.cursor:
            place = (header.source, header.file, header.cursor, batch.seq)
            self._con.execute("INSERT OR REPLACE INTO cursors VALUES (?, ?, ?, ?)", place)

    def head(self) -> Batch | None:
        """The last batch."""
        found = self._select("ORDER BY seq DESC LIMIT 1")
        return found[0] if found else None

    def batch(self, seq: int) -> Batch | None:
        """One batch."""
        found = self._select("WHERE seq = ?", seq)
        return found[0] if found else None

    def batches(self, after: int = 0) -> Iterator[Batch]:
        """Batches with a greater number, in order."""
        while page := self._select("WHERE seq > ? ORDER BY seq LIMIT ?", after, PAGE):
            yield from page
            after = page[-1].seq

    def blob(self, seq: int) -> bytes | None:
        """The blob of a batch."""
        found = self._rows("SELECT data FROM blobs WHERE seq = ?", seq)
        return bytes(found[0][0]) if found else None

    def with_blob(self, blob: str) -> list[Batch]:
        """Batches whose own blob has this SHA-256."""
        return self._select("JOIN blobs USING (seq) WHERE blob_sha256 = ? ORDER BY seq", blob)

    def cursors(self) -> dict[tuple[str, str], str]:
        """(source, file) → how far it has been read."""
        return {
            (source, file): cursor for source, file, cursor in self._rows("SELECT source, file, cursor FROM cursors")
        }

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._con.close()

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._con.execute(sql, values).fetchall()
            except sqlite3.DatabaseError as error:
                raise JournalDamaged(f"{self.path} cannot be read: {error}") from None

    def _select(self, tail: str, *values: object) -> list[Batch]:
        rows = self._rows(f"SELECT seq, header, prev_hash, hash, blob_sha256 FROM batches {tail}", *values)
        return [_batch(*row) for row in rows]


def _batch(seq: object, text: str, prev_hash: str, own_hash: str, blob: str) -> Batch:
    try:
        header = BatchHeader.parse(text)
    except (ValueError, TypeError) as error:
        raise JournalDamaged(f"batch {seq}: its header cannot be read: {error}") from None
    if header.seq != seq or header.blob != blob:
        raise JournalDamaged(f"batch {seq}: its header belongs to batch {header.seq} or to another blob")
    return Batch(header, text, prev_hash, own_hash)

"""The journal in one SQLite file: WAL, `synchronous=FULL`, so that what was acknowledged survives a power cut.

Nothing is updated but `cursors`, which repeats what the headers say (law `exactly_once` compares them).
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stocktwin.domain.errors import EnvironmentFault, JournalDamaged
from stocktwin.domain.failpoint import failpoint
from stocktwin.ledger.journal.head import HeadMark, head_of
from stocktwin.ledger.journal.protocol import Batch, BatchHeader, check_continues, seal
from stocktwin.ledger.journal.reading import SqlReading

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
CHECKED_AT_START = 100_000
"""Newest headers whose chain is checked at opening: some seconds at most. `verify` checks all."""
RESERVE_BYTES = 64 << 20
"""Room on the disk below which nothing is taken any more, so that what was taken can still be folded and read."""


class SqliteJournal(SqlReading):
    """The journal protocol over one SQLite file, made when absent.

    Opening checks what is cheap: the chain of headers, the cursors, and that it does not end before the last batch it
    acknowledged. Blobs are checked when they are folded, every page by `damage`. Raises `EnvironmentFault` when the
    file cannot be opened or written, `JournalDamaged` when it is no journal or a damaged one.
    """

    def __init__(self, path: Path, reserve: int = RESERVE_BYTES, *, reading: bool = False) -> None:
        """`reading`: opens the file as it is, unchecked, changes nothing in it and makes none."""
        self.path = path
        self._reserve = reserve
        self._mark = HeadMark(path)
        self._lock = threading.RLock()
        try:
            place = f"{path.absolute().as_uri()}?mode={'ro' if reading else 'rwc'}"
            self._con = sqlite3.connect(place, uri=True, check_same_thread=False, isolation_level=None, timeout=30.0)
        except sqlite3.Error as error:
            raise EnvironmentFault(f"cannot open the journal {path}: {error}") from None
        if reading:
            return
        try:
            self._con.execute("PRAGMA journal_mode=WAL")
            self._con.execute("PRAGMA synchronous=FULL")
            self._con.executescript(LAYOUT)
            self._check()
        except JournalDamaged:
            self._con.close()
            raise
        except sqlite3.OperationalError as error:
            self._con.close()
            raise EnvironmentFault(f"cannot write the journal {path}: {error}") from None
        except sqlite3.DatabaseError as error:
            self._con.close()
            raise JournalDamaged(f"{path} is not a readable journal: {error}") from None

    def _check(self) -> None:
        """Raises `JournalDamaged` for damage that can be found without reading every page."""
        head = self.head()
        first = max((head.seq if head else 0) - CHECKED_AT_START, 0)
        for _ in self.batches(first):
            pass
        for source, file, cursor, seq in self._rows("SELECT source, file, cursor, seq FROM cursors"):
            batch = self.batch(seq)
            header = batch.header if batch else None
            if header is None or (header.source, header.file, header.cursor) != (source, file, cursor):
                raise JournalDamaged(f"{self.path}: the cursor of {source} {file} is not that of batch {seq}")
        self._mark.check(self)

    def append(self, drafts: Sequence[tuple[BatchHeader, bytes | None]]) -> list[Batch]:
        """Appends batches, blobs and cursors in one commit, on disk when this returns. `EnvironmentFault` when the disk
        has no room left for them; then nothing of them is kept."""
        headers = [header for header, _ in drafts]
        with self._commit(drafts):
            sealed = seal(headers, self.head())
            for batch, (_, data) in zip(sealed, drafts, strict=True):
                self._insert(batch, data)
        return sealed

    def adopt(self, sealed: Sequence[tuple[Batch, bytes | None]]) -> None:
        """Appends batches of another journal as they are, in one commit."""
        with self._commit(sealed):
            check_continues(self.head(), sealed)
            for batch, data in sealed:
                self._insert(batch, data)

    def claim(self, patience: float = 0.0) -> bool:
        """The lock of the twin's folder has seen to it."""
        return False

    @contextmanager
    def _commit(self, written: Sequence[tuple[object, bytes | None]]) -> Iterator[None]:
        """One durable transaction: all of what stands inside, or nothing. The head is noted after it."""
        with self._lock:
            self._check_room(sum(len(data or b"") for _, data in written))
            failpoint("journal.begin")
            try:
                self._con.execute("BEGIN IMMEDIATE")
                yield
                failpoint("journal.commit")
                self._con.execute("COMMIT")
                failpoint("journal.committed")
            except BaseException as error:
                if self._con.in_transaction:
                    self._con.execute("ROLLBACK")
                if isinstance(error, sqlite3.OperationalError):
                    raise EnvironmentFault(f"cannot write the journal {self.path}: {error}") from None
                raise
            if written:
                self._mark.write(head_of(self.head()))

    def _check_room(self, size: int) -> None:
        disk = os.statvfs(self.path.parent)
        free = disk.f_bavail * disk.f_frsize
        if free < self._reserve + 2 * size:
            raise EnvironmentFault(
                f"cannot write the journal {self.path}: the disk has {free >> 20} MiB left, "
                f"{self._reserve >> 20} are kept free; make room and deliver again"
            )

    def _insert(self, batch: Batch, data: bytes | None) -> None:
        header = batch.header
        row = (batch.seq, batch.text, header.blob, batch.prev_hash, batch.hash)
        self._con.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?)", row)
        if data is not None:
            self._con.execute("INSERT INTO blobs VALUES (?, ?)", (batch.seq, data))
        if header.cursor:
            place = (header.source, header.file, header.cursor, batch.seq)
            self._con.execute("INSERT OR REPLACE INTO cursors VALUES (?, ?, ?, ?)", place)

    def damage(self) -> str:
        """What SQLite's own check of every page and index finds wrong."""
        found = "; ".join(str(row[0]) for row in self._rows("PRAGMA integrity_check(5)"))
        return "" if found == "ok" else found.replace("\n", " ")

    def close_as_one_file(self) -> None:
        """Closes the file so that it stands alone: nothing beside it, to be carried away or read from anywhere."""
        with self._lock:
            self._con.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._con.execute("PRAGMA journal_mode=DELETE")
            self.close()
            self._mark.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._con.close()
            self._mark.close()

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._con.execute(sql, values).fetchall()
            except sqlite3.DatabaseError as error:
                raise JournalDamaged(f"{self.path} cannot be read: {error}") from None

"""The journal in PostgreSQL: the same tables, one writer at a time by lease, any number of readers.

Every append takes the lease's row and checks its epoch in the transaction that writes, so appends stand one behind the
other: `seq` has no gap and is seen in order, and a reader that asks for `seq > last` can skip nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NoReturn

from stocktwin.domain.errors import BusyError, EnvironmentFault
from stocktwin.ledger.journal.lease import PATIENCE_SECONDS, Lease
from stocktwin.ledger.journal.pgconnect import Place, asked
from stocktwin.ledger.journal.protocol import Batch, BatchHeader, check_continues, seal, stored_batch
from stocktwin.ledger.journal.reading import HEADER_COLUMNS, SqlReading

if TYPE_CHECKING:
    import psycopg

OUTCOME_SECONDS = 10.0
"""How long one tries to find out what became of a commit whose connection was lost, at least."""

KEEP_CURSOR = """INSERT INTO cursors VALUES (%s, %s, %s, %s)
ON CONFLICT (source, file) DO UPDATE SET cursor = excluded.cursor, seq = excluded.seq"""

Sealed = Sequence[tuple[Batch, bytes | None]]


class PostgresJournal(SqlReading):
    """The journal protocol over a schema of a PostgreSQL database, made when absent.

    Reading needs no lease; the first append, or `claim`, takes it. `holder` is what others are told who must wait.
    Raises `EnvironmentFault` when the server cannot be reached or would not keep what it acknowledges.
    """

    def __init__(self, url: str | Place, holder: str = "", patience: float = PATIENCE_SECONDS) -> None:
        self.place = Place.parse(url) if isinstance(url, str) else url
        self.patience = patience
        self._lease = Lease(self.place, holder)
        self._writing = threading.RLock()
        self._reading = threading.RLock()
        self._con: psycopg.Connection[Any] | None = None
        self._stale, self._claimed = True, False
        self.place.prepare()

    @property
    def name(self) -> str:
        """Its address, without password."""
        return self.place.shown

    @property
    def holder(self) -> str:
        """What others are told who must wait for this process."""
        return self._lease.holder

    # ---- writing

    def claim(self, patience: float | None = None) -> bool:
        """Takes the lease unless it is held already; BusyError names the writer when it did not let go in time."""
        with self._writing:
            stale = self._lease.take(self.patience if patience is None else patience) or self._stale
            self._claimed, self._stale = True, False
            return stale

    def exclusive(self) -> AbstractContextManager[psycopg.Connection[Any]]:
        """A transaction in which this process alone writes; the lease must be held."""
        return self._lease.transaction()

    def holds_lease(self) -> bool:
        """Whether this process may write, as far as it knows."""
        return self._lease.held

    def writer(self) -> str:
        """Who took the lease last."""
        return self._lease.writer()

    def append(self, drafts: Sequence[tuple[BatchHeader, bytes | None]]) -> list[Batch]:
        """Appends batches, blobs and cursors in one commit, acknowledged by the server when this returns."""

        def sealed(previous: Batch | None) -> Sealed:
            batches = seal([header for header, _ in drafts], previous)
            return [(batch, data) for batch, (_, data) in zip(batches, drafts, strict=True)]

        return [batch for batch, _ in self._commit(sealed)]

    def adopt(self, sealed: Sequence[tuple[Batch, bytes | None]]) -> None:
        """Appends batches of another journal as they are, in one commit."""

        def checked(previous: Batch | None) -> Sealed:
            check_continues(previous, sealed)
            return sealed

        self._commit(checked)

    def _commit(self, make: Callable[[Batch | None], Sealed]) -> Sealed:
        """Writes what `make` seals after the head. A connection lost on the way leaves no doubt: once the lease is
        taken again the old transaction has ended, and the journal tells how."""
        with self._writing:
            if self._lease.take(self.patience) and self._claimed:
                self._others_wrote()
            sealed = self._attempt(make)
            if sealed is None:
                sealed = self._attempt(make)
            if sealed is None:
                raise EnvironmentFault(
                    f"the journal {self.place.shown}: the connection was lost twice, nothing was kept"
                )
            return sealed

    def _attempt(self, make: Callable[[Batch | None], Sealed]) -> Sealed | None:
        """What was written; None when the connection was lost before the commit and nobody else has written."""
        sealed: Sealed = []
        try:
            with asked(self.place), self._lease.transaction() as con:
                head = _fetch(con, f"SELECT {HEADER_COLUMNS} FROM batches ORDER BY seq DESC LIMIT 1", ())
                sealed = make(stored_batch(*head[0]) if head else None)
                _insert(con, sealed)
            return sealed
        except EnvironmentFault as error:
            if isinstance(error, BusyError):
                self._lease.drop()
            if self._lease.held or isinstance(error, BusyError):
                raise
            return self._outcome(sealed)

    def _outcome(self, sealed: Sealed) -> Sealed | None:
        """How a transaction ended whose connection was lost: known for certain once the lease is held again, for then
        the session that it belonged to is over."""
        try:
            others = self._lease.take(max(self.patience, OUTCOME_SECONDS))
        except EnvironmentFault:
            self._stale = True  # what became of it is seen by whoever looks next
            raise
        self._stale = self._stale or others
        found = self.batch(sealed[-1][0].seq) if sealed else None
        if found is not None and found.hash == sealed[-1][0].hash:
            return sealed
        if others:
            self._others_wrote()
        return None

    def _others_wrote(self) -> NoReturn:
        """Another process had the lease since this one looked: what it wrote must be folded in first."""
        self._stale = True
        raise BusyError(f"the journal {self.place.shown}: another process wrote in the meantime; nothing was kept")

    # ---- reading

    def damage(self) -> str:
        """PostgreSQL checks its own pages; what it cannot read shows when it is read."""
        return ""

    def close(self) -> None:
        """Gives the lease back and closes the connections."""
        self._lease.release()
        with self._reading:
            if self._con is not None:
                self._con.close()

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Asks; once more over a new connection when the old one was lost (a server that was started anew, say)."""
        import psycopg

        sql = sql.replace("?", "%s")
        with self._reading, asked(self.place):
            if self._con is not None and not self._con.closed:
                try:
                    return _fetch(self._con, sql, values)
                except psycopg.Error:
                    if not self._con.closed:
                        raise
            self._con = self.place.connect()
            return _fetch(self._con, sql, values)


def _fetch(con: psycopg.Connection[Any], sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
    with con.cursor(binary=True) as cursor:
        return cursor.execute(sql, values).fetchall()


def _insert(con: psycopg.Connection[Any], sealed: Sealed) -> None:
    """Writes batches, blobs and cursors, in one round trip of the connection."""
    with con.pipeline(), con.cursor() as cursor:
        for batch, data in sealed:
            header = batch.header
            row = (batch.seq, batch.text, header.blob, batch.prev_hash, batch.hash)
            cursor.execute("INSERT INTO batches VALUES (%s, %s, %s, %s, %s)", row)
            if data is not None:
                cursor.execute("INSERT INTO blobs VALUES (%s, %b)", (batch.seq, data))
            if header.cursor:
                place = (header.source, header.file, header.cursor, batch.seq)
                cursor.execute(KEEP_CURSOR, place)

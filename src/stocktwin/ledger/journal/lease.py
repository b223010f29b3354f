"""Who may write a journal in PostgreSQL: one process at a time.

Two things together. A session's advisory lock says that the writer lives: the server lets go of it when the writer's
connection ends, by a kill at once, by a lost machine when the connection has been silent for some seconds. The lease's
row says whose turn it is: each taking raises its epoch, and every append checks, in its own transaction, that the epoch
is still its own. So a writer that was thought dead and comes back can do nothing.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from stocktwin.domain.errors import BusyError, EnvironmentFault
from stocktwin.ledger.journal.pgconnect import Place, Unfit, asked, check_server

if TYPE_CHECKING:
    import psycopg

PATIENCE_SECONDS: Final = 30.0
"""How long one waits for another writer."""
POLL_SECONDS: Final = 0.2
BEAT_SECONDS: Final = 2.0
"""A writer that has nothing to write says so often that it lives."""
SILENCE_SECONDS: Final = 15
"""The server ends a writer's session that was silent for so long, asleep or in the middle of a transaction."""
SESSION: Final = f"""
SET idle_session_timeout = '{SILENCE_SECONDS}s';
SET idle_in_transaction_session_timeout = '{SILENCE_SECONDS}s';
SET tcp_keepalives_idle = 4; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;
SET tcp_user_timeout = '10s'
"""


class Lease:
    """The right to write the journal at a place. Not for several threads at once but for `held`."""

    def __init__(self, place: Place, holder: str = "") -> None:
        self._place = place
        self.holder = holder or f"process {os.getpid()} on {socket.gethostname()}"
        self._con: psycopg.Connection[Any] | None = None
        self._epoch = -1
        self._using = threading.Lock()
        self._closed = threading.Event()
        self._beating: threading.Thread | None = None

    @property
    def held(self) -> bool:
        """Whether this process may write, as far as it knows."""
        con = self._con
        return con is not None and not con.closed

    def drop(self) -> None:
        """Lets go of the lease until it is taken again."""
        if self._con is not None:
            self._con.close()

    def take(self, patience: float = PATIENCE_SECONDS) -> bool:
        """Takes the lease unless it is held; whether another process may have written since it was held last.

        BusyError names the writer when it does not let go within `patience` seconds.
        """
        if self.held:
            return False
        if self._closed.is_set():
            raise EnvironmentFault(f"the journal {self._place.shown} is closed")
        deadline = time.monotonic() + patience
        while True:
            try:
                return self._try()
            except EnvironmentFault as error:  # BusyError too
                if isinstance(error, Unfit) or time.monotonic() >= deadline:
                    raise
            time.sleep(POLL_SECONDS)

    def _try(self) -> bool:
        con = self._place.connect()
        try:
            with asked(self._place):
                check_server(con, self._place)
                con.execute(SESSION)
                if not _first(con, "SELECT pg_try_advisory_lock(%s)", self._place.key):
                    raise BusyError(f"the journal {self._place.shown} is written by {self.writer(con)}")
                epoch = self._raise(con)
        except BaseException:
            con.close()
            raise
        others = epoch != self._epoch + 1
        self._con, self._epoch = con, epoch
        self._beat()
        return others

    def _raise(self, con: psycopg.Connection[Any]) -> int:
        """A new epoch. Waits for a transaction of the writer before, should one still be on its way."""
        sql = "UPDATE lease SET epoch = epoch + 1, holder = %s, since = now() RETURNING epoch"
        return int(_first(con, sql, self.holder))

    def writer(self, con: psycopg.Connection[Any] | None = None) -> str:
        """Who took the lease last."""
        if con is None:
            with self._place.connect() as own, asked(self._place):
                return self.writer(own)
        return str(_first(con, "SELECT holder FROM lease")) or "another process"

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection[Any]]:
        """A transaction of the writer: alone, and under its own epoch. BusyError when another took the lease."""
        con = self._con
        assert con is not None
        with self._using, con.transaction():
            epoch, holder = con.execute("SELECT epoch, holder FROM lease FOR UPDATE").fetchall()[0]
            if epoch != self._epoch:
                raise BusyError(f"the journal {self._place.shown} is now written by {holder}")
            yield con

    def release(self) -> None:
        """Gives the lease back, for good."""
        self._closed.set()
        self.drop()

    def _beat(self) -> None:
        if self._beating is None:
            self._beating = threading.Thread(target=self._live, name="stocktwin-lease", daemon=True)
            self._beating.start()

    def _live(self) -> None:
        """Keeps the session from falling silent. A session that ended shows itself at the next append."""
        while not self._closed.wait(BEAT_SECONDS):
            con = self._con
            if con is None or con.closed or not self._using.acquire(blocking=False):
                continue
            try:
                with suppress(Exception):
                    con.execute("SELECT 1")
            finally:
                self._using.release()


def _first(con: psycopg.Connection[Any], sql: str, *values: object) -> Any:
    found = con.execute(sql, values).fetchone()
    assert found is not None
    return found[0]

"""The journal in PostgreSQL where it differs from the others: a lease, several processes, connections that are cut."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from stocktwin.domain.errors import BusyError, EnvironmentFault, UsageError
from stocktwin.ledger.journal.blob import no_rejected
from stocktwin.ledger.journal.pgconnect import Place
from stocktwin.ledger.journal.postgres import PostgresJournal, _insert
from stocktwin.ledger.journal.protocol import BatchHeader, digest, seal
from stocktwin.ledger.ledger import Ledger
from stocktwin.tables.batch import Delivery
from stocktwin.tables.schema import TABLES

Draft = tuple[BatchHeader, bytes | None]


def draft(data: bytes) -> Draft:
    """A batch to append, with its blob and a cursor."""
    return BatchHeader("facts", 1, source="erp", file="f", cursor=data.decode(), blob=digest(data)), data


def journal(url: str, name: str = "", patience: float = 0.0) -> closing[PostgresJournal]:
    """An open journal of a process called `name`."""
    return closing(PostgresJournal(url, name, patience))


def blobs(of: PostgresJournal) -> list[bytes | None]:
    """What every batch holds, in order."""
    return [of.blob(batch.seq) for batch in of.batches()]


@contextmanager
def admin(url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection of the server's owner, in the journal's schema."""
    with Place.parse(url).connect() as con:
        yield con


def backends(con: psycopg.Connection[Any]) -> list[int]:
    """Process numbers of the sessions that hold an advisory lock: the writers."""
    return [
        pid for (pid,) in con.execute("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted").fetchall()
    ]


# ---- the lease


def test_one_writes_and_the_other_is_told_who(postgres: str) -> None:
    with journal(postgres, "process 1 on A") as first, journal(postgres, "process 2 on B") as second:
        first.append([draft(b"a")])
        with pytest.raises(BusyError, match="written by process 1 on A") as caught:
            second.append([draft(b"b")])
        assert caught.value.exit_code == 3
        assert blobs(second) == [b"a"], "reading needs no lease"
        first.append([draft(b"c")])
        assert blobs(second) == [b"a", b"c"]
        assert second.writer() == "process 1 on A"


def test_whoever_waits_is_next_and_is_told_that_others_wrote(postgres: str) -> None:
    with journal(postgres, "A") as first, journal(postgres, "B", patience=20.0) as second:
        assert first.claim(), "others may have written before"
        first.append([draft(b"a")])
        assert not first.claim()
        taken: list[bool] = []
        waiting = threading.Thread(target=lambda: taken.append(second.claim()))
        waiting.start()
        time.sleep(0.3)
        assert not taken
        first.close()
        waiting.join()
        assert taken == [True]
        second.append([draft(b"b")])
        assert blobs(second) == [b"a", b"b"]


def test_a_writer_that_was_thought_dead_can_do_nothing(postgres: str) -> None:
    """Its lock is lost without its knowing: the epoch of the lease fences it off."""
    with journal(postgres, "old") as old, journal(postgres, "new") as new, admin(postgres) as con:
        old.claim()
        old.append([draft(b"a")])
        assert old._lease._con is not None
        old._lease._con.execute("SELECT pg_advisory_unlock_all()")
        new.append([draft(b"b")])
        with pytest.raises(BusyError, match="now written by new"):
            old.append([draft(b"c")])
        with pytest.raises(BusyError, match="written by new"):
            old.append([draft(b"c")])
        assert blobs(new) == [b"a", b"b"]
        assert con.execute("SELECT epoch FROM lease").fetchall() == [(2,)]


def test_after_others_wrote_nothing_is_added_before_the_ledger_has_looked(postgres: str) -> None:
    with journal(postgres, "old") as old, journal(postgres, "new") as new, admin(postgres) as con:
        old.claim()
        old.append([draft(b"a")])
        con.execute("SELECT pg_terminate_backend(%s)", backends(con))
        new_patient = PostgresJournal(postgres, "new", patience=10.0)
        new_patient.append([draft(b"b")])
        new_patient.close()
        with pytest.raises(BusyError, match="another process wrote in the meantime"):
            old.append([draft(b"c")])
        assert old.claim(10.0), "it may go on once it has looked"
        old.append([draft(b"d")])
        assert blobs(new) == [b"a", b"b", b"d"]


def test_a_transaction_still_on_its_way_holds_the_next_writer_up(postgres: str) -> None:
    """Or its batch would appear behind one that a reader has already seen."""
    seen: list[int] = []
    with journal(postgres, "old") as old, journal(postgres, "new", patience=20.0) as new, journal(postgres) as reader:
        old.append([draft(b"a")])
        assert old._lease._con is not None
        with old.exclusive() as con:
            (sealed,) = seal([draft(b"b")[0]], old.head())
            _insert(con, [(sealed, b"b")])
            con.execute("SELECT pg_advisory_unlock_all()")
            waiting = threading.Thread(target=lambda: seen.extend(one.seq for one in new.append([draft(b"c")])))
            waiting.start()
            time.sleep(0.5)
            assert seen == []
            assert blobs(reader) == [b"a"]
        waiting.join()
        assert seen == [3]
        assert blobs(reader) == [b"a", b"b", b"c"]


# ---- what was edited is found

MASTER = [("items", {"item_id": "I"}), ("locations", {"location_id": "D", "kind": "dc"}), ("items", {"item_id": "J"})]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE batches SET header = replace(header, '\"facts\":1', '\"facts\":9') WHERE seq = 2",
        "UPDATE batches SET prev_hash = hash WHERE seq = 2",
        "UPDATE blobs SET data = '\\x00' WHERE seq = 2",
        "DELETE FROM batches WHERE seq = 2",
        "DELETE FROM blobs WHERE seq = 2",
    ],
)
def test_tampering_is_found(postgres: str, sql: str) -> None:
    with Ledger.open(PostgresJournal(postgres), None) as ledger, admin(postgres) as con:
        for table, row in MASTER:
            facts = pa.Table.from_pylist([{**row, "_row": 1}], TABLES[table].arrow_schema())
            ledger.append([Delivery("erp", table, f"{table}.csv", facts, no_rejected())])
        assert all(law.ok for law in ledger.verify())
        con.execute(sql.encode())
        broken = {law.law: law.detail for law in ledger.verify() if not law.ok}
    assert "batch 2" in broken["chain"] or "batch 3" in broken["chain"]


# ---- connections that are cut


def test_a_session_that_the_server_ended_is_opened_anew(postgres: str) -> None:
    with journal(postgres, patience=10.0) as one, admin(postgres) as con:
        one.claim()
        one.append([draft(b"a")])
        for number in range(3):
            con.execute("""SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE application_name = 'stocktwin' AND pid <> pg_backend_pid()""")
            one.append([draft(str(number).encode())])
        assert blobs(one) == [b"a", b"0", b"1", b"2"]
        assert not one.claim(), "nobody else has written"


class Cable:
    """A socket between a journal and the server that is cut at a chosen message."""

    def __init__(self, server: Path, folder: Path, cut: Callable[[bytes, bytes], bool]) -> None:
        self._server, self._cut, self.cuts = str(server), cut, 0
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(folder / ".s.PGSQL.5432"))
        self._socket.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """No more connections."""
        self._socket.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._socket.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._server)
                for ends in ((near, far, b">"), (far, near, b"<")):
                    threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, way: bytes) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if self._cut(way, data):
                    self.cuts += 1
                    break
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
                end.close()


def cutting(postgres: str, folder: Path, cut: Callable[[bytes, bytes], bool]) -> tuple[Cable, str]:
    """A cable to the server and the journal's address through it."""
    home = dict(part.split("=", 1) for part in postgres.partition("?")[2].split("&"))["host"]
    cable = Cable(Path(home) / ".s.PGSQL.5432", folder, cut)
    return cable, postgres.replace(home, str(folder))


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_connection_cut_in_the_middle_of_a_commit_leaves_no_doubt(
    postgres: str, tmp_path_factory: pytest.TempPathFactory, when: str
) -> None:
    """Cut before the server hears of the commit, or after, so that only its answer is lost: once, never twice."""
    state = {"armed": False, "committing": False, "done": 0}

    def cut(way: bytes, data: bytes) -> bool:
        committing = way == b">" and b"COMMIT" in data
        if state["armed"] and committing and when == "before":
            state["armed"] = False
            return True
        state["committing"] = state["committing"] or (bool(state["armed"]) and committing)
        if state["committing"] and way == b"<" and b"COMMIT" in data:
            state["armed"] = state["committing"] = False
            return True
        return False

    folder = Path(tmp_path_factory.mktemp("c"))
    cable, through = cutting(postgres, folder, cut)
    with journal(through, "cut off", patience=10.0) as one, journal(postgres) as reader:
        one.claim()
        one.append([draft(b"a")])
        for number in range(3):
            state["armed"] = True
            sealed = one.append([draft(f"{number}-1".encode()), draft(f"{number}-2".encode())])
            assert [batch.seq for batch in sealed] == [2 + 2 * number, 3 + 2 * number]
        assert cable.cuts == 3, "every commit was cut once"
        assert blobs(reader) == [b"a", b"0-1", b"0-2", b"1-1", b"1-2", b"2-1", b"2-2"]
        assert reader.cursors() == {("erp", "f"): "2-2"}
        assert not one.claim(), "nobody else has written"
    cable.close()


# ---- a server that can be trusted


def test_commits_are_durable_even_where_the_server_would_not_wait(postgres: str) -> None:
    with admin(postgres) as con:
        con.execute("ALTER ROLE stocktwin SET synchronous_commit = off")
    try:
        with journal(postgres) as one:
            one.append([draft(b"a")])
            assert one._lease._con is not None
            assert one._lease._con.execute("SHOW synchronous_commit").fetchone() == ("on",)
    finally:
        with admin(postgres) as con:
            con.execute("ALTER ROLE stocktwin RESET synchronous_commit")


def test_a_server_that_may_lose_what_it_acknowledges_is_refused_at_once(postgres: str) -> None:
    with admin(postgres) as con:
        try:
            con.execute("ALTER SYSTEM SET fsync = off")
            con.execute("SELECT pg_reload_conf()")
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and con.execute("SHOW fsync").fetchone() != ("off",):
                time.sleep(0.05)
            began = time.monotonic()
            with journal(postgres, patience=30.0) as one, pytest.raises(EnvironmentFault, match="fsync is off"):
                one.append([draft(b"a")])
            assert time.monotonic() - began < 20
        finally:
            con.execute("ALTER SYSTEM RESET fsync")
            con.execute("SELECT pg_reload_conf()")


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    with pytest.raises(EnvironmentFault, match="the journal postgresql://me@") as caught:
        PostgresJournal("postgresql://me:secret@/shop?host=/nowhere&password=hidden")
    assert "secret" not in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "told"), [("mysql://x", "postgresql://"), (f"postgresql://h/d?schema={'x' * 64}", "schema: must be")]
)
def test_a_wrong_address_names_what_is_wrong(url: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Place.parse(url)


def test_two_journals_in_one_database_do_not_know_each_other(postgres: str) -> None:
    with journal(postgres) as one, journal(f"{postgres}b") as other:
        one.append([draft(b"a")])
        other.append([draft(b"b")])
        assert (blobs(one), blobs(other)) == ([b"a"], [b"b"])


def test_the_writers_thread_ends_with_it(postgres: str) -> None:
    before = set(threading.enumerate())  # threads of earlier tests may still be ending
    with journal(postgres) as one:
        one.append([draft(b"a")])
        (writer,) = set(threading.enumerate()) - before
    writer.join(10)
    assert not writer.is_alive()

"""The journal in PostgreSQL where it differs from the others: a lease, several processes, connections that are cut."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from stocktwin.domain.errors import BusyError, EnvironmentFault, UsageError
from stocktwin.ledger.journal.pgconnect import Place
from stocktwin.ledger.journal.postgres import PostgresJournal
from stocktwin.ledger.journal.protocol import BatchHeader, digest

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


# ---- several processes

WRITER = """
import sys
from stocktwin.ledger.journal.postgres import PostgresJournal
from stocktwin.ledger.journal.protocol import BatchHeader, digest

name, patience = sys.argv[2], float(sys.argv[3])
journal = PostgresJournal(sys.argv[1], name, patience)
journal.claim()
print("writes", flush=True)
number = 0
while True:
    data = [f"{name} {number + step}".encode() for step in range(3)]
    journal.append([(BatchHeader("facts", 1, blob=digest(one)), one) for one in data])
    number += 3
    print(number, flush=True)  # the acknowledgement
"""


@contextmanager
def writer(url: str, name: str, patience: float) -> Iterator[subprocess.Popen[str]]:
    """A process that takes the lease and writes groups of three batches until it is killed."""
    command = [sys.executable, "-c", WRITER, url, name, str(patience)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            child.kill()


def line(child: subprocess.Popen[str]) -> str:
    """The next line that a child says."""
    assert child.stdout is not None
    return child.stdout.readline().strip()


def acknowledged(child: subprocess.Popen[str]) -> int:
    """Kills a child; how many batches it had been acknowledged."""
    child.kill()
    assert child.stdout is not None
    told = child.stdout.read().split("\n")[:-1]
    child.wait()
    assert child.returncode == -signal.SIGKILL
    return int(told[-1]) if told else 0


@pytest.mark.slow
def test_a_standby_takes_over_from_a_killed_writer_and_nothing_is_lost_or_double(postgres: str) -> None:
    told: dict[str, int] = {}
    with ExitStack() as stack:
        now = stack.enter_context(writer(postgres, "A", 0.0))
        assert line(now) == "writes"
        for before, name in (("A", "B"), ("B", "C"), ("C", "D")):
            following = stack.enter_context(writer(postgres, name, 60.0))
            time.sleep(0.8)
            told[before] = acknowledged(now)
            died = time.monotonic()
            assert line(following) == "writes"
            assert time.monotonic() - died < 10.0, "within seconds"
            now = following
        time.sleep(0.2)
        told["D"] = acknowledged(now)
    with journal(postgres) as reader:
        kept = [data.decode().split() for data in blobs(reader) if data]
        for name, count in told.items():
            numbers = [int(number) for who, number in kept if who == name]
            assert numbers == list(range(len(numbers))), "each once, in order"
            assert len(numbers) % 3 == 0, "a group commits together or not at all"
            assert len(numbers) >= count, "what was acknowledged is there"
        assert told["A"] > 0


def test_readers_that_tail_skip_nothing(postgres: str) -> None:
    """Three read while two take turns to write; each sees every number, in order, whenever it looks."""
    seen: list[list[int]] = [[], [], []]
    stop = threading.Event()

    def tail(mine: list[int]) -> None:
        with journal(postgres) as reader:
            while not stop.is_set():
                mine.extend(batch.seq for batch in reader.batches(mine[-1] if mine else 0))

    threads = [threading.Thread(target=tail, args=(mine,)) for mine in seen]
    with journal(postgres, "A", patience=20.0) as one, journal(postgres, "B", patience=20.0) as other:
        for thread in threads:
            thread.start()
        for number in range(40):
            mine = one if number % 2 else other
            mine.append([draft(b"x") for _ in range(number % 5 + 1)])
            mine._lease.drop()
        head = one.head()
        assert head is not None
        time.sleep(0.3)
        stop.set()
        for thread in threads:
            thread.join()
    with journal(postgres) as last:
        assert [batch.seq for batch in last.batches()] == list(range(1, head.seq + 1))
    for mine in seen:
        assert mine == list(range(1, head.seq + 1))


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
    before = threading.active_count()
    with journal(postgres) as one:
        one.append([draft(b"a")])
        assert threading.active_count() == before + 1
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert threading.active_count() == before

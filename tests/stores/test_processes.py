"""Several processes on one journal in PostgreSQL: killed writers, standbys, readers that tail."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest

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

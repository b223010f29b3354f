"""One suite for every journal: what the protocol promises, SQLite and memory alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from stocktwin.domain.errors import EnvironmentFault, JournalDamaged
from stocktwin.ledger.journal.blob import MAX_ROWS, conform, decode, encode, no_rejected, split
from stocktwin.ledger.journal.memory import MemoryJournal
from stocktwin.ledger.journal.postgres import PostgresJournal
from stocktwin.ledger.journal.protocol import GENESIS, BatchHeader, Journal, chain_hash, digest
from stocktwin.ledger.journal.sqlite import SqliteJournal
from stocktwin.tables.batch import Delivery
from stocktwin.tables.schema import TABLES

Draft = tuple[BatchHeader, bytes | None]


@pytest.fixture(params=["sqlite", "memory", "postgres"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    """An empty journal of each kind."""
    make: dict[str, Callable[[], Journal]] = {
        "sqlite": lambda: SqliteJournal(tmp_path / "journal.sqlite"),
        "memory": MemoryJournal,
        "postgres": lambda: PostgresJournal(request.getfixturevalue("postgres")),
    }
    opened = make[request.param]()
    yield opened
    opened.close()


def draft(data: bytes, record_time: int = 1, **header: object) -> Draft:
    """A batch to append, with its blob."""
    return replace(BatchHeader("facts", record_time, blob=digest(data)), **header), data  # type: ignore[arg-type]


def test_an_empty_journal(journal: Journal) -> None:
    assert journal.head() is None
    assert journal.batch(1) is None
    assert journal.batch(0) is None
    assert list(journal.batches()) == []
    assert journal.blob(1) is None
    assert journal.cursors() == {}


def test_what_was_appended_is_read_back_in_order(journal: Journal) -> None:
    header = BatchHeader(
        "facts", 7, table="items", source="erp", facts=2, rejected=1, replays=(5, 9), blob=digest(b"x")
    )
    (first,) = journal.append([(header, b"x")])
    second, third = journal.append([draft(b"y"), draft(b"z")])
    assert first.header == replace(header, seq=1)
    assert list(journal.batches()) == [first, second, third]
    assert list(journal.batches(2)) == [third]
    assert journal.batch(2) == second
    assert journal.head() == third
    assert [journal.blob(seq) for seq in (1, 2, 3, 4)] == [b"x", b"y", b"z", None]


def test_the_chain_runs_from_genesis_over_every_header(journal: Journal) -> None:
    journal.append([draft(b"a"), draft(b"b")])
    journal.append([draft(b"c")])
    previous = GENESIS
    for batch in journal.batches():
        assert batch.prev_hash == previous
        assert batch.text == batch.header.canonical()
        assert batch.hash == chain_hash(previous, batch.text)
        previous = batch.hash


def test_record_times_never_go_backwards(journal: Journal) -> None:
    journal.append([draft(b"a", 50)])
    journal.append([draft(b"b", 20), draft(b"c", 60), draft(b"d", 55)])
    assert [batch.header.record_time for batch in journal.batches()] == [50, 51, 60, 60]


def test_cursors_are_kept_per_source_and_file_and_an_empty_one_says_nothing(journal: Journal) -> None:
    journal.append([draft(b"a", source="erp", file="f", cursor="10"), draft(b"b", source="erp", file="f", cursor="20")])
    journal.append([draft(b"c", source="erp", file="f"), draft(b"d", source="wms", file="f", cursor="3")])
    assert journal.cursors() == {("erp", "f"): "20", ("wms", "f"): "3"}


def test_a_group_commits_together_or_not_at_all(journal: Journal) -> None:
    journal.append([draft(b"a", source="erp", file="f", cursor="1")])
    with pytest.raises((AttributeError, TypeError)):
        journal.append([draft(b"b", source="erp", file="f", cursor="2"), (None, b"broken")])  # type: ignore[list-item]
    assert [batch.seq for batch in journal.batches()] == [1]
    assert journal.blob(2) is None
    assert journal.cursors() == {("erp", "f"): "1"}
    assert [batch.seq for batch in journal.append([draft(b"c")])] == [2]


def test_a_batch_without_a_blob_of_its_own(journal: Journal) -> None:
    journal.append([draft(b"a"), (BatchHeader("facts", 1, same_as=1, blob=digest(b"a")), None)])
    assert journal.blob(2) is None
    assert [batch.seq for batch in journal.with_blob(digest(b"a"))] == [1], "only the one that holds the bytes"
    assert journal.with_blob(digest(b"b")) == []


def test_batches_of_another_journal_are_taken_over_as_they_are(journal: Journal) -> None:
    other = MemoryJournal()
    other.append([draft(b"a", source="erp", file="f", cursor="1"), draft(b"b"), draft(b"c", 9)])
    sealed = [(batch, other.blob(batch.seq)) for batch in other.batches()]
    journal.adopt(sealed[:2])
    with pytest.raises(JournalDamaged, match="batch 2"):
        journal.adopt(sealed[1:])
    with pytest.raises(JournalDamaged, match="batch 4"):
        journal.adopt([sealed[2], (replace(sealed[2][0], header=replace(sealed[2][0].header, seq=4)), b"x")])
    assert journal.head() == sealed[1][0], "all of a group or nothing"
    journal.adopt(sealed[2:])
    assert list(journal.batches()) == list(other.batches())
    assert [journal.blob(seq) for seq in (1, 2, 3)] == [b"a", b"b", b"c"]
    assert journal.cursors() == other.cursors()
    assert journal.append([draft(b"d")])[0].prev_hash == other.append([draft(b"d")])[0].prev_hash


def test_who_wrote_last_may_go_on(journal: Journal) -> None:
    journal.claim()
    journal.append([draft(b"a")])
    assert not journal.claim(), "nobody else has written"


def test_more_headers_than_a_page(journal: Journal) -> None:
    journal.append([draft(b"") for _ in range(1100)])
    assert [batch.seq for batch in journal.batches()] == list(range(1, 1101))


# ---- SQLite only: the file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal file with three batches, closed."""
    path = tmp_path / "journal.sqlite"
    journal = SqliteJournal(path)
    journal.append([draft(b"a", source="erp", file="f", cursor="1"), draft(b"b"), draft(b"c")])
    journal.close()
    return path


def test_a_reopened_file_goes_on_where_it_stopped(path: Path) -> None:
    journal = SqliteJournal(path)
    before = list(journal.batches())
    (fourth,) = journal.append([draft(b"d")])
    assert (len(before), fourth.seq, fourth.prev_hash) == (3, 4, before[-1].hash)
    assert journal.cursors() == {("erp", "f"): "1"}
    journal.close()


def test_the_file_is_as_durable_as_the_decision_says(path: Path) -> None:
    journal = SqliteJournal(path)
    assert journal._con.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert journal._con.execute("PRAGMA synchronous").fetchone() == (2,), "FULL"
    journal.close()


def test_a_second_reader_sees_only_whole_groups(path: Path) -> None:
    writer, reader = SqliteJournal(path), SqliteJournal(path)
    writer._con.execute("BEGIN IMMEDIATE")
    writer._insert(replace(writer.batch(3), header=replace(writer.batch(3).header, seq=4)), b"d")  # type: ignore[union-attr, type-var]
    assert reader.head().seq == 3  # type: ignore[union-attr]
    writer._con.execute("ROLLBACK")
    for journal in (writer, reader):
        journal.close()


def test_a_file_that_is_no_journal(tmp_path: Path) -> None:
    other = tmp_path / "journal.sqlite"
    other.write_bytes(b"this is no database" * 100)
    with pytest.raises(JournalDamaged, match="readable journal"):
        SqliteJournal(other)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="nowhere"):
        SqliteJournal(tmp_path / "nowhere" / "journal.sqlite")


# ---- blobs


def signals(count: int) -> pa.Table:
    """Facts that are cheap to make."""
    rows = pa.table({"name": ["s"] * count, "_row": pa.array(range(1, count + 1), pa.int64())})
    return conform("signals", rows)


def test_a_blob_gives_back_what_went_in_and_the_same_rows_give_the_same_bytes() -> None:
    facts = signals(3)
    data = encode(facts, no_rejected())
    back, rejected = decode(data, "signals")
    assert back.equals(facts)
    assert back.schema == TABLES["signals"].arrow_schema()
    assert rejected.num_rows == 0
    assert encode(pa.concat_tables([facts.slice(0, 1), facts.slice(1)]), no_rejected()) == data


def test_a_damaged_blob_is_named() -> None:
    with pytest.raises(JournalDamaged, match="batch 7"):
        decode(b"nonsense", "signals", where="batch 7")


def test_a_big_delivery_is_split_and_only_its_last_piece_carries_the_cursor() -> None:
    rows = MAX_ROWS + 1
    whole = Delivery("erp", "signals", "s.csv", signals(rows), no_rejected(), cursor="end", replays=(1,))
    pieces = [delivery for delivery, _ in split(whole)]
    assert len(pieces) == 2
    assert [piece.cursor for piece in pieces] == ["", "end"]
    assert [piece.replays for piece in pieces] == [(1,), ()]
    assert pa.concat_tables([piece.facts for piece in pieces]).equals(whole.facts)
    assert all(piece.facts.num_rows <= MAX_ROWS for piece in pieces)


def test_columns_beyond_the_schema_are_dropped_and_absent_ones_null(
    deliver: Callable[..., Delivery],
) -> None:
    table = conform("items", pa.table({"item_id": ["I"], "colour": ["red"], "_row": pa.array([1], pa.int64())}))
    assert table.schema == TABLES["items"].arrow_schema()
    assert table.equals(deliver("items", {"item_id": "I"}).facts)


def test_rejected_rows_of_older_journals_are_completed(deliver: Callable[..., Delivery]) -> None:
    one = {"row": 1, "line": 2, "column": "quantity", "value": "x", "reason": "not a number: 'x'", "raw": "{}"}
    delivery = deliver("movements", rejected=[one])
    old = delivery.rejected.drop_columns(["system", "state"])
    _, rejected = decode(encode(delivery.facts, old), "movements")
    assert rejected == delivery.rejected

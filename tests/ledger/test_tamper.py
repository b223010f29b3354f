"""Whoever edits, removes, reorders or cuts off what the journal holds is found out: at opening, by `verify`, or by a
head that was published."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from stocktwin.domain.errors import JournalDamaged, UsageError
from stocktwin.domain.ports import FixedClock
from stocktwin.ledger import invariants
from stocktwin.ledger.journal.head import Head, HeadMark, head_of, holds, parse_head
from stocktwin.ledger.journal.memory import MemoryJournal
from stocktwin.ledger.journal.protocol import GENESIS, BatchHeader, digest, seal
from stocktwin.ledger.journal.sqlite import SqliteJournal
from stocktwin.ledger.ledger import Ledger
from stocktwin.tables.batch import Delivery


@pytest.fixture
def path(tmp_path: Path, master: list[Delivery], clock: FixedClock) -> Path:
    """A closed journal of three batches of facts and a decision; its projection lies beside."""
    path = tmp_path / "journal.sqlite"
    told = [replace(delivery, cursor=str(number)) for number, delivery in enumerate(master)]
    with Ledger.open(SqliteJournal(path), tmp_path / "projection.duckdb", clock) as ledger:
        ledger.append(told)
        ledger.decide({"recommendation": "R-1", "decision": "approve", "by": "Maya"})
    return path


@pytest.fixture
def quick_laws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the laws that look at the journal."""
    laws = {name: invariants.LAWS[name] for name in ("chain", "exactly_once")}
    monkeypatch.setattr(invariants, "LAWS", laws)


def edit(path: Path, *statements: str) -> None:
    """Somebody edits the file behind our back."""
    con = sqlite3.connect(path)
    for sql in statements:
        con.execute(sql)
    con.commit()
    con.close()


AT_OPENING = {
    "an edited count": ("2", "UPDATE batches SET header = replace(header, '\"facts\":1', '\"facts\":9') WHERE seq = 2"),
    "another predecessor": ("2", "UPDATE batches SET prev_hash = hash WHERE seq = 2"),
    "another hash": ("3", "UPDATE batches SET hash = prev_hash WHERE seq = 3"),
    "no header": ("2", "UPDATE batches SET header = '{}' WHERE seq = 2"),
    "no JSON": ("2", "UPDATE batches SET header = 'x' WHERE seq = 2"),
    "another batch's header": (
        "2", "UPDATE batches SET header = (SELECT header FROM batches WHERE seq = 1) WHERE seq = 2"),
    "another blob's digest": ("2", "UPDATE batches SET blob_sha256 = hash WHERE seq = 2"),
    "a batch removed": ("3", "DELETE FROM batches WHERE seq = 2"),
    "the first removed": ("2", "DELETE FROM batches WHERE seq = 1"),
    "an edited decision": ("4", "UPDATE batches SET header = replace(header, 'decision', 'facts') WHERE seq = 4"),
    "the last removed": ("batch 4 was acknowledged; the journal ends at batch 3", "DELETE FROM batches WHERE seq = 4"),
    "an edited cursor": ("the cursor of erp units.csv", "UPDATE cursors SET cursor = '9' WHERE file = 'units.csv'"),
    "a cursor of another batch": (
        "the cursor of erp units.csv", "UPDATE cursors SET seq = 3 WHERE file = 'units.csv'"),
}  # fmt: skip


@pytest.mark.parametrize("what", AT_OPENING)
def test_opening_finds(path: Path, what: str) -> None:
    named, sql = AT_OPENING[what]
    edit(path, sql)
    with pytest.raises(JournalDamaged, match=f"batch {named}" if named.isdigit() else named) as damage:
        SqliteJournal(path)
    assert "journal restore" in str(damage.value)


def test_opening_finds_batches_in_another_order(path: Path) -> None:
    edit(path, "UPDATE batches SET seq = 20 WHERE seq = 2", "UPDATE batches SET seq = 2 WHERE seq = 3",
         "UPDATE batches SET seq = 3 WHERE seq = 20")  # fmt: skip
    with pytest.raises(JournalDamaged, match="batch 2"):
        SqliteJournal(path)


BY_VERIFY = {
    "an edited blob": ("chain", "batch 2", "UPDATE blobs SET data = x'00' WHERE seq = 2"),
    "a removed blob": ("chain", "batch 2", "DELETE FROM blobs WHERE seq = 2"),
    "swapped blobs": (
        "chain", "batch 1", "UPDATE blobs SET data = (SELECT data FROM blobs b WHERE b.seq = 4 - blobs.seq) "
        "WHERE seq IN (1, 3)"),
    "an edited decision": (
        "chain", "batch 4", "UPDATE blobs SET data = CAST(replace(CAST(data AS TEXT), 'Maya', 'Otto') AS BLOB) "
        "WHERE seq = 4"),
    "a removed cursor": ("exactly_once", "cursor", "DELETE FROM cursors WHERE file = 'units.csv'"),
}  # fmt: skip


@pytest.mark.parametrize("what", BY_VERIFY)
def test_verify_finds(path: Path, tmp_path: Path, clock: FixedClock, what: str, quick_laws: None) -> None:
    law, named, sql = BY_VERIFY[what]
    edit(path, sql)
    with Ledger.open(SqliteJournal(path), tmp_path / "projection.duckdb", clock) as ledger:
        broken = {verdict.law: verdict.detail for verdict in ledger.verify() if not verdict.ok}
    assert list(broken) == [law]
    assert named in broken[law]


def forge(path: Path, journal: SqliteJournal) -> None:
    """Somebody who knows how: edits batch 2 and seals everything after it anew."""
    old = list(journal.batches())
    headers = [replace(batch.header, source="forged" if batch.seq == 2 else batch.header.source) for batch in old]
    for new in seal(headers, None):
        con = journal._con
        con.execute("UPDATE batches SET header = ?, prev_hash = ?, hash = ? WHERE seq = ?",
                    (new.text, new.prev_hash, new.hash, new.seq))  # fmt: skip
    journal._con.execute("UPDATE cursors SET source = 'forged' WHERE seq = 2")
    HeadMark(path).path.unlink()
    journal.close()


def test_a_forged_chain_is_sound_in_itself_and_found_by_a_published_head(path: Path) -> None:
    journal = SqliteJournal(path)
    published = [head_of(journal.batch(seq)) for seq in (1, 2, 4)]
    forge(path, journal)
    journal = SqliteJournal(path)
    assert [holds(journal, head)[0] for head in published] == [True, False, False]
    assert "batch 4 is not the one" in holds(journal, published[2])[1]
    journal.close()


def test_a_journal_cut_short_is_found_by_a_published_head(path: Path) -> None:
    journal = SqliteJournal(path)
    published = head_of(journal.head())
    assert holds(journal, published) == (True, "batch 4 is the published one; 0 followed")
    journal.close()
    edit(path, "DELETE FROM batches WHERE seq = 4", "DELETE FROM blobs WHERE seq = 4")
    HeadMark(path).path.unlink()
    journal = SqliteJournal(path)
    assert holds(journal, published) == (False, "batch 4 was published; the journal ends at batch 3")
    journal.close()


def test_what_follows_does_not_matter_to_a_published_head() -> None:
    journal = MemoryJournal()
    empty = head_of(journal.head())
    assert empty == Head(0, GENESIS)
    (first,) = journal.append([(BatchHeader("facts", 1, blob=digest(b"a")), b"a")])
    journal.append([(BatchHeader("facts", 1, blob=digest(b"b")), b"b")])
    assert holds(journal, empty)[0]
    assert holds(journal, head_of(first)) == (True, "batch 1 is the published one; 1 followed")
    assert not holds(journal, Head(0, "1" * 64))[0]


@pytest.mark.parametrize("text", ["", "7", "x:" + "a" * 64, "7:" + "g" * 64, "7:abc", "-1:" + "a" * 64])
def test_what_is_no_head_is_named(text: str) -> None:
    with pytest.raises(UsageError, match="SEQ:HASH"):
        parse_head(text)


# ---- the note beside the file


def test_the_note_is_the_last_batch_and_a_damaged_one_says_nothing(path: Path) -> None:
    mark = HeadMark(path)
    noted = mark.read()
    journal = SqliteJournal(path)
    assert noted == head_of(journal.head())
    journal.close()
    data = mark.path.read_bytes()
    for place in range(len(data)):
        for bit in range(8):
            mark.path.write_bytes(data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :])
            assert mark.read() in (None, noted)
    SqliteJournal(path).close()


def test_a_note_older_than_the_journal_is_no_damage(path: Path) -> None:
    journal = SqliteJournal(path)
    HeadMark(path).write(head_of(journal.batch(2)))
    journal.close()
    SqliteJournal(path).close()

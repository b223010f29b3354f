"""Copies of a journal are whole and checked; a backup put back loses nothing sound and leaves no half state."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from stocktwin.domain.errors import EnvironmentFault, JournalDamaged, UsageError
from stocktwin.ledger.journal import restoring
from stocktwin.ledger.journal.copying import back_up, copy, survey
from stocktwin.ledger.journal.memory import MemoryJournal
from stocktwin.ledger.journal.postgres import PostgresJournal
from stocktwin.ledger.journal.protocol import BatchHeader, Journal, digest
from stocktwin.ledger.journal.sqlite import SqliteJournal

Draft = tuple[BatchHeader, bytes | None]


def draft(data: bytes, **header: object) -> Draft:
    """A batch to append, with its blob."""
    return BatchHeader("facts", 1, blob=digest(data), **header), data  # type: ignore[arg-type]


def fill(journal: Journal, batches: int, name: str = "b") -> None:
    """Appends batches, each with a cursor; every third says only that it repeats the first."""
    for number in range(batches):
        data = f"{name}{number}".encode()
        drafts = [draft(data, source="erp", file="f", cursor=str(number))]
        if number % 3 == 2:
            drafts.append((BatchHeader("facts", 1, same_as=1, blob=digest(f"{name}0".encode())), None))
        journal.append(drafts)


def same(one: Journal, other: Journal) -> bool:
    """Whether two journals hold the same, blobs and cursors too."""
    seqs = [batch.seq for batch in one.batches()]
    return (
        list(one.batches()) == list(other.batches())
        and [one.blob(seq) for seq in seqs] == [other.blob(seq) for seq in seqs]
        and one.cursors() == other.cursors()
    )


def edit(path: Path, sql: str) -> None:
    """Somebody edits the file behind our back."""
    with closing(sqlite3.connect(path)) as con:
        con.execute(sql)
        con.commit()


@pytest.fixture(params=["sqlite", "memory", "postgres"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Journal]]:
    """Makes an empty journal of each kind."""
    made: list[Journal] = []

    def one() -> Journal:
        number = len(made)
        if request.param == "sqlite":
            made.append(SqliteJournal(tmp_path / f"{number}.sqlite"))
        elif request.param == "postgres":
            made.append(PostgresJournal(f"{request.getfixturevalue('postgres')}{number}"))
        else:
            made.append(MemoryJournal())
        return made[-1]

    yield one
    for journal in made:
        journal.close()


# ---- copies


def test_a_copy_is_the_same_and_can_be_continued(make: Callable[[], Journal], tmp_path: Path) -> None:
    source, target = make(), make()
    fill(source, 7)
    assert copy(source, target) == 9
    assert same(source, target)
    assert copy(source, target) == 0
    fill(source, 4, "c")
    assert copy(source, target, until=10) == 1
    assert copy(source, target) == 4
    assert same(source, target)


def test_a_journal_is_not_copied_over_another(make: Callable[[], Journal]) -> None:
    source, target = make(), make()
    fill(source, 5)
    fill(target, 3, "other")
    with pytest.raises(UsageError, match="another journal"):
        copy(source, target)
    with pytest.raises(UsageError, match="or more than this one"):
        copy(make(), source)


def test_a_backup_is_one_file_that_stands_alone(make: Callable[[], Journal], tmp_path: Path) -> None:
    source, file = make(), tmp_path / "backups" / "one.sqlite"
    fill(source, 7)
    head = back_up(source, file)
    assert [path.name for path in file.parent.iterdir()] == ["one.sqlite"]
    file.chmod(0o444)
    with closing(SqliteJournal(file, reading=True)) as kept:
        assert same(source, kept)
        assert head.hash == kept.head().hash  # type: ignore[union-attr]
    file.chmod(0o644)
    fill(source, 4, "c")
    back_up(source, file)
    with closing(SqliteJournal(file, reading=True)) as kept:
        assert same(source, kept)
    assert [path.name for path in file.parent.iterdir()] == ["one.sqlite"]


def test_a_backup_while_the_journal_is_written_is_a_beginning_of_it(
    make: Callable[[], Journal], tmp_path: Path
) -> None:
    source, stop = make(), threading.Event()
    fill(source, 30)

    def write() -> None:
        while not stop.wait(0.005):
            fill(source, 3, "more")

    writer = threading.Thread(target=write)
    writer.start()
    heads = [back_up(source, tmp_path / f"{number}-kept.sqlite") for number in range(5)]
    stop.set()
    writer.join()
    for number, head in enumerate(heads):
        with closing(SqliteJournal(tmp_path / f"{number}-kept.sqlite", reading=True)) as kept:
            assert [batch.hash for batch in kept.batches()] == [b.hash for b in source.batches() if b.seq <= head.seq]
            assert not survey(kept).problem
    assert heads[0].seq >= 40


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A journal file of 9 batches; the blob of batch 5 is not the one it was sealed with."""
    path = tmp_path / "journal.sqlite"
    with closing(SqliteJournal(path)) as journal:
        fill(journal, 7)
    edit(path, "UPDATE blobs SET data = x'00' WHERE seq = 5")
    return path


def test_no_backup_is_made_of_what_does_not_hold_together(damaged: Path, tmp_path: Path) -> None:
    file = tmp_path / "kept" / "one.sqlite"
    with closing(SqliteJournal(damaged)) as source, pytest.raises(JournalDamaged, match="batch 5"):
        back_up(source, file)
    assert list(file.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("sql", "sound", "told"),
    [
        ("UPDATE blobs SET data = x'00' WHERE seq = 5", 4, "batch 5: its blob is not"),
        ("DELETE FROM blobs WHERE seq = 5", 4, "batch 5: its blob is missing"),
        ("DELETE FROM batches WHERE seq = 5", 4, "batch 5 is missing"),
        ("UPDATE batches SET header = replace(header, '\"seq\":3', '\"seq\":4') WHERE seq = 3", 2, "batch 3"),
        ("UPDATE batches SET hash = prev_hash WHERE seq = 9", 8, "batch 9"),
        ("UPDATE batches SET prev_hash = hash WHERE seq = 1", 0, "batch 1"),
    ],
)
def test_a_survey_names_the_first_batch_that_is_not_sound(tmp_path: Path, sql: str, sound: int, told: str) -> None:
    path = tmp_path / "journal.sqlite"
    with closing(SqliteJournal(path)) as journal:
        fill(journal, 7)
    edit(path, sql)
    with closing(SqliteJournal(path, reading=True)) as journal:
        found = survey(journal)
    assert found.sound.seq == sound
    assert told in found.problem


def test_a_file_that_is_only_read_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="nothing"):
        SqliteJournal(tmp_path / "nothing.sqlite", reading=True).head()
    assert list(tmp_path.iterdir()) == []


# ---- a file in the place of another


class Interrupted(Exception):
    """The machine stops here."""


def test_a_restore_that_is_interrupted_anywhere_is_the_old_journal_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped before each rename in turn, then completed by the next opening."""
    renames, seen, killed = 0, set(), tmp_path / "killed"
    (tmp_path / "old").mkdir()
    with closing(SqliteJournal(tmp_path / "old" / "journal.sqlite")) as old:
        fill(old, 4)
        shutil.copytree(tmp_path / "old", killed)  # as a kill leaves it, with its log beside
    assert (killed / "journal.sqlite-wal").stat().st_size > 0
    while True:
        folder = tmp_path / str(renames)
        shutil.copytree(killed, folder)
        path = folder / "journal.sqlite"
        built = restoring.building(path)
        fill(built, 8)
        left = renames
        replace = Path.replace

        def counted(self: Path, target: Path, replace: Callable[..., Path] = replace) -> Path:
            nonlocal left
            if left == 0:
                raise Interrupted
            left -= 1
            return replace(self, target)

        with monkeypatch.context() as patched:
            patched.setattr(Path, "replace", counted)
            try:
                restoring.commit(built, path)
                restoring.finish(path)
                done = True
            except Interrupted:
                done = False
        restoring.finish(path)
        with closing(SqliteJournal(path)) as now:
            head = now.head()
            assert head is not None
            assert head.seq == (5 if renames == 0 else 10), "before the first rename nothing has happened"
            assert not survey(now).problem
            seen.add(head.seq)
            now.append([draft(b"goes on")])
        if done:
            break
        renames += 1
    assert seen == {5, 10}
    assert renames >= 3

"""The projection is disposable: whatever happens to its file, it comes back from the journal by itself."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from stocktwin.domain.calendar import parse_instant
from stocktwin.domain.errors import EnvironmentFault
from stocktwin.domain.ports import FixedClock
from stocktwin.ledger import projection as module
from stocktwin.ledger.journal.sqlite import SqliteJournal
from stocktwin.ledger.ledger import Ledger
from stocktwin.tables.batch import Delivery

Deliver = Callable[..., Delivery]
Make = Callable[..., dict[str, Any]]
Open = Callable[[], Ledger]
Answer = tuple[str, dict[str, Any]]
NOW = parse_instant("2025-03-06T08:00:00Z")


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, master: list[Delivery], deliver: Deliver, move: Make
) -> tuple[Path, Answer]:
    """The folder of a closed twin of a hundred movements, and what it answered."""
    folder = tmp_path_factory.mktemp("made")
    rows = [move(str(n), "receipt", n, n / 10, to_id="D1") for n in range(1, 100)]
    with Ledger.open(SqliteJournal(folder / "journal.sqlite"), folder / "projection.duckdb", FixedClock(NOW)) as ledger:
        ledger.append([*master, deliver("movements", *rows, move("odd", "receipt", 1, item_id="X", to_id="D1"))])
        return folder, say(ledger)


@pytest.fixture
def answer(made: tuple[Path, Answer], tmp_path: Path) -> Answer:
    """What the closed twin answered that lies in the test's own folder."""
    folder, said = made
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return said


@pytest.fixture
def reopen(answer: Answer, tmp_path: Path) -> Open:
    """Opens the twin in the test's folder."""
    journal, projection = tmp_path / "journal.sqlite", tmp_path / "projection.duckdb"
    return lambda: Ledger.open(SqliteJournal(journal), projection, FixedClock(NOW))


def say(ledger: Ledger) -> Answer:
    """All that a ledger says about itself, and its balances."""
    balances = ledger.balances(stocking_only=False).to_pylist()
    return ledger.state_hash, {"status": ledger.status(), "balances": balances, "held": ledger.quarantine().to_pylist()}


def mark(ledger: Ledger) -> bool:
    """Whether the projection is the one that was marked before; marks it."""
    con = ledger._projection.con
    found = bool(con.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'marked'").fetchall())
    con.execute("CREATE TABLE IF NOT EXISTS marked (x INTEGER)")
    return found


def test_a_sound_projection_is_kept(reopen: Open, answer: Answer) -> None:
    for expected in (False, True):
        with reopen() as ledger:
            assert mark(ledger) is expected
            assert say(ledger) == answer


def damage_delete(path: Path) -> None:
    path.unlink()


def damage_empty(path: Path) -> None:
    path.write_bytes(b"")


def damage_truncate(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 3])


def damage_text(path: Path) -> None:
    path.write_text("this is no database\n" * 500)


def damage_header(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:12288] = bytes(byte ^ 0x5A for byte in data[4096:12288])
    path.write_bytes(data)


def damage_bits(path: Path) -> None:
    """One bit of every 4 KiB, somewhere."""
    data, chance = bytearray(path.read_bytes()), random.Random(7)
    for start in range(0, len(data), 4096):
        data[start + chance.randrange(min(4096, len(data) - start))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def damage_wal(path: Path) -> None:
    path.with_name(path.name + ".wal").write_bytes(b"nonsense" * 100)


DAMAGES = [damage_delete, damage_empty, damage_truncate, damage_text, damage_header, damage_bits, damage_wal]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_projection_heals(
    reopen: Open, answer: Answer, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    damage(tmp_path / "projection.duckdb")
    with reopen() as ledger:
        assert say(ledger) == answer


@pytest.mark.parametrize("seed", range(3))
def test_a_flipped_bit_is_either_harmless_or_healed(reopen: Open, answer: Answer, tmp_path: Path, seed: int) -> None:
    path, chance = tmp_path / "projection.duckdb", random.Random(seed)
    data = bytearray(path.read_bytes())
    for _ in range(5):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(3)
    path.write_bytes(data)
    with reopen() as ledger:
        assert say(ledger) == answer
    with reopen() as ledger:
        assert say(ledger) == answer
    assert sorted(file.name for file in tmp_path.iterdir() if "projection" in file.name) == ["projection.duckdb"]


def test_damage_found_while_writing_heals_and_takes_the_delivery_once(
    reopen: Open, answer: Answer, deliver: Deliver, move: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage = iter([RuntimeError("Corrupt database file: computed checksum")])
    whole = Ledger._apply

    def damaged(self: Ledger, *given: Any) -> None:
        for error in damage:
            raise error
        whole(self, *given)

    with reopen() as ledger:
        monkeypatch.setattr(Ledger, "_apply", damaged)
        result = ledger.append([deliver("movements", move("late", "sale", 4, from_id="D1"))])
        assert (result.delivered, result.accepted, result.head) == (1, 1, 5)
        assert ledger._projection.path != ledger._projection._home, "it was folded anew beside the damaged one"
        expected = say(ledger)
        assert [law for law in ledger.verify() if not law.ok] == []
    with reopen() as ledger:
        assert not mark(ledger)
        assert say(ledger) == expected


@pytest.mark.parametrize("other", ["older code", "another journal", "shorter journal"])
def test_a_projection_that_does_not_fit_is_folded_anew(
    reopen: Open,
    answer: Answer,
    tmp_path: Path,
    other: str,
    deliver: Deliver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with reopen() as ledger:
        mark(ledger)
    expected = answer
    if other == "older code":
        monkeypatch.setattr(module, "fold_version", lambda: "a later version")
    else:
        for file in tmp_path.glob("journal.sqlite*"):
            file.unlink()
        with Ledger.open(SqliteJournal(tmp_path / "journal.sqlite")) as fresh:
            batches = 1 if other == "shorter journal" else 9
            fresh.append([deliver("items", {"item_id": f"N{n}"}) for n in range(batches)])
            expected = say(fresh)
    with reopen() as ledger:
        assert not mark(ledger)
        assert ledger.state_hash == expected[0]
        assert ledger.quarantine().to_pylist() == expected[1]["held"]


def test_batches_that_the_projection_has_not_seen_are_folded_in(
    reopen: Open, answer: Answer, tmp_path: Path, deliver: Deliver, move: Make
) -> None:
    """A crash between the journal's commit and the projection's."""
    with reopen() as ledger:
        mark(ledger)
    late = deliver("movements", move("late", "sale", 4, from_id="D1"))
    with Ledger.open(SqliteJournal(tmp_path / "journal.sqlite"), None, FixedClock(NOW)) as elsewhere:
        elsewhere.append([late])
        expected = say(elsewhere)
    with reopen() as ledger:
        assert mark(ledger)
        assert say(ledger) == expected != answer


def test_a_fold_that_fails_leaves_the_projection_as_it_was(
    reopen: Open, answer: Answer, deliver: Deliver, move: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale = deliver("movements", move("late", "sale", 4, from_id="D1"))
    with reopen() as ledger:
        before = ledger.head
        with monkeypatch.context() as patch:
            patch.setattr("stocktwin.ledger.accept.book", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                ledger.append([sale])
        assert (ledger.head, ledger.state_hash) == (before, answer[0])
    with reopen() as ledger:
        assert ledger.head == before + 1, "it was in the journal"
        assert [law for law in ledger.verify() if not law.ok] == []


def test_what_a_failed_fold_left_out_is_folded_with_the_next_delivery(
    reopen: Open, answer: Answer, deliver: Deliver, move: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (deliver("movements", move(name, "sale", 4, from_id="D1")) for name in ("late", "later"))
    with reopen() as ledger:
        before = ledger.head
        with monkeypatch.context() as patch:
            patch.setattr("stocktwin.ledger.accept.book", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                ledger.append([first])
        ledger.append([second])
        assert ledger.head == before + 2
        assert {"late", "later"} <= set(ledger.rows("movements").column("event_id").to_pylist())


def test_while_it_is_folded_anew_nobody_reads_half_of_it(
    reopen: Open, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = duckdb.IOException("IO Error: Could not write file: No space left on device")
    with reopen() as ledger:
        with monkeypatch.context() as patch:
            patch.setattr(module.Projection, "commit", lambda self: (_ for _ in ()).throw(full))
            for _ in range(2):
                with pytest.raises(EnvironmentFault, match=r"projection\.duckdb.*No space left"):
                    ledger._heal(ledger._projection)
                with pytest.raises(EnvironmentFault, match="No space left"):
                    ledger.balances()
        assert say(ledger) == answer, "there is room again"


FORBIDDEN = [
    "SELECT * FROM read_csv('{file}')",
    "SELECT * FROM '{file}'",
    "SELECT * FROM read_text('{file}')",
    "COPY item TO '{file}'",
    "ATTACH '{file}' AS other",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "SET threads = 1",
    "EXPORT DATABASE '{file}.d'",
]


def test_the_database_is_locked_down(ledger: Ledger, tmp_path: Path) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("a\n1\n")
    for sql in FORBIDDEN:
        with pytest.raises(duckdb.Error):
            ledger._projection.cursor().execute(sql.format(file=file)).fetchall()
    assert file.read_text() == "a\n1\n"
    assert list(tmp_path.iterdir()) == [file]

"""The projection is disposable: whatever happens to its file, it comes back from the journal by itself."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from stocktwin.domain.ports import FixedClock
from stocktwin.ledger import projection as module
from stocktwin.ledger.journal.sqlite import SqliteJournal
from stocktwin.ledger.ledger import Ledger
from stocktwin.tables.batch import Delivery

Deliver = Callable[..., Delivery]
Make = Callable[..., dict[str, Any]]
Open = Callable[[], Ledger]


@pytest.fixture
def reopen(tmp_path: Path, clock: FixedClock) -> Open:
    """Opens the twin in the test's folder."""
    return lambda: Ledger.open(SqliteJournal(tmp_path / "journal.sqlite"), tmp_path / "projection.duckdb", clock)


@pytest.fixture
def answer(reopen: Open, master: list[Delivery], deliver: Deliver, move: Make) -> tuple[str, dict[str, Any]]:
    """What a closed twin of a hundred movements answered."""
    rows = [move(str(n), "receipt", n, n / 10, to_id="D1") for n in range(1, 100)]
    with reopen() as ledger:
        ledger.append([*master, deliver("movements", *rows, move("odd", "receipt", 1, item_id="X", to_id="D1"))])
        return say(ledger)


def say(ledger: Ledger) -> tuple[str, dict[str, Any]]:
    """All that a ledger says about itself, and its balances."""
    balances = ledger.balances(stocking_only=False).to_pylist()
    return ledger.state_hash, {"status": ledger.status(), "balances": balances, "held": ledger.quarantine().to_pylist()}


def mark(ledger: Ledger) -> bool:
    """Whether the projection is the one that was marked before; marks it."""
    con = ledger._projection.con
    found = bool(con.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'marked'").fetchall())
    con.execute("CREATE TABLE IF NOT EXISTS marked (x INTEGER)")
    return found


def test_a_sound_projection_is_kept(reopen: Open, answer: tuple[str, dict[str, Any]]) -> None:
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
    reopen: Open, answer: tuple[str, dict[str, Any]], tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    damage(tmp_path / "projection.duckdb")
    with reopen() as ledger:
        assert say(ledger) == answer
        assert [law for law in ledger.verify() if not law.ok] == []


@pytest.mark.parametrize("other", ["older code", "another journal", "shorter journal"])
def test_a_projection_that_does_not_fit_is_folded_anew(
    reopen: Open,
    answer: tuple[str, dict[str, Any]],
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
    reopen: Open, answer: tuple[str, dict[str, Any]], tmp_path: Path, deliver: Deliver, move: Make, clock: FixedClock
) -> None:
    """A crash between the journal's commit and the projection's."""
    with reopen() as ledger:
        mark(ledger)
    late = deliver("movements", move("late", "sale", 4, from_id="D1"))
    with Ledger.open(SqliteJournal(tmp_path / "journal.sqlite"), None, clock) as elsewhere:
        elsewhere.append([late])
        expected = say(elsewhere)
    with reopen() as ledger:
        assert mark(ledger)
        assert say(ledger) == expected != answer


def test_a_fold_that_fails_leaves_the_projection_as_it_was(
    reopen: Open, answer: tuple[str, dict[str, Any]], deliver: Deliver, move: Make, monkeypatch: pytest.MonkeyPatch
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


@pytest.mark.parametrize(
    "sql",
    [
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
    ],
)
def test_the_database_is_locked_down(ledger: Ledger, tmp_path: Path, sql: str) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("a\n1\n")
    with pytest.raises(duckdb.Error):
        ledger._projection.cursor().execute(sql.format(file=file)).fetchall()
    assert file.read_text() == "a\n1\n"

"""The live state beside the projection: a start continues it, and one that is wrong is as if it were not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stocktwin.domain.calendar import MICROSECONDS_PER_DAY, parse_instant
from stocktwin.domain.ports import FixedClock
from stocktwin.domain.rules import Rules
from stocktwin.ledger import balances as balance_query
from stocktwin.ledger import dense, live, live_file
from stocktwin.ledger.balances import balances
from stocktwin.ledger.books import make_view
from stocktwin.ledger.journal.sqlite import SqliteJournal
from stocktwin.ledger.ledger import Ledger
from stocktwin.tables.batch import Delivery

Deliver = Callable[..., Delivery]
Make = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few items are many here."""
    monkeypatch.setattr(live, "MANY", 1.0)
    monkeypatch.setattr(balance_query, "MANY_MOVEMENTS", 0)


@contextmanager
def opened(folder: Path, day: int = 20) -> Iterator[Ledger]:
    clock = FixedClock(parse_instant("2025-03-03T08:00:00Z") + day * MICROSECONDS_PER_DAY)
    with Ledger.open(SqliteJournal(folder / "journal.sqlite"), folder / "projection.duckdb", clock) as ledger:
        yield ledger


@pytest.fixture
def kept(tmp_path: Path, master: list[Delivery], deliver: Deliver, move: Make) -> Path:
    """A twin that was closed with its live state kept."""
    rows = [move("r", "receipt", 9, to_id="D1", lot="L"), move("s", "sale", 2, 3, from_id="D1", owner="they")]
    with opened(tmp_path) as ledger:
        ledger.append([*master, deliver("movements", *rows)])
        ledger.balances()
    assert (tmp_path / "projection.duckdb.live").exists()
    return tmp_path


@pytest.fixture
def folds(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Views that were added up from nothing."""
    views: list[Any] = []
    plain = dense.fold

    def fold(con: Any, view: Any) -> Any:
        views.append(view)
        return plain(con, view)

    monkeypatch.setattr(dense, "fold", fold)
    return views


def agrees(ledger: Ledger) -> bool:
    """Whether the answer is what SQL adds up."""
    told = ledger.balances(stocking_only=False)
    return told.num_rows > 2 and bool(told.equals(balances(ledger._projection.cursor(), stocking_only=False)))


def test_a_start_continues_it(kept: Path, deliver: Deliver, move: Make, folds: list[Any]) -> None:
    with opened(kept) as ledger:
        assert agrees(ledger)
    with opened(kept, 21) as ledger:
        ledger.append([deliver("movements", move("t", "sale", 4, 5, from_id="D2"), file="more.csv")])
        assert agrees(ledger)
    with opened(kept, 22) as ledger:
        assert agrees(ledger)
    assert folds == []


def test_any_damage_is_seen(kept: Path, folds: list[Any]) -> None:
    path = kept / "projection.duckdb.live"
    whole = path.read_bytes()
    head = whole.index(b"\n")
    spots = [head // 2, head, *range(head + 1, len(whole), max((len(whole) - head) // 12, 1))]
    damaged = [whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :] for at in spots]
    for content in [*damaged, whole[: len(whole) // 2], b"", b"\n", b"{}\n"]:
        path.write_bytes(content)
        before = len(folds)
        with opened(kept) as ledger:
            assert agrees(ledger)
        assert len(folds) == before + 1


def test_it_is_used_only_where_it_continues(kept: Path, tmp_path: Path, folds: list[Any], deliver: Deliver,
                                            master: list[Delivery], move: Make) -> None:  # fmt: skip
    """Other rules, other code, another journal: as if it were not there."""
    with opened(kept, 21) as ledger:
        ledger.configure(Rules(opening={"erp": "snapshot"}))
        assert agrees(ledger)
    assert len(folds) == 1
    other = tmp_path / "other"
    other.mkdir()
    with opened(other, 21) as ledger:
        ledger.append([*master, deliver("movements", move("x", "receipt", 9, to_id="D1"))])
        ledger.append([deliver("movements", move("y", "sale", 8, from_id="D2", lot="M"), file="y.csv")])
        (other / "projection.duckdb.live").write_bytes((kept / "projection.duckdb.live").read_bytes())
        assert agrees(ledger)
    assert len(folds) == 2
    with opened(kept, 22) as ledger:
        con = ledger._projection.cursor()
        states = ledger._projection.live
        assert states.path is not None
        found = live_file.read(con, states.path, states._version, make_view(con))
        assert found is not None
        assert live_file.read(con, states.path, "other code", make_view(con)) is None


def test_without_room_it_is_not_written(tmp_path: Path, master: list[Delivery], deliver: Deliver, move: Make,
                                        monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    with opened(tmp_path) as ledger:
        ledger.append([*master, deliver("movements", move("r", "receipt", 9, to_id="D1"))])
        ledger.balances()

        def full(*given: Any) -> None:
            raise OSError("No space left on device")

        monkeypatch.setattr("os.replace", full)
    assert [path.name for path in tmp_path.iterdir() if "live" in path.name] == []


def test_it_is_a_law_that_it_is_what_sql_adds_up(kept: Path) -> None:
    with opened(kept) as ledger:
        (law,) = [law for law in ledger.verify() if law.law == "live_state"]
        assert (law.ok, law.detail) == (True, "1 of them compared")
        with ledger._projection.live.standing(ledger._projection.cursor(), None) as state:
            state.accounts.columns.quantity[0] += 1
        (law,) = [law for law in ledger.verify() if law.law == "live_state"]
        assert (law.ok, law.detail) == (False, "1 of them compared; different: the record")

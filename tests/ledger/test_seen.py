"""The index of keys beside the projection: used when it fits, made anew when it does not, never wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stocktwin.domain.ports import FixedClock
from stocktwin.ledger import keyfile, seen
from stocktwin.ledger.journal.memory import MemoryJournal
from stocktwin.ledger.ledger import Ledger
from stocktwin.tables.batch import Delivery

Deliver = Callable[..., Delivery]
Move = Callable[..., dict[str, Any]]
Reopen = Callable[[], Ledger]


class Kept(MemoryJournal):
    """A journal that outlives its ledger."""

    def close(self) -> None:
        pass


@pytest.fixture
def reopened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: FixedClock) -> Iterator[Reopen]:
    """Closes the ledger over one journal and file, and opens it again; everything is much, and large."""
    monkeypatch.setattr(seen, "SMALL", 0)
    monkeypatch.setattr(seen, "MUCH", 0)
    journal, last = Kept(), list[Ledger]()

    def again() -> Ledger:
        for ledger in last:
            ledger.close()
        last[:] = [Ledger.open(journal, tmp_path / "projection.duckdb", clock)]
        return last[0]

    yield again
    for ledger in last:
        ledger.close()


def sales(deliver: Deliver, move: Move, *names: str) -> Delivery:
    return deliver("movements", *(move(name, "sale", 1, from_id="D1") for name in names))


def counted(ledger: Ledger, delivery: Delivery) -> tuple[int, int]:
    """Accepted and duplicates of a delivery."""
    taken = ledger.append([delivery])
    return taken.accepted, taken.duplicates


def file_of(folder: Path) -> Path:
    return keyfile.path_of(folder / "projection.duckdb", "movements")


def test_it_is_kept_and_read_again(
    reopened: Reopen,
    deliver: Deliver,
    move: Move,
    master: list[Delivery],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What came before the file was written and what came since, without an index, is known."""
    ledger = reopened()
    ledger.append([*master, sales(deliver, move, "a", "b")])
    assert counted(ledger, sales(deliver, move, "c")) == (1, 0)
    ledger = reopened()
    assert file_of(tmp_path).exists()
    monkeypatch.setattr(seen, "SMALL", 99)  # no index this time, and none is written
    assert counted(ledger, sales(deliver, move, "d")) == (1, 0)
    before = file_of(tmp_path).read_bytes()
    ledger = reopened()
    monkeypatch.setattr(seen, "SMALL", 0)
    assert counted(ledger, sales(deliver, move, "a", "c", "d", "e")) == (1, 3)
    index = ledger._projection.seen.index(ledger._projection.con, "movements", 1)
    assert index is not None
    assert len(index) == 5
    assert file_of(tmp_path).read_bytes() == before, "reading and adding does not change the file"


@pytest.mark.parametrize("damage", ["flipped", "cut", "another birth", "another fact", "no file", "no JSON"])
def test_a_file_that_does_not_fit_is_not_used(
    reopened: Reopen, deliver: Deliver, move: Move, master: list[Delivery], tmp_path: Path, damage: str
) -> None:
    """Then the index is made from the facts."""
    ledger = reopened()
    ledger.append([*master, sales(deliver, move, "a", "b")])
    ledger.append([sales(deliver, move, "c")])
    birth = ledger._projection.watermark()[2].partition(":")[2]
    reopened()
    path = file_of(tmp_path)
    kept = keyfile.read(path, birth)
    assert kept is not None
    assert (kept.facts, kept.count) == (3, 3)
    data = path.read_bytes()
    at = keyfile.HEADER_BYTES + 8 * int(np.flatnonzero(kept.slots)[0])
    path.write_bytes({
        "flipped": data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :],
        "cut": data[:-1],
        "another birth": data.replace(birth.encode(), b"0" * 32),
        "another fact": data.replace(b'"facts": 3', b'"facts": 2'),
        "no file": b"",
        "no JSON": b"x" * len(data),
    }[damage])  # fmt: skip
    if damage == "no file":
        path.unlink()
    assert counted(reopened(), sales(deliver, move, "a", "b", "c", "d")) == (1, 3)


def test_a_folder_that_cannot_be_written_keeps_none(tmp_path: Path) -> None:
    """It is only a help."""
    path = tmp_path / "nowhere" / "keys"
    keyfile.write(path, keyfile.Kept("b", 1, "", 1, np.ones(1, np.uint64), np.ones(1, np.uint32)))
    assert not path.exists()
    assert keyfile.read(path, "b") is None


def test_small_tables_and_single_askings_need_none(
    ledger: Ledger, deliver: Deliver, move: Move, master: list[Delivery], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index is made for a large table, when many rows are staged or little is staged often."""
    ledger.append([*master, sales(deliver, move, "a", "b")])
    con = ledger._projection.con
    assert seen.Seen().index(con, "movements", 10**9) is None
    monkeypatch.setattr(seen, "SMALL", 1)
    assert seen.Seen().index(con, "movements", seen.MUCH) is not None
    asked = seen.Seen()
    made = [asked.index(con, "movements", 1) is not None for _ in range(seen.OFTEN)]
    assert made == [False] * (seen.OFTEN - 1) + [True]

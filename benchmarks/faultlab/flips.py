"""Flips one bit of a twin's files at rest, and looks who notices.

A flip in the journal (its file, the write-ahead log of a killed process, the note of its head) must be named, by
opening or by `verify`, or be proved harmless: every batch, hash, blob and cursor reads as before, and the journal goes
on. A flip in the projection must heal by itself.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faultlab import children
from faultlab.images import batch, master

APPENDS = 24
JOURNAL = ("journal.sqlite", "journal.sqlite-wal", "journal.sqlite-head")
PROJECTION = ("projection.duckdb", "projection.duckdb.wal")
HEADER_BYTES = 100
"""Of a SQLite file; flips fall there more often than chance would have it."""


def make(folder: Path) -> None:
    """A twin whose process was killed: half of its journal is in the file, half in the write-ahead log."""
    from stocktwin.ledger.journal.sqlite import SqliteJournal
    from stocktwin.ledger.ledger import Ledger

    journal = SqliteJournal(folder / "journal.sqlite")
    ledger = Ledger.open(journal, folder / "projection.duckdb")
    ledger.append(master())
    for number in range(APPENDS):
        ledger.append([batch(number, part) for part in range(1 + number % 3)])
        if number == APPENDS // 2:
            journal._con.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            ledger._projection.con.execute("CHECKPOINT")


def content(path: Path) -> dict[str, Any]:
    """Everything that a journal answers."""
    from stocktwin.ledger.journal.protocol import digest
    from stocktwin.ledger.journal.sqlite import SqliteJournal

    journal = SqliteJournal(path, reserve=0)
    try:
        batches = list(journal.batches())
        return {
            "batches": [[one.text, one.prev_hash, one.hash] for one in batches],
            "blobs": [digest(journal.blob(one.seq) or b"") for one in batches],
            "found": [[one.seq for one in journal.with_blob(one.header.blob)] for one in batches],
            "cursors": sorted([*place, cursor] for place, cursor in journal.cursors().items()),
        }
    finally:
        journal.close()


def judge_journal(folder: Path, sound: dict[str, Any]) -> dict[str, Any]:
    """Who noticed: `opening`, `verify`, nobody but it is `harmless`, or `nobody`."""
    from stocktwin.domain.errors import EnvironmentFault, JournalDamaged
    from stocktwin.ledger.invariants import Case, judge
    from stocktwin.ledger.journal.sqlite import SqliteJournal
    from stocktwin.ledger.ledger import Ledger

    path = folder / "journal.sqlite"
    try:
        ledger = Ledger.open(SqliteJournal(path, reserve=0), folder / "projection.duckdb")
    except (JournalDamaged, EnvironmentFault) as error:
        return {"noticed": "opening", "said": str(error)}
    with ledger:
        case = Case(ledger.journal, ledger._projection)
        verdicts = [judge(name, case) for name in ("chain", "exactly_once")]
    broken = [verdict.detail for verdict in verdicts if not verdict.ok]
    if broken:
        return {"noticed": "verify", "said": broken[0]}
    return {"noticed": "harmless" if _as_before(path, sound) else "nobody", "said": str(verdicts)}


def _as_before(path: Path, sound: dict[str, Any]) -> bool:
    """Whether a journal answers as before, goes on, and then still does."""
    from stocktwin.ledger.journal.protocol import BatchHeader, digest
    from stocktwin.ledger.journal.sqlite import SqliteJournal

    if content(path) != sound:
        return False
    journal = SqliteJournal(path, reserve=0)
    data = bytes(range(256)) * 64
    journal.append([(BatchHeader("facts", 1, source="later", file="f", cursor="1", blob=digest(data)), data)])
    whole = journal.damage() == ""
    journal.close()
    after = content(path)
    same = all(after[key][: len(sound[key])] == sound[key] for key in ("batches", "blobs", "found"))
    return whole and same and len(after["batches"]) == len(sound["batches"]) + 1


def judge_projection(folder: Path, sound: dict[str, Any]) -> dict[str, Any]:
    """Opens a twin whose projection is damaged; it must answer as before, twice."""
    from stocktwin.ledger.journal.sqlite import SqliteJournal
    from stocktwin.ledger.ledger import Ledger

    healed = False
    for _ in range(2):
        with Ledger.open(SqliteJournal(folder / "journal.sqlite"), folder / "projection.duckdb") as ledger:
            if answers(ledger) != sound:
                return {"noticed": "nobody", "said": "other answers"}
            healed = healed or ledger._projection.path != ledger._projection._home
    return {"noticed": "healed while open" if healed else "opening or harmless", "said": ""}


def answers(ledger: Any) -> dict[str, Any]:
    """What a twin says about itself."""
    from stocktwin.ledger.healing import healing
    from stocktwin.ledger.replay import fingerprints

    rows = healing(lambda ledger: fingerprints(ledger._projection.con))(ledger)
    balances = ledger.balances(stocking_only=False).to_pylist()
    status = {key: value for key, value in ledger.status().items() if key != "sources"}
    return {"balances": balances, "status": status, "rows": {name: list(found) for name, found in rows.items()}}


def flip(path: Path, chance: random.Random, header: bool) -> tuple[int, int]:
    """Flips one bit of a file: byte and bit."""
    data = bytearray(path.read_bytes())
    place, bit = chance.randrange(min(HEADER_BYTES, len(data)) if header else len(data)), chance.randrange(8)
    data[place] ^= 1 << bit
    path.write_bytes(data)
    return place, bit


def pick(folder: Path, names: tuple[str, ...], chance: random.Random) -> Path:
    """A file, by size: a flip falls on any byte alike."""
    files = [folder / name for name in names if (folder / name).exists() and (folder / name).stat().st_size]
    return chance.choices(files, [file.stat().st_size for file in files])[0]


def run(
    count: int, seed: int = 0, verify_every: int = 1, plant: bool = False, say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Flips so many bits of the journal, and a tenth as many of the projection. `plant`: the journal's note of its head
    is gone, so that some flips must go unnoticed."""
    chance, journal, projection, wrong = random.Random(seed), Counter[str](), Counter[str](), []
    with tempfile.TemporaryDirectory(prefix="stocktwin-flips-", dir=children.scratch()) as work:
        whole, copy = Path(work, "whole"), Path(work, "copy")
        whole.mkdir()
        children.answer(lambda: make(whole) or {})
        if plant:
            (whole / "journal.sqlite-head").unlink()
        children.warm(lambda: _rehearse(whole, copy))
        sound = children.answer(lambda: _sound_answers(whole, copy))
        for number in range(count + count // 10):
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(whole, copy)
            rotten = number < count
            path = pick(copy, JOURNAL if rotten else PROJECTION, chance)
            place = flip(path, chance, header=rotten and number % 20 == 0)
            judge = judge_journal if rotten else judge_projection
            found = children.answer(lambda judge=judge, key="journal" if rotten else "twin": judge(copy, sound[key]))  # type: ignore[misc]
            noticed = found.get("noticed", "nobody")
            (journal if rotten else projection)[f"{path.name}: {noticed}"] += 1
            if noticed == "nobody":
                wrong.append(f"{path.name}, byte {place[0]}, bit {place[1]}: {found}")
            if number % 100 == 99:
                say(f"{number + 1} flips, {len(wrong)} wrong")
    return {"journal": dict(sorted(journal.items())), "projection": dict(sorted(projection.items())), "wrong": wrong}


def _sound_answers(whole: Path, copy: Path) -> dict[str, Any]:
    from stocktwin.ledger.journal.sqlite import SqliteJournal
    from stocktwin.ledger.ledger import Ledger

    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(whole, copy)
    with Ledger.open(SqliteJournal(copy / "journal.sqlite"), copy / "projection.duckdb") as ledger:
        return {"twin": answers(ledger), "journal": content(copy / "journal.sqlite")}


def _rehearse(whole: Path, copy: Path) -> None:
    _sound_answers(whole, copy)
    judge_journal(copy, content(copy / "journal.sqlite"))

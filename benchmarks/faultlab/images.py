"""Cuts the power of a twin at random points: builds what may be left of its files, and opens it."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from faultlab import children
from faultlab.recording import STYLES, Disk, Entry, compiler, record

APPENDS = 40
ROWS = 20
WHOLE_EVERY = 16
"""Of so many rounds of images one is of the whole twin, the others of its journal alone."""
WORKLOAD = """
import os, sys
from pathlib import Path
from faultlab.images import APPENDS, batch, master
from stocktwin.ledger.journal.sqlite import SqliteJournal
from stocktwin.ledger.ledger import Ledger

folder = Path(sys.argv[1])
journal = SqliteJournal(folder / "journal.sqlite")
journal._con.execute("PRAGMA wal_autocheckpoint=40")  # checkpoints, too, are to be cut
with Ledger.open(journal, folder / "projection.duckdb") as ledger:
    ledger.append(master())
    for number in range(APPENDS):
        ledger.append([batch(number, part) for part in range(1 + number % 3)])
        os.write(1, f"{number}\\n".encode())
        if number % 25 == 24:
            ledger._projection.con.execute("CHECKPOINT")
"""


def deliver(table: str, rows: list[dict[str, Any]], cursor: str = "") -> Any:
    """A delivery of rows."""
    import pyarrow as pa

    from stocktwin.ledger.journal.blob import no_rejected
    from stocktwin.tables.batch import Delivery
    from stocktwin.tables.schema import TABLES

    numbered = [{**row, "_row": number} for number, row in enumerate(rows, 1)]
    facts = pa.Table.from_pylist(numbered, TABLES[table].arrow_schema())
    return Delivery("erp", table, "feed", facts, no_rejected(), cursor=cursor)


def master() -> list[Any]:
    """An item and a place."""
    return [deliver("items", [{"item_id": "I"}]), deliver("locations", [{"location_id": "D1", "kind": "dc"}])]


def batch(number: int, part: int) -> Any:
    """One batch of a delivery; its reasons are long and do not compress, so that a blob takes several pages."""
    from decimal import Decimal

    noise = random.Random(1000 * number + part)
    rows = [
        {"event_id": f"{number}-{part}-{row}", "event_time": number, "kind": "receipt", "item_id": "I",
         "quantity": Decimal(1 + number % 7), "to_id": "D1", "system": "erp", "reason": noise.randbytes(200).hex()}
        for row in range(ROWS)
    ]  # fmt: skip
    return deliver("movements", rows, str(number))


def judge_journal(folder: Path, acknowledged: int) -> dict[str, Any]:
    """Opens the journal of an image, reads all of it, and appends to it."""
    from stocktwin.ledger.journal.protocol import BatchHeader, digest
    from stocktwin.ledger.journal.sqlite import SqliteJournal

    wrong = []
    journal = SqliteJournal(folder / "journal.sqlite", reserve=0)
    batches = list(journal.batches())
    wrong += [f"batch {one.seq}: its blob is damaged" for one in batches
              if digest(journal.blob(one.seq) or b"") != one.header.blob]  # fmt: skip
    told = Counter(one.header.cursor for one in batches if one.header.table == "movements")
    wrong += [f"{n} was acknowledged and is missing" for n in range(acknowledged + 1) if str(n) not in told]
    wrong += [f"{n} is there by half" for n, parts in told.items() if parts != 1 + int(n) % 3]
    wrong += [found] if (found := journal.damage()) else []
    (last,) = journal.append([(BatchHeader("facts", 1, blob=digest(b"")), b"")])
    wrong += [] if last.seq == len(batches) + 1 else [f"appended as batch {last.seq} of {len(batches)}"]
    journal.close()
    return {"wrong": wrong}


def judge_twin(folder: Path, acknowledged: int, laws: bool) -> dict[str, Any]:
    """Opens the whole twin of an image; its projection must be sound or heal by itself."""
    from stocktwin.ledger.journal.sqlite import SqliteJournal
    from stocktwin.ledger.ledger import Ledger

    with Ledger.open(SqliteJournal(folder / "journal.sqlite", reserve=0), folder / "projection.duckdb") as ledger:
        ids = ledger.rows("movements").column("event_id").to_pylist()
        told = [int(one.header.cursor) for one in ledger.journal.batches() if one.header.table == "movements"]
        wrong = [] if len(ids) == len(set(ids)) == ROWS * len(told) else [f"{len(ids)} rows of {len(told)} batches"]
        expected = sum(ROWS * (1 + number % 7) for number in told)
        balance = sum(ledger.balances()["quantity"].to_pylist())
        wrong += [] if balance == expected else [f"the balance is {balance}, not {expected}"]
        wrong += [] if max(told, default=-1) >= acknowledged else [f"{acknowledged} was acknowledged and is missing"]
        if laws:
            wrong += [f"law {law.law}: {law.detail}" for law in ledger.verify() if not law.ok]
    return {"wrong": wrong}


def build(entries: list[Entry], below: str, cut: int, style: str, chance: random.Random, into: Path) -> int:
    """Writes the files of an image; the last delivery that was acknowledged before the cut (−1: none)."""
    disk = Disk(entries[:cut], below)
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir()
    for path, content in disk.after_power_cut(style, chance).items():
        if not path.endswith("-shm") and "/" not in path:  # shared memory is made anew; spill files do not matter
            (into / path).write_bytes(content)
    told = disk.acknowledged.split()
    return int(told[-1]) if told else -1


def run(
    count: int, seed: int = 0, verify_every: int = 10, plant: bool = False, say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Builds and opens so many images; in every `verify_every`-th round of whole twins all laws are proved.
    `plant`: the journal does not wait for the disk, which must be found."""
    if compiler() is None:
        return {"images": 0, "wrong": ["no C compiler on this machine"]}
    chance, by, wrong = random.Random(seed), Counter[str](), []
    with tempfile.TemporaryDirectory(prefix="stocktwin-images-", dir=children.scratch()) as work:
        run_folder, image = Path(work, "run"), Path(work, "image")
        run_folder.mkdir()
        workload = WORKLOAD.replace("PRAGMA wal_autocheckpoint=40", "PRAGMA synchronous=OFF") if plant else WORKLOAD
        code = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n" + workload
        entries = record(code, run_folder, Path(work))
        first = next(at for at, entry in enumerate(entries) if entry.kind == "A")
        build(entries, f"{run_folder}/", len(entries), "all", chance, image)
        children.warm(lambda: judge_twin(image, -1, laws=True))
        for number in range(count):
            style = STYLES[number % len(STYLES)]
            cut = chance.randint(first + 1, len(entries))
            acknowledged = build(entries, f"{run_folder}/", cut, style, chance, image)
            whole = number // len(STYLES) % WHOLE_EVERY == WHOLE_EVERY - 1
            laws = whole and number // len(STYLES) // WHOLE_EVERY % verify_every == 0
            found = children.answer(partial(judge_twin, image, acknowledged, laws) if whole
                                    else partial(judge_journal, image, acknowledged))  # fmt: skip
            by[f"{style}, {'twin' if whole else 'journal'}"] += 1
            wrong += [f"image {number} ({style}, cut {cut}): {what}" for what in found.get("wrong", [str(found)])]
            if number % 100 == 99:
                say(f"{number + 1} images, {len(wrong)} wrong")
    kinds = Counter(entry.kind for entry in entries)
    return {"images": count, "by": dict(sorted(by.items())), "operations": dict(kinds), "wrong": wrong}

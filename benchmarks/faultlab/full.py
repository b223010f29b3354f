"""Fills the disk under a twin (a small tmpfs): nothing may be half taken, questions are answered, and when there is
room again everything goes on by itself."""

from __future__ import annotations

import os
import random
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from faultlab import children
from faultlab.images import ROWS, batch, master

BALLAST = 8 << 20
"""Bytes of a file that is deleted to make room."""


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """A tmpfs of that size. PermissionError where this user may not mount one."""
    with tempfile.TemporaryDirectory(prefix="stocktwin-full-") as folder:
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise PermissionError(f"cannot mount a tmpfs: {done.stderr.strip()}")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path, leave: int) -> None:
    """Takes all room of a disk but some bytes."""
    disk = os.statvfs(folder)
    with (folder / "filling").open("ab") as file:
        file.write(bytes(max(disk.f_bavail * disk.f_frsize - leave, 0)))


def journal_full(folder: Path, reserve: int, leave: int) -> list[str]:
    """Takes in batches until the disk is full, asks, makes room, goes on; what is wrong."""
    from stocktwin.domain.errors import EnvironmentFault
    from stocktwin.ledger.journal.sqlite import SqliteJournal
    from stocktwin.ledger.ledger import Ledger

    wrong, taken = [], 0
    (folder / "ballast").write_bytes(bytes(BALLAST))
    journal, projection = folder / "journal.sqlite", folder / "projection.duckdb"
    with Ledger.open(SqliteJournal(journal, reserve=reserve), projection) as ledger:
        ledger.append(master())
        ledger.append([batch(taken, 0)])
        fill(folder, leave)
        for taken in range(1, 400):
            before = said(ledger)
            try:
                ledger.append([batch(taken, 0), batch(taken, 1)])
            except EnvironmentFault as fault:
                wrong += (
                    [] if str(journal) in str(fault) or str(projection) in str(fault) else [f"names no place: {fault}"]
                )
                break
        else:
            return ["the disk never filled up"]
        head = ledger.journal.head()
        kept = head is not None and head.header.cursor == str(taken)
        now = said(ledger)
        wrong += [] if kept or now == before else [f"answers changed: {before} {now}"]
        (folder / "ballast").unlink()
        ledger.append([batch(taken, 0), batch(taken, 1)])
        after = said(ledger)
        wrong += [f"law {law.law}: {law.detail}" for law in ledger.verify() if not law.ok]
    expected = {(0, 0), *((number, part) for number in range(1, taken + 1) for part in (0, 1))}
    total = sum(ROWS * (1 + number % 7) for number, _ in expected)
    wrong += [] if after["balance"] == total else [f"the balance is {after['balance']}, not {total}"]
    with Ledger.open(SqliteJournal(journal, reserve=reserve), projection) as ledger:
        wrong += [] if said(ledger) == after else ["another state after opening again"]
    return wrong


def said(ledger: Any) -> dict[str, Any]:
    """What a ledger answers."""
    balance = sum(ledger.balances()["quantity"].to_pylist())
    return {"balance": balance, "accepted": ledger.status()["accepted"], "state": ledger.state_hash}


def run(
    count: int, seed: int = 0, verify_every: int = 1, plant: bool = False, say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Fills a disk so many times, with a reserve kept free and without, in turns."""
    chance, wrong = random.Random(seed), []
    for number in range(count):
        reserve = (1 << 20) * 2 * (number % 2)
        leave = chance.randint(200_000, 3_000_000) + reserve
        with small_disk(48) as folder:
            found = children.answer(lambda folder=folder, leave=leave, reserve=reserve: {  # type: ignore[misc]
                "wrong": journal_full(folder, reserve, leave)})  # fmt: skip
        what = "with a reserve" if reserve else "to the last byte"
        wrong += [f"disk {number} ({what}, {leave} left): {text}" for text in found.get("wrong", [str(found)])]
        say(f"{number + 1} disks, {len(wrong)} wrong")
    return {"disks": count, "wrong": wrong}

"""Killed at any instant, the twin opens again: nothing acknowledged is missing, nothing counts twice, the laws hold."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stocktwin.ledger.journal.sqlite import SqliteJournal
from stocktwin.ledger.ledger import Ledger

pytestmark = pytest.mark.slow

ROWS = 50
CHILD = """
import sys
from decimal import Decimal
from pathlib import Path
import pyarrow as pa
from stocktwin.ledger.journal.blob import no_rejected
from stocktwin.ledger.journal.sqlite import SqliteJournal
from stocktwin.ledger.ledger import Ledger
from stocktwin.tables.batch import Delivery
from stocktwin.tables.schema import TABLES

folder, rows = Path(sys.argv[1]), int(sys.argv[2])

def deliver(table, facts, cursor=""):
    facts = [{**row, "_row": number} for number, row in enumerate(facts, 1)]
    return Delivery("erp", table, "feed", pa.Table.from_pylist(facts, TABLES[table].arrow_schema()), no_rejected(),
                    cursor=cursor)

def batch(number):
    return deliver("movements", [
        {"event_id": f"{number}-{row}", "event_time": number, "kind": "receipt", "item_id": "I",
         "quantity": Decimal(1), "to_id": "D1", "system": "erp"} for row in range(rows)], str(number))

with Ledger.open(SqliteJournal(folder / "journal.sqlite"), folder / "projection.duckdb") as ledger:
    ledger.append([deliver("items", [{"item_id": "I"}]), deliver("locations", [{"location_id": "D1", "kind": "dc"}])])
    number = int(ledger.cursors().get(("erp", "feed"), "0"))
    print("ready", flush=True)
    while True:
        group = [batch(number + step) for step in (1, 2, 3)]
        ledger.append(group)
        number += 3
        print(number, flush=True)  # the acknowledgement
"""


def run_and_kill(folder: Path, after: float) -> int:
    """Lets a child ingest for a while, kills it, and gives the last batch that it acknowledged (0: none)."""
    command = [sys.executable, "-c", CHILD, str(folder), str(ROWS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(after)
        child.kill()
        told = child.stdout.read().split("\n")[:-1]  # what follows the last line break was cut off
    assert child.returncode == -signal.SIGKILL
    return int(told[-1]) if told else 0


def test_killed_again_and_again_nothing_is_lost_and_nothing_counts_twice(tmp_path: Path) -> None:
    chance, acknowledged = random.Random(11), 0
    for kill in range(8):
        acknowledged = max(acknowledged, run_and_kill(tmp_path, chance.uniform(0.0, 0.6)))
        with Ledger.open(SqliteJournal(tmp_path / "journal.sqlite"), tmp_path / "projection.duckdb") as ledger:
            told = int(ledger.cursors().get(("erp", "feed"), "0"))
            status = ledger.status()
            assert told >= acknowledged, "what was acknowledged is there"
            assert told % 3 == 0, "a group commits together or not at all"
            assert status["movements"] == told * ROWS, "every row of every batch, once"
            assert sum(ledger.balances()["quantity"].to_pylist()) == told * ROWS
            assert status["delivered"] == status["accepted"] + status["duplicates"] + status["quarantined"]
            if kill % 3 == 1:
                assert [law for law in ledger.verify() if not law.ok] == []
    assert acknowledged > 0, "the child never came to acknowledge anything"


def test_a_kill_while_the_projection_is_folded_anew(tmp_path: Path) -> None:
    """The rebuilding is itself interrupted, at several points."""
    acknowledged = run_and_kill(tmp_path, 1.0)
    chance = random.Random(5)
    for _ in range(4):
        (tmp_path / "projection.duckdb").unlink(missing_ok=True)
        code = (
            "import sys; from pathlib import Path; from stocktwin.ledger.ledger import Ledger; "
            "from stocktwin.ledger.journal.sqlite import SqliteJournal; p = Path(sys.argv[1]); print('x', flush=True); "
            "Ledger.open(SqliteJournal(p / 'journal.sqlite'), p / 'projection.duckdb'); input()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(chance.uniform(0.0, 0.5))
            child.kill()
        with Ledger.open(SqliteJournal(tmp_path / "journal.sqlite"), tmp_path / "projection.duckdb") as ledger:
            assert ledger.status()["movements"] >= acknowledged * ROWS
            assert [law for law in ledger.verify() if not law.ok] == []

"""What is delivered to a twin that will be killed, and what must be true of it afterwards.

Three feeds: files of a folder, messages posted as JSON lines, files in the inbox. Delivery `n` of a feed has rows with
ids `FEED-n-row` and quantities that follow from `n`: what is there tells which deliveries are, and how often.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROWS = {"file": 12, "message": 4, "inbox": 6}
"""Rows of a delivery of each feed."""
HEADER = "event_id,event_time,kind,item_id,quantity,to_id,system\n"
MASTER = {"items.csv": "item_id\nI\n", "locations.csv": "location_id,kind\nD1,dc\n"}


def facts(feed: str, number: int) -> list[dict[str, Any]]:
    """The movements of one delivery."""
    return [
        {"event_id": f"{feed}-{number}-{row}", "event_time": f"2025-03-{1 + number % 28:02d}T08:00:00Z",
         "kind": "receipt", "item_id": "I", "quantity": 1 + (7 * number + row) % 13, "to_id": "D1", "system": "erp"}
        for row in range(ROWS[feed])
    ]  # fmt: skip


def csv(feed: str, number: int) -> str:
    """One delivery as a CSV file."""
    return HEADER + "".join(",".join(map(str, row.values())) + "\n" for row in facts(feed, number))


def lines(number: int) -> str:
    """One message as JSON lines."""
    return "".join(json.dumps({"table": "movements", **row}) + "\n" for row in facts("message", number))


@dataclass
class Told:
    """How far each feed was acknowledged (numbers from 0 up to, not including)."""

    file: int = 0
    message: int = 0
    inbox: int = 0

    def hear(self, said: list[str]) -> None:
        """Takes in the acknowledgements that a child printed: `ack FEED NUMBER`."""
        for line in said:
            words = line.split()
            if len(words) == 3 and words[0] == "ack":
                setattr(self, words[1], max(getattr(self, words[1]), int(words[2]) + 1))


def missing_or_double(twin: Any, told: Told) -> list[str]:
    """What is wrong with the facts of a twin: an acknowledged one missing, one there twice, half a delivery, a balance
    that is not their sum."""
    ids = twin.ledger.rows("movements").column("event_id").to_pylist()
    wrong = [f"{id} is there {count} times" for id, count in Counter(ids).items() if count > 1]
    seen = Counter(id.rpartition("-")[0] for id in ids)
    for feed, rows in ROWS.items():
        wrong += [f"{feed}-{n} was acknowledged and is missing" for n in range(getattr(told, feed))
                  if not seen[f"{feed}-{n}"]]  # fmt: skip
        wrong += [f"{name} is there by half" for name, count in seen.items()
                  if name.startswith(f"{feed}-") and count != rows]  # fmt: skip
    expected = sum(row["quantity"] for name in seen for row in facts(*_named(name)))
    balance = sum(twin.ledger.balances()["quantity"].to_pylist())
    if balance != expected:
        wrong.append(f"the balance is {balance}, not {expected}")
    status = twin.status()
    if status["delivered"] != status["accepted"] + status["duplicates"] + status["quarantined"]:
        wrong.append(f"{status['delivered']} delivered do not add up")
    return wrong


def _named(name: str) -> tuple[str, int]:
    feed, _, number = name.rpartition("-")
    return feed, int(number)


def prepare(root: Path) -> None:
    """An empty twin and the folder its files come from."""
    from stocktwin.app.bootstrap import create_twin

    create_twin(root)
    (root / "feed").mkdir()
    for name, text in MASTER.items():
        (root / "feed" / name).write_text(text)
